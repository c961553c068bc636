"""Why is it not syncing, not blocking, not recording? One row per fault: what happens → which code, which next step."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pwd
import shutil
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_agent import platform, stream, transport
from abide_agent.app import Agent
from abide_agent.config import Config
from abide_agent.doctor import examine, problems_here
from abide_agent.enrolment import enrol
from abide_agent.health import NoAnswer, Snapshot, ask_daemon
from abide_agent.install import Installer
from abide_agent.platform.linux import linux
from abide_rules.i18n import LANGUAGES
from abide_rules.problems import BY_CODE, KINDS, QUESTIONS, Problem, advise, answers, in_order
from abide_rules.wire import MAX_PROBLEMS, Coverage
from tests.agent.extension import Extension, enrolled, observation, running, token
from tests.agent.repository import DAY, Repository
from tests.agent.standin import StandIn, standin
from tests.agent.test_transport import Authority


class Scene:
    """A daemon with a browser that enforces the newest policy, and the server that it talks to."""

    def __init__(self, agent: Agent, config: Config, server: StandIn, browser: Extension) -> None:
        self.agent, self.config, self.server, self.browser = agent, config, server, browser

    async def hang_up(self) -> None:
        for open_stream in tuple(self.server.streams):
            await open_stream.close()

    async def answer_all(self, answer: Callable[[], web.StreamResponse]) -> None:
        """From now on the server gives this answer to everything."""
        self.server.fault = lambda _request: answer()
        await self.hang_up()

    async def refresh(self) -> None:
        await self.server.nudge()

    async def codes_with(self, code: str) -> tuple[Problem, ...]:
        """Wait until the daemon names a problem and return all it names."""
        return (await until(self.agent, lambda now: code in codes(now))).problems

    async def is_well(self) -> None:
        await until(self.agent, lambda now: not now.problems)


def codes(now: Snapshot) -> list[str]:
    return [problem.code for problem in now.problems]


async def until(agent: Agent, condition: Callable[[Snapshot], object]) -> Snapshot:
    """Return the first snapshot for which ``condition`` holds."""
    async with asyncio.timeout(15):
        while True:
            now = await agent.snapshot()
            if condition(now):
                return now
            await asyncio.sleep(0.02)


@asynccontextmanager
async def scene(config: Config, server: StandIn) -> AsyncIterator[Scene]:
    async with enrolled(config, server) as agent:
        browser = await Extension.connect(config.socket)
        try:
            await browser.greet(policy_version=1)
            await browser.receive("plan")
            made = Scene(agent, config, server, browser)
            await made.is_well()
            yield made
        finally:
            await browser.close()


def problem(kind: str, status: int) -> Callable[[], web.Response]:
    body = json.dumps({"type": f"urn:abide:{kind}", "title": kind, "status": status}).encode()
    return lambda: web.Response(status=status, body=body, content_type="application/problem+json")


async def portal(scene: Scene) -> None:
    await scene.answer_all(lambda: web.Response(text="<html>Welcome to the hotel", content_type="text/html"))


async def redirect(scene: Scene) -> None:
    await scene.answer_all(lambda: web.Response(status=302, headers={"Location": "http://login.example/"}))


async def revoked(scene: Scene) -> None:
    await scene.answer_all(problem("revoked-device", 403))
    await scene.browser.observe(observation())


async def unknown(scene: Scene) -> None:
    await scene.answer_all(problem("unknown-device", 401))
    await scene.browser.observe(observation())


async def unauthorized(scene: Scene) -> None:
    await scene.answer_all(lambda: web.Response(status=401))


async def broken_server(scene: Scene) -> None:
    await scene.answer_all(lambda: web.Response(status=500))


async def rejected(scene: Scene) -> None:
    await scene.answer_all(lambda: web.Response(status=404))


async def truncated(scene: Scene) -> None:
    """Every file of the update repository is cut in half."""
    files = scene.server.repository.files
    scene.server.repository.publish(2)
    for path in files:
        files[path] = files[path][: len(files[path]) // 2]
    await scene.refresh()


async def rolled_back(scene: Scene) -> None:
    repository = scene.server.repository
    old = dict(repository.files)
    repository.publish(2)
    await scene.refresh()
    await until(scene.agent, lambda now: now.policy_version == 2)
    repository.files.clear()
    repository.files.update(old)
    await scene.refresh()


async def forged(scene: Scene) -> None:
    other = Repository()
    other.publish(9)
    other.write_timestamp()
    scene.server.repository.files["metadata/timestamp.json"] = other.metadata("timestamp")
    await scene.refresh()


async def expired(scene: Scene) -> None:
    scene.server.repository.lifetime = -DAY
    scene.server.repository.release()
    await scene.refresh()


async def forked(scene: Scene) -> None:
    await scene.browser.observe(observation())
    await scene.server.until(lambda: len(scene.server.accepted) == 1)
    scene.server.head = "f" * 64
    await scene.browser.observe(observation())


async def reordered(scene: Scene) -> None:
    """The server wants what was never recorded."""
    scene.server.next_seq = 99
    scene.server.fault = lambda request: (
        web.Response(
            status=409,
            body=json.dumps({"type": "urn:abide:gap", "title": "gap", "status": 409, "expected_seq": 99}),
            content_type="application/problem+json",
        )
        if request.path == "/v1/events"
        else None
    )
    await scene.browser.observe(observation())


async def forged_receipt(scene: Scene) -> None:
    scene.server.key = Ed25519PrivateKey.generate()
    await scene.browser.observe(observation())


async def no_browser(scene: Scene) -> None:
    await scene.browser.close()


async def older_version(scene: Scene) -> None:
    """The policy changes and the browser does not say that it obeys."""
    scene.server.repository.publish(2)
    await scene.refresh()


async def plan_refused(scene: Scene) -> None:
    await scene.browser.send({"type": "refused", "why": "key"})


async def manifest_missing(scene: Scene) -> None:
    layout = linux(scene.config.state.parent / "home", {}, systemd=Path("/nonexistent"))
    Installer(scene.config, layout).install(None, replace=False)
    next(scene.config.state.parent.joinpath("home").rglob("abide.agent.json")).unlink()


async def manifest_changed(scene: Scene) -> None:
    layout = linux(scene.config.state.parent / "home", {}, systemd=Path("/nonexistent"))
    Installer(scene.config, layout).install(None, replace=False)
    scene.config.wrapper.write_text("#!/bin/sh\n")


async def not_compiled(scene: Scene) -> None:
    from abide_agent import plans

    vars(plans)["MAX_FRAME_DOWN_BYTES"] = 1_000
    scene.server.repository.publish(2)
    await scene.refresh()


async def nothing_published(scene: Scene) -> None:
    scene.server.repository.contents["policy"].clear()
    scene.server.repository.release()
    await scene.refresh()


async def people_broken(scene: Scene) -> None:
    from abide_rules.people import Entry, People

    scene.server.repository.publish_people(People((Entry("p", ("x",)),)))
    files = scene.server.repository.files
    for path in [path for path in files if path.startswith("targets/people")]:
        del files[path]
    await scene.refresh()


async def clock_wrong(scene: Scene) -> None:
    """The laptop's clock is set an hour ahead while the agent runs."""
    real = platform.wall_ms
    platform.wall_ms = lambda: real() + 3_600_000


