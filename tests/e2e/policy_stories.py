"""The stories of test_policy_tier.py: each runs as root in a namespace of its own (``python -m … STORY FOLDER``)."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Error, expect, sync_playwright

from abide_agent.config import system_config
from abide_agent.identity import load_key
from tests.demo.browsers import CHROMIUMS, QUIET, find, sandbox_flags, worker_of
from tests.demo.driver import expect as look_at
from tests.demo.driver import visit
from tests.demo.firefox import Firefox
from tests.demo.house import House
from tests.demo.programs import ROOT, Program, tool, tool_json, until
from tests.demo.stand_in import StandIn
from tests.demo.story import BLOCK_PAGE

SYSTEM = system_config()
POLICY = Path("/etc/chromium/policies/managed/abide.json")
NOTICED_AFTER_S = 12
"""A policy file that changes in the first seconds of a browser can go unnoticed by it for ever."""
AN_HOUR_PASSES = "chrome.alarms.create('update', {when: Date.now()})"
NOT_WITH_POLICY = [
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-extensions-with-background-pages",
]


class System(House):
    """A house whose laptop has the agent for all accounts, and browsers that know it by policy alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "house")
        self.agent = Program("abide-agent", "run", "--system", log=self.folder / "logs" / "agent.log")
        self.key = folder / "extension.pem"
        self.out = folder / "dist" / "extension"
        os.environ["ABIDE_EXTENSION_DIR"] = str(self.out)
        self.stand_in = StandIn(folder)

    def pack(self, version: str) -> dict[str, str]:
        """Pack the extension with the same key as another version."""
        spec = importlib.util.spec_from_file_location("packer", ROOT / "build" / "extension.py")
        if spec is None or spec.loader is None:
            raise ImportError("build/extension.py")
        packer = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(packer)
        described: dict[str, str] = packer.pack(self.key, self.out, version=version)
        return described

    def publish_extension(self, version: str) -> None:
        """Pack it, publish it on the server, and leave nothing of it with the agent but its ids."""
        described = self.pack(version)
        packages = [self.out / described[kind] for kind in ("crx", "xpi")]
        tool("abide-server", "extension", *packages, "--data", self.data)
        for package in packages:
            package.unlink()
        named = {name: described[name] for name in ("chromium_id", "firefox_id", "version")}
        (self.out / "extension.json").write_text(json.dumps(named))

    def open(self) -> None:
        """Start the server, enrol and install for all accounts, start the agent."""
        self.start_server()
        tool("abide-agent", "install", "--system")
        token = tool_json("abide-server", "token", "--data", self.data)["token"]
        tool("abide-agent", "enroll", token, "--system")
        self.start_agent()

    def status(self) -> dict[str, Any]:
        """What ``abide-agent status`` says; it finds the system's agent by itself."""
        answer: dict[str, Any] = tool_json("abide-agent", "status", accept=(0, 1))
        return answer

    def browser(self, version: str = "") -> dict[str, Any]:
        """Wait until a browser with the extension (of this version) enforces the release that is held."""

        def found() -> dict[str, Any] | None:
            status = self.status()
            for each in status.get("browsers", []):
                is_it = not version or each["extension_version"] == version
                if is_it and each["policy_version"] == status["policy_version"] > 0:
                    return dict(each)
            return None

        answer: dict[str, Any] = until(f"a browser enforces (extension {version or 'any'})", found, 60)
        return answer

    def close(self) -> None:
        super().close()
        self.stand_in.close()

    @contextmanager
    def chromium(self, *flags: str) -> Iterator[BrowserContext]:
        """Open Chromium with nothing of ours but the policy."""
        with sync_playwright() as playwright:
            context = playwright.chromium.launch_persistent_context(
                self.profile,
                executable_path=find(CHROMIUMS),
                headless=False,
                ignore_default_args=NOT_WITH_POLICY,
                args=[
                    "--headless=new",
                    *sandbox_flags(),
                    *(flag for flag in QUIET if flag not in NOT_WITH_POLICY),
                    *self.stand_in.flags,
                    *flags,
                ],
            )
            try:
                yield context
            finally:
                context.close()


