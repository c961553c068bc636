"""kill -9 at every step towards the disk or the network: of a batch, an update, an enrolment, a publication."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abide_agent.config import Config
from abide_agent.enrolment import enrol, parse_token
from abide_agent.identity import is_enrolled, load_device
from abide_rules.policy import decode_release
from abide_server.config import DataDir
from tests.demo.programs import Program, tool_json, until
from tests.faults.browser import GoneError
from tests.faults.client import newest_release
from tests.faults.house import FaultyHouse, answers
from tests.faults.steps import Step, Traced, chosen, needs_strace
from tests.server.house import run

pytestmark = needs_strace

AGENT_STEPS, SERVER_STEPS, COMMAND_STEPS = 24, 14, 14


@pytest.fixture
def house(tmp_path: Path) -> Iterator[FaultyHouse]:
    house = FaultyHouse(tmp_path / "h")
    house.enrol()
    yield house
    house.close()


def record_and_send(house: FaultyHouse) -> None:
    """Observe, be stored, be sent, be marked."""
    house.browser.observe(5)
    house.browser.deliver()
    until("sent, or the agent ended", lambda: house.waiting() in (0, None))


def update(house: FaultyHouse) -> None:
    """Nudge, metadata, target, held file, plan."""
    house.publish()
    house.browser.wait_for_version(house.published)


AGENT_WORK: dict[str, Callable[[FaultyHouse], None]] = {
    "the agent is killed at every step of a batch": record_and_send,
    "the agent is killed at every step of an update": update,
}


def survives(house: FaultyHouse, agent: Program, work: Callable[[FaultyHouse], None]) -> bool:
    """Start an agent and let it work; whether it lived to the end of it."""
    if not house.meet(agent):
        return False
    try:
        work(house)
    except GoneError:
        return False
    return house.waiting() is not None


@pytest.mark.parametrize("name", AGENT_WORK)
def test_a_killed_agent_goes_on_where_it_was(name: str, house: FaultyHouse) -> None:
    work = AGENT_WORK[name]
    assert house.meet()
    house.browser.wait_for_version(1)
    record_and_send(house)
    house.agent.stop()
    watched = house.traced(house.agent)
    assert survives(house, watched, work)
    watched.stop()
    killed = 0
    for step in (steps := chosen(watched.steps(), AGENT_STEPS)):
        agent = house.traced(house.agent, step)
        killed += not survives(house, agent, work)
        agent.stop()
    assert house.meet()
    told(name, killed, steps, watched, house.prove())
    assert house.leftovers() == []


def test_a_killed_server_keeps_what_it_confirmed(house: FaultyHouse) -> None:
    """The server is killed at every step of taking in a batch."""
    assert house.meet()
    house.browser.wait_for_version(1)

    def survives(server: Traced) -> bool:
        server.start()
        until("the server is ready, or ended", lambda: answers(f"{house.url}/readyz") or not server.runs)
        house.browser.observe(5)
        house.browser.deliver()
        until("sent, or the server ended", lambda: house.waiting() == 0 or not server.runs, 60)
        return server.runs

    house.server.stop()
    watched = house.traced(house.server)
    assert survives(watched)
    watched.stop()
    killed = 0
    for step in (steps := chosen(watched.steps(), SERVER_STEPS)):
        server = house.traced(house.server, step)
        killed += not survives(server)
        server.stop()
    house.start_server()
    told("the server is killed at every step of a batch", killed, steps, watched, house.prove())


def test_a_killed_publication_leaves_a_whole_repository(house: FaultyHouse, tmp_path: Path) -> None:
    """A publication is killed at every step; a TUF client that remembers refreshes after each."""
    assert house.meet()
    publish = Program("abide-server", "publish", house.policy, "--data", house.data, log=house.server.log)
    watched = house.traced(publish)
    watched.run()
    before, killed = 2, 0
    for step in (steps := chosen(watched.steps(), COMMAND_STEPS)):
        house.traced(publish, step).run()
        version = decode_release(newest_release(house.data / "tuf", tmp_path / "client")).version
        killed += version == before
        assert before <= version <= before + len(steps)
        before = version
    house.publish()
    assert house.published > before
    told("a publication is killed at every step", killed, steps, watched, house.prove())
    listed = tool_json("abide-server", "status", "--data", house.data)
    assert before in {release["version"] for release in listed["releases"]}


def test_a_killed_enrolment_is_done_again_with_the_same_token(tmp_path: Path) -> None:
    """An enrolment is killed at every step; the same token completes it, as the same device."""
    house = FaultyHouse(tmp_path / "h")
    house.start_server()
    token = tool_json("abide-server", "token", "--data", house.data, "--uses", "99")["token"]

    def enroll(state: Path) -> Program:
        return Program("abide-agent", "enroll", token, "--state", state, log=house.agent.log)

    watched = house.traced(enroll(tmp_path / "0"))
    watched.run()
    killed = 0
    for number, step in enumerate(steps := chosen(watched.steps(), COMMAND_STEPS)):
        state = tmp_path / str(number + 1)
        house.traced(enroll(state), step).run()
        config = Config(state)
        if not is_enrolled(config):
            killed += 1
            asyncio.run(enrol(config, parse_token(token), again=False))
        load_device(config)
    told("an enrolment is killed at every step", killed, steps, watched, 0)
    house.close()


def test_a_killed_set_up_is_whole_or_says_what_to_do(tmp_path: Path) -> None:
    """A server's set-up is killed at every step: it is whole, or it is told, and a new one succeeds."""
    house = FaultyHouse(tmp_path / "h")

    def init(data: Path) -> Program:
        return Program("abide-server", "init", "--data", data, "--tls-host", "localhost", log=house.server.log)

    watched = house.traced(init(tmp_path / "0"))
    watched.run()
    killed = 0
    for number, step in enumerate(steps := chosen(watched.steps(), COMMAND_STEPS)):
        data = tmp_path / str(number + 1)
        house.traced(init(data), step).run()
        if not DataDir(data).settings.exists():
            killed += 1
            again = run("init", "--data", str(data), "--tls-host", "localhost")
            if again.returncode:
                assert "delete the directory" in again.stderr
                shutil.rmtree(data)
                assert run("init", "--data", str(data), "--tls-host", "localhost").returncode == 0
        done = run("publish", str(house.policy), "--data", str(data), "--json")
        assert done.returncode == 0, done.stderr
    told("a server's set-up is killed at every step", killed, steps, watched, 0)
    house.close()


def told(name: str, killed: int, steps: list[Step], watched: Traced, events: int) -> None:
    """Print what was tried; a kill that never hits proves nothing."""
    print(f"{name}: {killed} of {len(steps)} steps hit, of {len(watched.steps())}; {events} events proved themselves")
    assert killed >= len(steps) / 3
