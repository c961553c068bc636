"""Full disks: of the laptop and of the server, while recording, at a receipt, at an update, at a start."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abide_agent.config import Config
from abide_agent.enrolment import enrol, parse_token
from abide_agent.health import Snapshot, ask_daemon
from abide_rules.policy import decode_release
from tests.demo.programs import Program, tool_json, until
from tests.faults.browser import Browser, GoneError
from tests.faults.client import newest_release
from tests.faults.disk import Disk, needs_root, small_disk
from tests.faults.house import FaultyHouse, answers

pytestmark = needs_root

LAPTOP_BYTES = 3 * 1024 * 1024


class SmallLaptop(FaultyHouse):
    """A house whose agent's state lies on a small disk."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        super().__init__(folder)
        self.disk = disk
        self.state = disk.path / "state"
        self.browser = Browser(self.state / "agent.sock")
        log = folder / "logs" / "agent.log"
        self.agent = disk.run_inside(Program("abide-agent", "run", "--state", disk.inside / "state", log=log))

    def enrol(self) -> None:
        """Start the server and enrol this device."""
        self.start_server()
        token = tool_json("abide-server", "token", "--data", self.data)["token"]
        asyncio.run(enrol(Config(self.state), parse_token(token), again=False))


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLaptop]:
    folder = tmp_path_factory.mktemp("small")
    with small_disk(folder / "disk", LAPTOP_BYTES) as disk:
        laptop = SmallLaptop(folder / "h", disk)
        laptop.enrol()
        assert laptop.meet()
        laptop.browser.wait_for_version(1)
        yield laptop
        laptop.close()


def recording(laptop: SmallLaptop) -> None:
    laptop.disk.fill()
    for _turn in range(20):
        laptop.browser.observe(100)
        try:
            laptop.browser.deliver()
        except GoneError:
            laptop.browser.meet()
        laptop.disk.fill()


def receipt(laptop: SmallLaptop) -> None:
    laptop.server.kill()
    laptop.browser.observe(300)
    laptop.browser.deliver()
    laptop.disk.fill()
    laptop.start_server()
    until("everything is marked, on a full disk", lambda: laptop.waiting() == 0, 60)


def nothing_left(laptop: SmallLaptop) -> None:
    laptop.server.kill()
    laptop.browser.observe(300)
    laptop.browser.deliver()
    laptop.disk.fill()
    (laptop.state / "spool.sqlite.reserve").unlink(missing_ok=True)
    laptop.disk.fill()
    laptop.start_server()
    until("the agent met the server again", lambda: laptop.status()["connected"])
    assert laptop.agent.runs


def updating(laptop: SmallLaptop) -> None:
    laptop.disk.fill()
    laptop.publish()
    laptop.browser.wait_for_version(laptop.published)


def starting(laptop: SmallLaptop) -> None:
    laptop.agent.kill()
    laptop.disk.fill()
    assert laptop.meet()


def starting_after_a_shutdown(laptop: SmallLaptop) -> None:
    laptop.agent.stop()
    laptop.disk.fill()
    assert laptop.meet()


def starting_with_nothing_left(laptop: SmallLaptop) -> None:
    laptop.agent.kill()
    (laptop.state / "spool.sqlite.reserve").unlink(missing_ok=True)
    laptop.disk.fill()
    assert laptop.meet()


LAPTOP_FAULTS: dict[str, Callable[[SmallLaptop], None]] = {
    "the laptop's disk is full while visits are recorded": recording,
    "the laptop's disk is full when a receipt comes": receipt,
    "the laptop's disk is full when a receipt comes, and the reserve is gone": nothing_left,
    "the laptop's disk is full at an update": updating,
    "the laptop's disk is full when the agent starts": starting,
    "the laptop's disk is full when the agent starts after a shutdown": starting_after_a_shutdown,
    "the laptop's disk is full when the agent starts, and the reserve is gone": starting_with_nothing_left,
}