def let_the_test_look_inside() -> None:
    """An administrator's own policy beside ours: the test may ask the extension's worker, and see its pages."""
    file = POLICY.parent / "test.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('{"DeveloperToolsAvailability":1}')


def inside(context: BrowserContext, expression: str) -> Any:
    """Ask the worker of the extension."""
    return worker_of(context).evaluate(expression)


def is_blocked(context: BrowserContext, extension: str) -> None:
    tab = context.new_page()
    tab.goto("https://chatgpt.com/", wait_until="commit")
    expect(tab).to_have_url(BLOCK_PAGE)
    expect(tab.locator("#heading")).to_be_visible()
    assert tab.url.startswith(f"chrome-extension://{extension}/"), tab.url
    tab.close()


def is_open(context: BrowserContext) -> bool:
    tab = context.new_page()
    try:
        tab.goto("https://chatgpt.com/", wait_until="domcontentloaded")
        return tab.locator("h1").inner_text(timeout=2_000) == "chatgpt.com"
    except Error:
        return False  # A block page goes away together with the extension.
    finally:
        tab.close()


def device_key() -> str:
    return base64.b64encode(load_key(SYSTEM.key).public_key().public_bytes_raw()).decode()


def installed_and_enforced(system: System, context: BrowserContext, version: str) -> None:
    """What every source of the extension leads to."""
    extension = json.loads((system.out / "extension.json").read_text())["chromium_id"]
    browser = system.browser(version)
    assert browser["forced"] is True, browser
    is_blocked(context, extension)
    granted = inside(context, "chrome.permissions.getAll().then((all) => all.permissions)")
    asked = inside(context, "chrome.runtime.getManifest().permissions")
    assert set(asked) <= set(granted), (asked, granted)
    itself = inside(context, "chrome.management.getSelf()")
    assert (itself["id"], itself["installType"], itself["mayDisable"]) == (extension, "admin", False)


def configured(context: BrowserContext) -> Any:
    """Return the managed configuration of a browser that has the extension already.

    In its first session it comes seconds later, and now and then only with the next start of the browser.
    """
    return until("managed configuration arrived", lambda: inside(context, "chrome.storage.managed.get()") or None)


def from_the_server(system: System) -> None:
    """The policy names the server's update.xml; a higher version published there reaches the open browser."""
    system.publish_extension("1.0.0")
    system.open()
    let_the_test_look_inside()
    settings = json.loads(POLICY.read_text())["ExtensionSettings"]
    assert [each["update_url"] for each in settings.values()] == [f"{system.url}/extension/update.xml"]
    started = time.monotonic()
    with system.chromium() as context:
        system.browser("1.0.0")
        print(f"installed and enforced {time.monotonic() - started:.1f} s after the start")
        installed_and_enforced(system, context, "1.0.0")
    with system.chromium() as context:
        system.browser("1.0.0")
        assert configured(context) == {"device_key": device_key()}
        mark = "chrome.storage.local.get('held').then(({held}) => JSON.stringify(held))"
        held = inside(context, mark)
        system.publish_extension("1.1.0")
        started = time.monotonic()
        inside(context, AN_HOUR_PASSES)
        system.browser("1.1.0")
        print(f"updated {time.monotonic() - started:.1f} s after the hourly alarm")
        assert inside(context, mark) == held
        system.agent.stop()
        system.server.stop()
        is_blocked(context, json.loads((system.out / "extension.json").read_text())["chromium_id"])