async def disk_full(scene: Scene) -> None:
    vars(platform)["disk_free_bytes"] = lambda _folder: 4_096


async def spool_broken(scene: Scene) -> None:
    def fail(*_: object) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    vars(scene.agent._spool)["append"] = fail
    await scene.browser.send({"type": "observed", "observations": [observation()]})


async def spool_full(scene: Scene) -> None:
    scene.server.fault = lambda request: web.Response(status=500) if request.path == "/v1/events" else None
    observations = [observation(host=f"{n}." + "x" * 200 + ".example") for n in range(900)]
    for start in range(0, 900, 300):
        await scene.browser.observe(*observations[start : start + 300])


Fault = Callable[[Scene], Awaitable[None]]
FAULTS: dict[str, tuple[Fault, str, str]] = {
    "the server answers 401 to everything": (unauthorized, "sync/unauthorized", "key is kept"),
    "the server answers 500 to everything": (broken_server, "sync/server-error", "goes on trying"),
    "the server answers 404 to everything": (rejected, "sync/rejected", "tell your administrator"),
    "the device was revoked": (revoked, "sync/revoked", "new --state"),
    "the server lost its devices": (unknown, "sync/unknown-device", "set up anew"),
    "a network's log-in page answers": (portal, "sync/portal", "log in to the network"),
    "a network's redirect answers": (redirect, "sync/portal", "log in to the network"),
    "responses are truncated": (truncated, "sync/nonsense", "goes on trying"),
    "the metadata is rolled back": (rolled_back, "sync/rolled-back", "old backup"),
    "the metadata is signed by others": (forged, "sync/forged", "stand between"),
    "the metadata has expired": (expired, "sync/expired", "computer's date"),
    "another agent sent other events under our numbers": (forked, "sync/fork", "enrol again"),
    "the server asks for events that never were": (reordered, "sync/gap", "backup"),
    "a receipt is signed by others": (forged_receipt, "sync/forged", "stand between"),
    "the policy is withdrawn": (nothing_published, "sync/no-release", "publish"),
    "the people file cannot be fetched": (people_broken, "sync/people", "administrator"),
    "no browser is connected": (no_browser, "block/no-browser", "Open a browser"),
    "a browser enforces an older version": (older_version, "block/older-version", "Restart that browser"),
    "the extension refused the plan": (plan_refused, "block/plan-refused", "device key"),
    "a manifest is missing": (manifest_missing, "block/manifest", "abide-agent install --replace"),
    "the native host's script was changed": (manifest_changed, "block/manifest", "abide-agent install --replace"),
    "the plan cannot be compiled": (not_compiled, "block/not-compiled", "administrator"),
    "the clock is wrong": (clock_wrong, "block/clock", "clock from the network"),
    "the disk is full": (disk_full, "record/disk-full", "Free disk space"),
    "the spool is full": (spool_full, "record/spool-full", "reach its server"),
    "the spool cannot be written": (spool_broken, "record/broken", "Check the disk"),
}


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back whatever a fault replaces."""
    from abide_agent import plans

    for owner, name in ((platform, "wall_ms"), (platform, "disk_free_bytes"), (plans, "MAX_FRAME_DOWN_BYTES")):
        monkeypatch.setattr(owner, name, getattr(owner, name))


@pytest.mark.parametrize("name", FAULTS)
async def test_every_fault_has_its_code_and_its_next_step(name: str, config: Config, server: StandIn) -> None:
    fault, code, step = FAULTS[name]
    if fault is spool_full:
        config = dataclasses.replace(config, spool_max_bytes=400_000, spool_reserve_bytes=100_000)
    async with scene(config, server) as here:
        await fault(here)
        found = await here.codes_with(code)
        assert step in advise(code, "en").step
        assert not all(not stops for stops in answers(found).values())
        named = next(problem for problem in found if problem.code == code)
        assert named.since_ms > 0


async def test_the_server_learns_of_problems_and_of_their_end(config: Config, server: StandIn) -> None:
    async with scene(config, server) as here:
        await plan_refused(here)
        await server.until(lambda: told(server) == ("block/plan-refused",))
        await here.browser.send({"type": "in_force", "policy_version": 1, "at": 5})
        await server.until(lambda: told(server) == ())


def told(server: StandIn) -> tuple[str, ...]:
    """What the last coverage says is wrong."""
    messages: list[object] = list(server.messages._queue)  # type: ignore[attr-defined]
    return next((m.problems for m in reversed(messages) if isinstance(m, Coverage)), ("none yet",))


async def test_the_popup_gets_both_languages_and_an_empty_list_when_it_is_over(config: Config, server: StandIn) -> None:
    async with scene(config, server) as here:
        await broken_server(here)
        async with asyncio.timeout(15):
            while not (shown := (await here.browser.receive("status"))["problems"]):
                pass
        assert shown[0]["code"].startswith("sync/")
        assert set(shown[0]["what"]) == set(shown[0]["step"]) == set(LANGUAGES)
        server.fault = None
        async with asyncio.timeout(15):
            while (await here.browser.receive("status"))["problems"]:
                pass


FAILURES_IN_AN_HOUR = 3_600 / Config(Path()).backoff_most_s * 2
"""At the longest pause between two tries, shortened by the most that chance can."""


@pytest.mark.parametrize(
    ("break_it", "code"),
    [(broken_server, "sync/server-error"), (unauthorized, "sync/unauthorized")],
    ids=["500", "401"],
)
async def test_as_many_failures_as_an_hour_has_are_one_problem_and_lose_nothing(
    break_it: Fault, code: str, config: Config, server: StandIn
) -> None:
    def named(now: Snapshot) -> list[Problem]:
        return [problem for problem in now.problems if problem.code == code]

    async with scene(config, server) as here:
        seen = [observation() for _ in range(3)]
        await break_it(here)
        [first] = named(await until(here.agent, named))
        assert await here.browser.observe(*seen) == [one["id"] for one in seen]
        now = await until(here.agent, lambda now: [p for p in named(now) if p.times >= FAILURES_IN_AN_HOUR])
        [again] = named(now)
        assert 0 < again.since_ms <= first.since_ms
        assert again.retry_ms > 0
        assert (now.policy_version, now.spooled) == (1, 3)
        server.fault = None
        await here.is_well()
        await server.until(lambda: len(server.accepted) == 3)
        assert [event.seq for event in server.accepted] == [1, 2, 3]


WAYS: dict[str, tuple[str, str]] = {
    "nobody listens": ("http://127.0.0.1:{closed}", "sync/refused"),
    "its name does not exist": ("https://abide.invalid", "sync/dns"),
    "it takes connections and says nothing": ("http://127.0.0.1:{silent}", "sync/timeout"),
    "it speaks another protocol": ("http://127.0.0.1:{garbage}", "sync/nonsense"),
    "it has another authority's certificate": ("{tls}", "sync/tls"),
}


@pytest.mark.parametrize("name", WAYS)
async def test_a_server_that_cannot_be_reached_is_told_apart(
    name: str, config: Config, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "READ_TIMEOUT_S", 0.3)
    monkeypatch.setattr(stream, "HANDSHAKE_TIMEOUT_S", 0.3)
    address, code = WAYS[name]
    async with standin(repository) as server:
        await enrol(config, token(server), again=False)
    async with contextlib.AsyncExitStack() as stack:
        places = {what: await stack.enter_async_context(open_(what)) for what in ("closed", "silent", "garbage")}
        other = await stack.enter_async_context(standin(repository, Authority(tmp_path / "ca").server))
        identity = json.loads(config.identity.read_text())
        config.identity.write_text(json.dumps(identity | {"server": address.format(**places, tls=other.url)}))
        async with running(config) as agent:
            now = await until(agent, lambda now: code in codes(now))
            checks = await asyncio.to_thread(examine, config, now)  # A second opinion, from outside the daemon.
        assert code in [check.code for check in checks if check.name == "server"]


@asynccontextmanager
async def open_(what: str) -> AsyncIterator[int]:
    """Yield a port that is ``closed``, or takes connections and is ``silent``, or says ``garbage``."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if what == "garbage":
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    if what == "closed":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            yield int(probe.getsockname()[1])
            return
    listener = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


