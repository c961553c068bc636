"""One daemon for every account of a laptop: each gets its own plan, and sees its own records only."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import os
import pwd
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from abide_agent.config import Config
from abide_rules.people import Entry, People
from tests.agent.extension import Extension, enrolled, observation, quick
from tests.agent.repository import Repository
from tests.agent.standin import StandIn

PEOPLE = People((Entry("p-1", ("nobody",), ("sales",)), Entry("p-2", ("daemon",))))

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it connects as other accounts")


@pytest.fixture
def config(state: Path) -> Iterator[Config]:
    with tempfile.TemporaryDirectory(prefix="abide-run-") as runtime:
        Path(runtime).chmod(0o755)
        yield dataclasses.replace(quick(state), system=True, runtime=Path(runtime))


def connected_as(account: str, path: Path) -> socket.socket:
    """Connect as ``account`` would: a child that is this account connects and hands the connection back."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    child = os.fork()
    if child == 0:
        try:
            os.setuid(pwd.getpwnam(account).pw_uid)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                socket.send_fds(theirs, [b"."], [connection.fileno()])
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    with ours, theirs:
        _, [handle], _, _ = socket.recv_fds(ours, 1, 1)
    return socket.socket(fileno=handle)


@asynccontextmanager
async def browser_of(account: str, config: Config) -> AsyncIterator[Extension]:
    browser = Extension(*await asyncio.open_unix_connection(sock=connected_as(account, config.socket), limit=2**22))
    await browser.greet()
    yield browser
    await browser.close()


async def person_of(browser: Extension) -> str:
    plan: dict[str, Any] = await browser.receive("plan")
    person: str = json.loads(base64.b64decode(plan["envelope"]["payload"]))["person"]
    return person


async def hosts_shown_to(browser: Extension) -> list[str]:
    await browser.send({"type": "records", "limit": 50})
    return [event["host"] for event in (await browser.receive("records"))["events"]]


async def test_each_account_gets_its_own_plan(config: Config, server: StandIn, repository: Repository) -> None:
    repository.publish_people(PEOPLE)
    async with (
        enrolled(config, server),
        browser_of("nobody", config) as first,
        browser_of("daemon", config) as second,
        browser_of("root", config) as third,
    ):
        assert [await person_of(browser) for browser in (first, second, third)] == ["p-1", "p-2", ""]
        repository.publish(2, "balanced")
        await server.nudge()
        assert [await person_of(browser) for browser in (first, second, third)] == ["p-1", "p-2", ""]


async def test_each_account_sees_only_what_is_recorded_about_it(
    config: Config, server: StandIn, repository: Repository
) -> None:
    repository.publish_people(PEOPLE)
    async with (
        enrolled(config, server) as agent,
        browser_of("nobody", config) as first,
        browser_of("daemon", config) as second,
    ):
        for browser, host in ((first, "chatgpt.com"), (second, "claude.ai")):
            await browser.receive("plan")
            await browser.observe(observation(host=host), observation(host="x.com", verdict="count", count=True))
        assert await hosts_shown_to(first) == ["chatgpt.com"]
        assert await hosts_shown_to(second) == ["claude.ai"]
        await server.until(lambda: len(server.accepted) == 4)
        persons = {(event.host, event.person) for event in server.accepted}
        assert persons == {("chatgpt.com", "p-1"), ("claude.ai", "p-2"), ("", "")}
        assert [len((await agent.snapshot(account)).browsers) for account in ("nobody", "daemon", "root")] == [1, 1, 2]


async def test_the_socket_is_open_and_the_state_is_not(config: Config, server: StandIn) -> None:
    async with enrolled(config, server):
        assert stat.S_IMODE(config.socket.stat().st_mode) == 0o666
        assert stat.S_IMODE(config.state.stat().st_mode) == 0o700


async def test_a_laptop_that_is_not_shared_serves_its_owner_only(config: Config, server: StandIn) -> None:
    own = dataclasses.replace(config, system=False)
    async with enrolled(own, server):
        own.socket.chmod(0o666)
        for folder in (own.state, own.state.parent):
            folder.chmod(0o711)
        async with browser_of("nobody", own) as stranger:
            assert await stranger.ended()