def from_files(system: System) -> None:
    """The policy names files that were installed with the agent; no server is asked for them."""
    system.pack("1.0.0")
    system.open()
    let_the_test_look_inside()
    with system.chromium() as context:
        installed_and_enforced(system, context, "1.0.0")
    with system.chromium() as context:
        started = time.monotonic()
        system.browser("1.0.0")
        assert configured(context) == {"device_key": device_key()}
        system.pack("1.1.0")
        tool("abide-agent", "install", "--system")
        inside(context, AN_HOUR_PASSES)
        installed_and_enforced(system, context, "1.1.0")
        time.sleep(max(0.0, NOTICED_AFTER_S - (time.monotonic() - started)))  # A fact about Chromium, no condition.
        system.agent.stop()  # It may put back what is changed.
        policy = json.loads(POLICY.read_text())
        (told,) = policy["3rdparty"]["extensions"].values()
        told["trust_first_agent"] = False
        changed = time.monotonic()
        POLICY.write_text(json.dumps(policy))
        until("the edited policy arrived", lambda: len(inside(context, "chrome.storage.managed.get()")) == 2, 20)
        print(f"an edited policy arrived after {time.monotonic() - changed:.1f} s")
        tool("abide-agent", "install", "--system", "--replace")
        tool("abide-agent", "uninstall", "--system")
        until("the extension is gone", lambda: is_open(context), 30)


def private_windows(system: System) -> None:
    """Private windows, which the extension cannot guard, do not open."""
    system.pack("1.0.0")
    system.open()
    let_the_test_look_inside()
    with system.chromium() as context:
        system.browser()
        refused = inside(context, "chrome.windows.create({incognito: true}).then(() => 'opened', (e) => e.message)")
        assert "ncognito" in refused, refused
        tool("abide-agent", "install", "--system", "--allow-private-windows")
    assert "IncognitoModeAvailability" not in json.loads(POLICY.read_text())


def switched_off_by_a_flag(system: System) -> None:
    """The stated bypass: --disable-extensions wins over the policy, and the server learns of no guarded browser."""
    system.pack("1.0.0")
    system.open()
    let_the_test_look_inside()
    with system.chromium() as context:
        system.browser()
        is_blocked(context, json.loads((system.out / "extension.json").read_text())["chromium_id"])
    with system.chromium("--disable-extensions=yes") as context:  # Playwright takes the bare flag out.
        assert is_open(context)
        assert system.status()["browsers"] == []


def in_firefox(system: System) -> None:
    """Firefox ESR takes the unsigned package from its file, and a newer one at its next start."""
    os.environ["HOME"] = str(system.folder)
    for version in ("1.0.0", "1.1.0"):
        system.pack(version)
        if version == "1.0.0":
            system.open()
        else:
            tool("abide-agent", "install", "--system")
        with firefox(system.profile):
            browser = system.browser(version)
        assert (browser["browser"], browser["forced"]) == ("firefox", True), browser


def private_windows_of_firefox(system: System) -> None:
    """In Firefox the extension is in private windows too: a visit there is stopped, and not recorded."""
    system.pack("1.0.0")
    system.open()
    browser = Firefox(system.folder, system.stand_in, extension=False)
    try:
        system.browser()
        for tab, url in (
            (browser.new_page(private=True), "https://chatgpt.com/"),
            (browser.new_page(), "https://claude.ai/"),
        ):
            visit(tab, url)
            look_at(tab).to_have_url(BLOCK_PAGE)
            look_at(tab.locator("#heading")).to_be_focused()
        until("the visit arrived", lambda: "claude" in [service for _seq, _kind, service in system.proven_events()])
        assert [service for _seq, kind, service in system.proven_events() if kind == "visit"] == ["claude"]
    finally:
        browser.close()


@contextmanager
def firefox(profile: Path) -> Iterator[None]:
    """Open Firefox with nothing of ours but the policy; nothing is asked of it."""
    command = ["firefox-esr", "--headless", "--no-remote", "--profile", str(profile)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


STORIES: dict[str, Callable[[System], None]] = {
    story.__name__: story
    for story in (
        from_the_server,
        from_files,
        private_windows,
        switched_off_by_a_flag,
        in_firefox,
        private_windows_of_firefox,
    )
}


def main(name: str, folder: str) -> None:
    """Tell one story. Raises what went wrong."""
    system = System(Path(folder))
    try:
        STORIES[name](system)
    finally:
        system.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