def unenrolled(_: Config) -> None:
    return


def damaged_identity(config: Config) -> None:
    config.identity.write_bytes(config.identity.read_bytes()[:50])


def readable_key(config: Config) -> None:
    config.key.chmod(0o644)


def not_running(config: Config) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(config.socket))


WITHOUT: dict[str, tuple[Callable[[Config], None], bool, str, str]] = {
    "the device is not enrolled": (unenrolled, False, "agent/not-enrolled", "abide-agent enroll TOKEN"),
    "the identity file is cut off": (damaged_identity, True, "agent/identity-damaged", "backup"),
    "others can read the key": (readable_key, True, "agent/identity-damaged", "backup"),
    "the agent was killed with -9": (not_running, True, "agent/not-running", "abide-agent run"),
    "the agent was never started": (unenrolled, True, "agent/not-running", "abide-agent run"),
}


@pytest.mark.parametrize("name", WITHOUT)
async def test_without_a_daemon_all_three_answers_are_no(name: str, config: Config, server: StandIn) -> None:
    fault, is_enrolled, code, step = WITHOUT[name]
    if is_enrolled:
        await enrol(config, token(server), again=False)
    fault(config)
    answer = ask_daemon(config.socket)
    found = problems_here(config, answer)
    assert [p.code for p in found] == [code]
    assert step in advise(code, "en").step
    assert all(answers(found)[question] for question in QUESTIONS)
    checks = await asyncio.to_thread(examine, config, answer)
    assert not next(check for check in checks if check.name == "agent runs").ok


