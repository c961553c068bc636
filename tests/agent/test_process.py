"""The real programs: `abide-agent run`, killed and stopped, its native host, and its commands."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from abide_agent.config import Config
from abide_agent.enrolment import enrol
from abide_agent.health import Snapshot, ask_daemon
from abide_agent.identity import load_identity
from abide_rules.wire import EXTENSION_ID_FIREFOX
from tests.agent.extension import ORIGIN, Extension, frame, hello, observation, token
from tests.agent.repository import Repository
from tests.agent.standin import StandIn, standin
from tests.demo.programs import until

AGENT = (sys.executable, "-m", "abide_agent")
Process = asyncio.subprocess.Process


async def start(config: Config, *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *AGENT,
        *arguments,
        "--state",
        str(config.state),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"ABIDE_LANG": "en"},
    )


async def command(config: Config, *arguments: str, send: bytes = b"") -> tuple[int | None, dict[str, Any]]:
    """Run a command with --json and return its exit code and answer."""
    process = await start(config, *arguments, "--json")
    out, _ = await asyncio.wait_for(process.communicate(send), 30)
    answer: dict[str, Any] = json.loads(out) if out else {}
    return process.returncode, answer


@asynccontextmanager
async def daemon(config: Config) -> AsyncIterator[Process]:
    """Run the daemon as a process of its own until the block ends."""
    process = await start(config, "run", "--json")
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        assert json.loads(line)["ok"]
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        process.stdin.close()
        await process.communicate()


async def test_kill_9_loses_nothing_that_was_stored_and_sends_nothing_twice(
    config: Config, repository: Repository
) -> None:
    stored: list[str] = []
    async with standin(repository) as server:
        await enrol(config, token(server), again=False)
        for turn in range(6):
            async with daemon(config) as process:
                browser = await Extension.connect(config.socket)
                await browser.greet()
                for _ in range(20):
                    stored += await browser.observe(observation())
                unsure = [observation() for _ in range(30)]
                await browser.send({"type": "observed", "observations": unsure})
                if turn % 2:
                    stored += (await browser.receive("stored"))["ids"]
                process.send_signal(signal.SIGKILL)
                await process.wait()
                await browser.close()
            async with daemon(config) as process:
                browser = await Extension.connect(config.socket)
                await browser.greet()
                again = await browser.observe(*unsure)
                stored += [name for name in again if name not in stored]
                process.send_signal(signal.SIGKILL)
                await process.wait()
                await browser.close()
        async with daemon(config):
            await server.until(lambda: len(server.accepted) == len(stored))
    assert len(stored) == len(set(stored)) == 6 * 50
    assert [event.seq for event in server.accepted] == list(range(1, len(stored) + 1))


async def test_kill_9_after_the_spool_was_deleted_loses_nothing(config: Config, server: StandIn) -> None:
    stored: list[str] = []
    await enrol(config, token(server), again=False)
    for _ in range(3):
        async with daemon(config) as process:
            await asyncio.to_thread(until, "the guard watches", lambda: not ask(config).guard_problem)
            browser = await Extension.connect(config.socket)
            await browser.greet()
            stored += await browser.observe(*(observation() for _ in range(10)))
            for path in config.state.glob("spool.sqlite*"):
                path.unlink()
            stored += await browser.observe(*(observation() for _ in range(10)))
            await asyncio.to_thread(until, "the spool is rebuilt", lambda: "file:spool" in tampered(config))
            stored += await browser.observe(*(observation() for _ in range(10)))
            process.send_signal(signal.SIGKILL)
            await process.wait()
            await browser.close()
    async with daemon(config):
        await server.until(lambda: sum(e.kind == "visit" for e in server.accepted) == len(stored))
        await server.until(lambda: sum(e.kind == "tamper" for e in server.accepted) == 3)
    assert len(set(stored)) == 90
    assert [event.seq for event in server.accepted] == list(range(1, 94))


def tampered(config: Config) -> list[str]:
    return [tampering.what for tampering in ask(config).tampered]


def ask(config: Config) -> Snapshot:
    snapshot = ask_daemon(config.socket)
    assert isinstance(snapshot, Snapshot)
    return snapshot


async def test_sigterm_ends_in_order_within_two_seconds(config: Config, server: StandIn) -> None:
    await enrol(config, token(server), again=False)
    async with daemon(config) as process:
        browser = await Extension.connect(config.socket)
        await browser.greet()
        await browser.receive("plan")
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 5) == 0
        assert time.monotonic() - started < 2
        await browser.close()
    assert not config.socket.exists()


async def test_a_second_daemon_says_so_and_ends(config: Config, server: StandIn) -> None:
    await enrol(config, token(server), again=False)
    async with daemon(config):
        code, answer = await command(config, "run")
        assert (code, answer["ok"]) == (1, False)
        assert "runs already" in answer["error"]
        code, status = await command(config, "status")
        assert status["running"]
    async with daemon(config):
        pass


async def test_enrolment_by_command_then_status_and_doctor(config: Config, server: StandIn, tmp_path: Path) -> None:
    import base64

    import msgspec

    encoded = base64.urlsafe_b64encode(msgspec.json.encode(token(server))).rstrip(b"=")
    code, answer = await command(config, "status")
    assert (code, answer["ok"]) == (1, False)
    code, answer = await command(config, "enroll", "-", send=b"abide1." + encoded + b"\n")
    assert (code, answer["device"]) == (0, load_identity(config).device)
    code, answer = await command(config, "enroll", (b"abide1." + encoded).decode())
    assert (code, answer["ok"]) == (1, False)
    assert "--again" in answer["advice"]
    code, answer = await command(config, "enroll", "--again", (b"abide1." + encoded).decode())
    assert code == 0
    code, answer = await command(config, "status")
    assert (code, answer["running"]) == (1, False)
    async with daemon(config):
        browser = await Extension.connect(config.socket)
        await browser.greet(policy_version=1)
        await browser.receive("plan")
        await server.until(lambda: server.welcomed > 0)
        code, answer = await command(config, "status")
        assert (code, answer["policy_version"], answer["browsers"][0]["browser"]) == (0, 1, "chromium")
        code, answer = await command(config, "doctor")
        checks = {check["name"]: check["ok"] for check in answer["checks"]}
        assert code == 1
        assert {name for name, ok in checks.items() if not ok} == {"server", "native host"}
        assert [check["code"] for check in answer["checks"] if check["name"] == "server"] == ["sync/rejected"]
        await browser.close()


@pytest.mark.parametrize(
    "arguments", [("enroll",), ("enroll", "a", "--token-file", "b"), ("nonsense",), ("run", "--nonsense"), ()]
)
async def test_wrong_usage_exits_2(arguments: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(
        *AGENT, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 2


@pytest.mark.parametrize("name", ["enroll", "run", "status", "doctor", "tray", "native-host", "install", "uninstall"])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_command_explains_itself(name: str, language: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *AGENT,
        name,
        "--help",
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"ABIDE_LANG": language},
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert b"--json" in out


async def read_frame(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    (length,) = struct.unpack("=I", await asyncio.wait_for(process.stdout.readexactly(4), 20))
    message: dict[str, Any] = json.loads(await process.stdout.readexactly(length))
    return message


async def native_host(config: Config, *browser_arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *AGENT,
        "native-host",
        "--state",
        str(config.state),
        *browser_arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize(
    "browser_arguments",
    [(ORIGIN,), (ORIGIN, "--parent-window=0"), ("/usr/lib/mozilla/x.json", EXTENSION_ID_FIREFOX)],
    ids=["Chromium", "Chromium on Windows", "Firefox"],
)
async def test_the_native_host_relays_both_ways_and_ends_with_the_browser(
    browser_arguments: tuple[str, ...], config: Config, server: StandIn
) -> None:
    await enrol(config, token(server), again=False)
    async with daemon(config):
        host = await native_host(config, *browser_arguments)
        assert host.stdin is not None
        host.stdin.write(frame(hello()))
        assert (await read_frame(host))["type"] == "session"
        while (await read_frame(host))["type"] != "plan":
            pass
        host.stdin.write(frame({"type": "ping"}))
        while (await read_frame(host))["type"] != "pong":
            pass
        host.stdin.close()
        assert await asyncio.wait_for(host.wait(), 5) == 0
        await host.communicate()


async def test_the_native_host_ends_with_the_daemon(config: Config, server: StandIn) -> None:
    await enrol(config, token(server), again=False)
    async with daemon(config) as process:
        host = await native_host(config, ORIGIN)
        assert host.stdin is not None
        host.stdin.write(frame(hello()))
        await read_frame(host)
        process.kill()
        assert await asyncio.wait_for(host.wait(), 5) == 0
        await host.communicate()


async def test_the_native_host_says_that_nobody_is_there(config: Config) -> None:
    host = await native_host(config, ORIGIN)
    message = await read_frame(host)
    assert message["type"] == "unavailable"
    assert "does not run" in message["reason"]
    await host.communicate()
    assert host.returncode == 0
