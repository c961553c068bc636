"""The tamper guard in a running agent: every change is undone within a second and recorded, rightful ones are not."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import os
import shutil
import stat
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from abide_agent.app import Agent
from abide_agent.config import Config
from abide_agent.enrolment import enrol
from abide_agent.guarded import describe, names
from abide_agent.health import announced
from abide_agent.install import Installer
from abide_agent.integrity import FIGHT_INTERVAL_S, MOST_REPORT_INTERVAL_S, REPORT_INTERVAL_S, Fight
from abide_agent.platform.base import Layout
from abide_agent.platform.linux import linux
from tests.agent.extension import Extension, enrolled, observation, running, token
from tests.agent.standin import StandIn

RESTORED_WITHIN_S = 1.0
PATIENCE_S = 10.0  # a disk that stalls once makes one restoration slow
Change = Callable[[Path], object]


async def until(condition: Callable[[], bool], within_s: float = PATIENCE_S) -> float:
    """Wait for a condition and return how long it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within_s, "it did not happen in time"
        await asyncio.sleep(0.001)
    return time.monotonic() - started


def is_last(server: StandIn, what: str) -> bool:
    return tamperings(server)[-1:] == [f"file:{what}"]


def tamperings(server: StandIn) -> list[str]:
    return [e.evidence[0].detector for e in server.accepted if e.kind == "tamper"]


def link(path: Path) -> None:
    aim = path.with_name("elsewhere")
    aim.write_bytes(b"theirs")
    path.unlink()
    path.symlink_to(aim)


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"theirs")
    other.replace(path)


def fold(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").touch()


CHANGES: dict[str, Change] = {
    "rewritten in place": lambda path: path.write_bytes(b"theirs"),
    "one byte appended": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "truncated": lambda path: os.truncate(path, 0),
    "deleted": lambda path: path.unlink(),
    "replaced by another file": replace,
    "replaced by a link": link,
    "replaced by a folder": fold,
    "made readable for others": lambda path: path.chmod(0o644 if path.stat().st_mode & 0o077 == 0 else 0o666),
    "made unreadable": lambda path: path.chmod(0),
}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return linux(tmp_path / "home", {}, systemd=Path("/nonexistent"))


def guarded(config: Config, layout: Layout) -> dict[str, Path]:
    return {
        "device-key": config.key,
        "identity": config.identity,
        "policy": config.policy,
        "clock": config.clock,
        "record": config.installed,
        "native-host": config.wrapper,
        "manifest": layout.browsers[0].manifests / "abide.agent.json",
        "service": layout.service.path,
    }


async def settled(agent: Agent, server: StandIn, config: Config) -> None:
    """The agent watches, and writes nothing of its own accord any more."""
    await server.until(lambda: server.welcomed > 0)
    releases = agent.releases
    await until(lambda: agent._stream.connected and config.clock.exists() and not agent._guard.problem)
    await until(lambda: releases.version > 0 and not releases._wanted.is_set() and not releases._refreshing.locked())


def is_as_kept(agent: Agent, path: Path, mode: int) -> bool:
    """Whether a plain file with what the daemon knows of it stands there (its own files it may write anew meanwhile)."""
    try:
        found = path.lstat().st_mode
        is_plain = stat.S_ISREG(found) and stat.S_IMODE(found) == mode
        return is_plain and path.read_bytes() == agent._guard._vault.data(path)
    except OSError:
        return False


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_every_guarded_file_is_restored_within_a_second_and_recorded(
    change: Change, config: Config, server: StandIn, layout: Layout
) -> None:
    Installer(config, layout).install(None, replace=False)
    took_s: list[float] = []
    async with enrolled(config, server) as agent:
        await settled(agent, server, config)
        for what, path in guarded(config, layout).items():
            mode = stat.S_IMODE(path.stat().st_mode)
            change(path)
            took_s.append(await until(functools.partial(is_as_kept, agent, path, mode)))
            await server.until(functools.partial(is_last, server, what))
        snapshot = await agent.snapshot()
    assert statistics.median(took_s) < RESTORED_WITHIN_S
    assert tamperings(server) == [f"file:{what}" for what in guarded(config, layout)]
    assert snapshot.tampered[0].what == "file:service"
    assert {t.count for t in snapshot.tampered} == {1}
    assert snapshot.guard_problem == ""
    for event in server.accepted:
        assert (event.person, event.surface, event.evidence[0].count) == ("", "desktop", 1)
        assert str(config.state) not in json.dumps(str(event))


async def test_a_deleted_folder_comes_back_with_everything_in_it(
    config: Config, server: StandIn, layout: Layout
) -> None:
    Installer(config, layout).install(None, replace=False)
    async with enrolled(config, server) as agent:
        await settled(agent, server, config)
        own = {config.policy, config.clock}  # these the agent may write anew meanwhile
        files = {path: path.read_bytes() for path in guarded(config, layout).values() if path not in own}
        browser = await Extension.connect(config.socket)
        await browser.greet()
        seen = [observation(), observation()]
        await browser.observe(seen[0])
        config.state.rename(config.state.with_name("away"))
        await until(config.key.exists)
        for folder in (config.state, layout.browsers[0].manifests):
            shutil.rmtree(folder, ignore_errors=True)  # what is restored meanwhile stays
            await until(lambda: all(path.exists() and path.read_bytes() == data for path, data in files.items()))
        await until(lambda: config.policy.exists() and config.socket.exists() and is_open_spool(agent, config))
        assert stat.S_IMODE(config.state.stat().st_mode) == 0o700
        assert await browser.observe(seen[1]) == [seen[1]["id"]]
        again = await Extension.connect(config.socket)
        await again.greet()
        assert (await again.receive("session"))["type"] == "session"
        path = guarded(config, layout)["manifest"]
        await settled(agent, server, config)
        path.unlink()
        await until(path.exists)
        await browser.close()
        await again.close()
    assert [e.host for e in server.accepted if e.kind == "visit"] == ["chatgpt.com"] * 2
    assert {"file:state", "file:device-key", "file:spool", "file:socket", "file:manifest"} <= set(tamperings(server))


async def test_what_a_command_of_ours_changes_is_taken_over_and_not_tampering(
    config: Config, server: StandIn, layout: Layout
) -> None:
    def install(browser: Path | None = None) -> None:
        with announced(config.socket):
            Installer(config, layout).install(browser, replace=True)

    def uninstall() -> None:
        with announced(config.socket):
            Installer(config, layout).uninstall(None)

    def enrol_again() -> None:
        with announced(config.socket):
            asyncio.run(enrol(config, token(server, group="other"), again=True))

    manifest, identity = guarded(config, layout)["manifest"], config.identity
    async with enrolled(config, server) as agent:
        await settled(agent, server, config)
        await asyncio.to_thread(install)
        await asyncio.to_thread(enrol_again)
        written = identity.read_bytes()
        manifest.unlink()
        identity.unlink()
        await until(lambda: manifest.exists() and identity.exists())
        assert b'"other"' in written
        assert identity.read_bytes() == written
        await asyncio.to_thread(uninstall)
        await server.until(lambda: len(tamperings(server)) == 2)
        assert not manifest.exists()
        assert not config.installed.exists()
    assert not manifest.exists()
    assert set(tamperings(server)) == {"file:manifest", "file:identity"}


def wipe(spool: Path) -> None:
    for path in spool.parent.glob("spool.sqlite*"):
        path.unlink()


LOSSES: dict[str, Change] = {
    "the file is deleted": lambda spool: spool.unlink(),
    "with everything beside it": wipe,
    "it is replaced": replace,
    "it is replaced by a link": link,
    "it is moved away": lambda spool: spool.rename(spool.with_name("away")),
    "its write-ahead log is deleted": lambda spool: spool.with_name("spool.sqlite-wal").unlink(),
    "others may read it": lambda spool: spool.chmod(0o644),
}


def is_open_spool(agent: Agent, config: Config) -> bool:
    """Whether the spool's name leads to what the daemon has open, for its owner only."""
    return not any(thing.is_lost() for thing in agent._guard._opened) and config.spool.lstat().st_mode & 0o077 == 0


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES.keys())
async def test_a_lost_spool_is_rebuilt_with_every_event(lose: Change, config: Config, server: StandIn) -> None:
    async with enrolled(config, server) as agent:
        await settled(agent, server, config)
        browser = await Extension.connect(config.socket)
        await browser.greet()
        server.fault = lambda request: _unavailable() if request.path == "/v1/events" else None
        for turn in range(3):
            seen = [observation(host=f"{turn}-{n}.example") for n in range(5)]
            await browser.observe(*seen)
            lose(config.spool)
            await browser.observe(*seen)
            await until(lambda: is_open_spool(agent, config))
        await browser.close()
    async with running(config):
        server.fault = None
        await server.until(lambda: sum(e.kind == "visit" for e in server.accepted) == 15)
        await server.until(lambda: "file:spool" in tamperings(server))
    assert sorted(e.host for e in server.accepted if e.kind == "visit") == sorted(
        f"{turn}-{n}.example" for turn in range(3) for n in range(5)
    )
    assert [e.seq for e in server.accepted] == list(range(1, len(server.accepted) + 1))


