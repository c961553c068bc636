"""The package as a laptop gets it: installed, enrolled, at work, upgraded, downgraded, purged, under a systemd that runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.demo.browsers import QUIET
from tests.demo.house import House
from tests.demo.programs import ROOT, tool_json, until
from tests.demo.stand_in import StandIn
from tests.demo.story import BLOCK_PAGE
from tests.packaging.machine import Machine, machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it boots a machine in namespaces of its own")

CHATGPT = "https://chatgpt.com/"
PERSON = "alice"
NEWER = "0.1.1+test"
WITHIN_S = 60
SERVICE = "abide-agent.service"
KEEPS_OUT = [
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-extensions-with-background-pages",
]
NOT_OURS = re.compile(  # dpkg, the journal, the browser, and other services that installing wakes
    r"var/(lib/(dpkg|apt|PackageKit|systemd)|cache/(apt|debconf|PackageKit))(/|$)|var/log/|home/|var/tmp/systemd-private-(?!.*abide)"
)


def package(*arguments: str) -> Path:
    """Make the package and return it."""
    subprocess.run([sys.executable, ROOT / "build" / "package.py", *arguments], check=True)
    version = arguments[-1] if arguments else "0.1.0"
    return next((ROOT / "dist").glob(f"abide-agent_{version}_*.deb"))


@pytest.fixture(scope="session")
def deb() -> Path:
    return package()


@pytest.fixture(scope="session")
def newer(deb: Path) -> Iterator[Path]:
    made = package("--version", NEWER)
    yield made
    made.unlink()


class Laptop:
    """The laptop with the package, and what its person sees."""

    def __init__(self, laptop: Machine, house: House, stand_in: StandIn, context: BrowserContext) -> None:
        self.machine, self.house, self.stand_in, self.context = laptop, house, stand_in, context

    def visit(self) -> Page:
        tab = self.context.new_page()
        tab.goto(CHATGPT, wait_until="commit")
        return tab

    def is_blocked(self) -> bool:
        tab = self.visit()
        blocked = bool(BLOCK_PAGE.match(tab.url))
        if blocked:
            expect(tab.locator("#heading")).to_be_focused()
        tab.close()
        return blocked

    def status(self, account: str = "root") -> dict[str, Any]:
        said: dict[str, Any] = json.loads(
            self.machine.run("abide-agent", "status", "--json", account=account, accept=(0, 1))
        )
        return said

    def connected(self) -> bool:
        status = self.status()
        return any(b["policy_version"] == status["policy_version"] for b in status.get("browsers", []))

    def main_pid(self) -> int:
        return int(self.machine.run("systemctl", "show", "--property=MainPID", "--value", SERVICE))

    def events(self) -> list[tuple[int, str, str]]:
        until("nothing waits on the laptop", lambda: self.status().get("spooled") == 0, 60)
        return self.house.proven_events()


@contextmanager
def browser(laptop: Machine, flags: list[str]) -> Iterator[BrowserContext]:
    """The person's Chromium, as Debian installs it, with a profile that was empty and nothing loaded by hand."""
    profile = laptop.shared / "profile"
    profile.mkdir(exist_ok=True)
    person = laptop.run("id", "-u", PERSON).strip()
    os.chown(profile, int(person), int(person))
    start = laptop.shared / "chromium"
    start.write_text('#!/bin/sh\nexec {} "$@"\n'.format(" ".join(laptop.command("/usr/bin/chromium", account=PERSON))))
    start.chmod(0o755)
    quiet = [flag for flag in QUIET if flag not in KEEPS_OUT]
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=start,
            headless=False,
            ignore_default_args=KEEPS_OUT,
            args=["--headless=new", *quiet, *flags],
            viewport={"width": 1000, "height": 860},
        )
        try:
            yield context
        finally:
            context.close()


def unlock_developer_tools(laptop: Machine) -> None:
    """Chromium does not let tests look at what a policy installed, unless another policy says so."""
    folder = laptop.root / "etc/chromium/policies/managed"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tests.json").write_text('{"DeveloperToolsAvailability": 1}')


def left_behind(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(
        f"{how}: {path}" for path, how in after.items() if before.get(path) != how and not NOT_OURS.match(path)
    )


def test_one_package_one_token_first_block_within_a_minute(deb: Path, newer: Path, tmp_path: Path) -> None:
    house, stand_in = House(tmp_path / "house"), StandIn(tmp_path)
    try:
        house.start_server()
        token = tool_json("abide-server", "token", "--data", house.data)["token"]
        with machine() as laptop:
            laptop.run("useradd", "--create-home", PERSON)
            unlock_developer_tools(laptop)
            for file in (deb, newer):
                shutil.copy(file, laptop.shared)
            before = laptop.changes()
            begin = time.monotonic()
            laptop.run("apt-get", "install", "-y", laptop.shared / deb.name)
            laptop.run("abide-agent", "enroll", token)
            with browser(laptop, stand_in.flags) as context:
                person = Laptop(laptop, house, stand_in, context)
                until("the browser got the extension by policy", person.connected, WITHIN_S)
                until("chatgpt.com is blocked", person.is_blocked, WITHIN_S)
                first_block_s = time.monotonic() - begin
                print(f"first block after {first_block_s:.1f} s")
                assert first_block_s < WITHIN_S
                works(person, tmp_path)
                stays(person, newer)
                stays(person, deb)
                laptop.run("apt-get", "purge", "-y", "abide-agent")
            with browser(laptop, stand_in.flags) as context:
                person = Laptop(laptop, house, stand_in, context)
                until("the same profile is free again", lambda: not person.is_blocked(), WITHIN_S)
            assert left_behind(before, laptop.changes()) == []
            assert not laptop.run("pgrep", "-af", "/opt/abide-agent", accept=(0, 1))
    finally:
        house.close()
        stand_in.close()


def works(person: Laptop, folder: Path) -> None:
    """The service runs, the person's browser is guarded, and what is recorded arrives."""
    tab = person.visit()
    expect(tab.locator("#heading")).to_be_focused()
    tab.screenshot(path=folder / "installed.png")
    tab.close()
    until("the browser is up to date", person.connected)
    assert person.machine.run("systemctl", "is-active", SERVICE).strip() == "active"
    assert person.status(PERSON)["running"]
    assert ("visit", "chatgpt") in [(kind, service) for _seq, kind, service in person.events()]


def stays(person: Laptop, other_version: Path) -> None:
    """Installing another version while everything runs keeps enrolment, records and enforcement."""
    device, recorded, pid = person.status()["device"], person.events(), person.main_pid()
    person.machine.run("apt-get", "install", "-y", "--allow-downgrades", person.machine.shared / other_version.name)
    assert person.is_blocked()
    until("the browser is connected again", person.connected)
    assert person.main_pid() not in (0, pid)
    assert person.status()["device"] == device
    assert person.events()[: len(recorded)] == recorded
    assert len(person.events()) > len(recorded)