async def test_a_daemon_that_does_not_answer_is_told_from_one_that_is_not_there(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abide_agent.health.TIMEOUT_S", 0.2)
    config.state.mkdir()
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(config.socket))
        deaf.listen()
        answer = await asyncio.to_thread(ask_daemon, config.socket)
    assert isinstance(answer, NoAnswer)
    assert answer.code == "agent/hangs"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it asks as another account")
async def test_another_account_is_told_that_the_agent_is_not_its_own(config: Config, server: StandIn) -> None:
    async with scene(config, server):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setuid(pwd.getpwnam("nobody").pw_uid)
                [found] = problems_here(config, ask_daemon(config.socket))
                os.write(write, found.code.encode())
            finally:
                os._exit(0)
        await asyncio.to_thread(os.waitpid, child, 0)
        assert os.read(read, 100) == b"agent/not-yours"
        os.close(read)
        os.close(write)


async def test_a_damaged_policy_without_a_server_says_both(config: Config, repository: Repository) -> None:
    async with standin(repository) as server, scene(config, server):
        pass
    config.policy.write_bytes(config.policy.read_bytes()[:900])
    shutil.rmtree(config.tuf)
    async with running(config) as agent:
        now = await until(agent, lambda now: "sync/refused" in codes(now))
    assert codes(now)[:2] == ["block/no-policy", "block/policy-damaged"]