async def test_without_watching_the_comparison_goes_on_and_status_says_so(
    config: Config, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchdog.observers.inotify_c import InotifyFD

    def refuse(*_arguments: object) -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(InotifyFD, "add_callback", refuse)
    async with enrolled(dataclasses.replace(config, settle_s=0), server) as agent:
        await until(lambda: config.policy.exists() and agent._guard.problem != "", 20)
        said = await agent.snapshot()
        assert said.guard_problem in [p.detail for p in said.problems if p.code == "block/unguarded"]
        config.policy.unlink()
        await until(config.policy.exists, 20)


async def test_the_daemon_s_own_writes_are_not_tampering(config: Config, server: StandIn) -> None:
    async with enrolled(config, server) as agent:
        await settled(agent, server, config)
        for version in range(2, 8):
            server.repository.publish(version)
            await server.nudge()
            await until(functools.partial(lambda held: agent.releases.version == held, version), 20)
        assert (await agent.snapshot()).tampered == ()
    assert tamperings(server) == []


def test_a_fight_is_slowed_down_and_summed_up() -> None:
    fight, now, done, reports = Fight(), 1000.0, 0, []
    while now < 1000 + 3600:
        if fight.next_s(now) <= now:
            fight.restored(now)
            done += 1
        if count := fight.report(now):
            reports.append(count)
        now += 0.5
    reports.append(fight.drain())
    assert done <= 5 + 3600 / FIGHT_INTERVAL_S + 60
    assert sum(reports) == done
    assert reports[0] == 1
    assert len(reports) <= 2 + (MOST_REPORT_INTERVAL_S / REPORT_INTERVAL_S) ** 0.5
    later = now + 3600
    fight.restored(later)
    assert fight.report(later) == 1


def _unavailable() -> web.Response:
    return web.Response(status=503)


def test_every_name_in_an_event_has_a_text_for_people(config: Config) -> None:
    for what in (*names(config).values(), "native-host", "manifest", "service", "spool", "socket", "lock", "state"):
        assert describe(f"file:{what}") != f"file:{what}"