def test_without_a_free_byte_the_agent_says_what_to_do(laptop: SmallLaptop) -> None:
    """The laptop's disk is full to the last byte when the agent starts after a shutdown."""
    laptop.agent.stop()
    (laptop.state / "spool.sqlite.reserve").unlink(missing_ok=True)
    laptop.disk.fill()
    before = laptop.agent.log.stat().st_size
    assert not laptop.meet()
    said = laptop.agent.log.read_text("utf-8")[before:]
    assert "Free disk space" in said
    assert "Traceback" not in said
    laptop.disk.free()
    assert laptop.meet()
    laptop.prove()


@pytest.mark.parametrize("name", LAPTOP_FAULTS)
def test_a_full_laptop(name: str, laptop: SmallLaptop) -> None:
    LAPTOP_FAULTS[name](laptop)
    laptop.browser.meet()
    laptop.disk.free()
    laptop.prove()
    assert laptop.agent.runs
    assert "Traceback" not in laptop.agent.log.read_text("utf-8")
    until("the reserve is back", (laptop.state / "spool.sqlite.reserve").exists)
    assert laptop.leftovers() == []


SERVER_BYTES = 24 * 1024 * 1024


class SmallServer(FaultyHouse):
    """A house whose server's data lie on a small disk."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        super().__init__(folder)
        self.disk = disk
        shutil.copytree(self.data, disk.path / "data")
        self.data = disk.path / "data"
        port = self.url.rpartition(":")[2]
        serve = ("serve", "--data", disk.inside / "data", "--port", port)
        self.server = disk.run_inside(Program("abide-server", *serve, log=self.server.log))

    def server_tool(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self.disk.tool("abide-server", *arguments, "--data", self.disk.inside / "data")

    def enrol(self) -> None:
        """Start the server and enrol this device."""
        self.start_server()
        token = json.loads(self.server_tool("token", "--json").stdout)["token"]
        asyncio.run(enrol(Config(self.state), parse_token(token), again=False))

    def export(self, file: Path) -> None:
        """Let the server write everything it has into a file."""
        assert self.server_tool("export", "-o", file).returncode == 0


@pytest.fixture
def cellar(tmp_path: Path) -> Iterator[SmallServer]:
    with small_disk(tmp_path / "disk", SERVER_BYTES) as disk:
        house = SmallServer(tmp_path / "h", disk)
        house.enrol()
        yield house
        house.close()


def test_a_full_server_confirms_nothing_that_it_does_not_keep(cellar: SmallServer) -> None:
    """The server's disk is full: batches, readiness, a publication, a restart."""
    house, disk = cellar, cellar.disk
    assert house.meet()
    house.browser.wait_for_version(1)
    disk.fill()
    until("the server says that it is not ready", lambda: not answers(f"{house.url}/readyz"))
    for _turn in range(10):
        house.browser.observe(200)
        house.browser.deliver()
        disk.fill()
    until("the agent says why events wait", lambda: "503" in _problem(house))
    done = house.server_tool("publish", house.policy)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert "full" in done.stderr
    assert decode_release(newest_release(house.data / "tuf", house.folder / "client")).version == 1
    house.server.stop()
    house.server.start()
    until("the server answers, or says why not", lambda: answers(f"{house.url}/healthz") or not house.server.runs)
    disk.free()
    if not house.server.runs:
        house.start_server()
    until("the server is ready again", lambda: answers(f"{house.url}/readyz"))
    done = house.server_tool("publish", house.policy, "--json")
    house.published = json.loads(done.stdout)["version"]
    house.prove()
    assert "Traceback" not in house.server.log.read_text("utf-8")


def _problem(house: FaultyHouse) -> str:
    snapshot = ask_daemon(house.state / "agent.sock")
    trouble = snapshot.uplink_trouble if isinstance(snapshot, Snapshot) else None
    return trouble.detail if trouble is not None else ""