async def test_a_policy_that_nobody_confirmed_for_a_day_is_stale(config: Config, repository: Repository) -> None:
    async with standin(repository) as server, scene(config, server):
        pass
    async with running(dataclasses.replace(config, stale_after_s=0)) as agent:
        assert "sync/stale" in [p.code for p in (await agent.snapshot()).problems]


def test_texts_exist_in_both_languages_and_say_something_else_to_the_administrator() -> None:
    assert len(BY_CODE) == len(KINDS) >= 40
    for kind in KINDS:
        en, zh, admin = advise(kind.code, "en"), advise(kind.code, "zh"), advise(kind.code, "en", admin=True)
        assert en.what != zh.what
        assert en.step != zh.step
        assert admin.what == en.what
        assert not kind.admin or admin.step == kind.admin
        assert "{" not in en.what + en.step
        assert kind.stops or kind.code in ("record/disk-low", "block/unguarded")
    assert len(KINDS) > MAX_PROBLEMS


def test_an_unknown_code_of_a_newer_agent_is_shown_as_such() -> None:
    assert "block/new-thing" in advise("block/new-thing", "en").what
    assert advise("block/new-thing", "zh").step


def test_problems_are_ordered_by_urgency_and_each_is_named_once() -> None:
    found = in_order([Problem("sync/dns", 5), Problem("sync/dns", 3), Problem("block/no-policy"), Problem("nonsense")])
    assert [(p.code, p.since_ms) for p in found] == [("block/no-policy", 0), ("sync/dns", 3)]
