"""Files of the agent's state that are damaged while it does not run: it says what is wrong, and never starts afresh."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.demo.programs import tool_json, until
from tests.faults.house import FaultyHouse


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    """Every seventh byte has another value, some of them no UTF-8."""
    path.write_bytes(bytes(byte ^ 0xFF if at % 7 == 3 else byte for at, byte in enumerate(path.read_bytes())))


def open_to_all(path: Path) -> None:
    path.chmod(0o644)


DAMAGE: dict[str, Callable[[Path], None]] = {"cut in half": cut, "empty": empty, "with flipped bytes": flip}
FATAL = {
    f"{file} is {how}": (file, damage)
    for file in ("identity.json", "device.key", "spool.sqlite")
    for how, damage in DAMAGE.items()
} | {"device.key is readable by others": ("device.key", open_to_all)}
HARMLESS = {
    f"{file} is {how}": (file, damage)
    for file in ("policy.held", "clock.json", "tuf/timestamp.json", "spool.sqlite-shm")
    for how, damage in DAMAGE.items()
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyHouse]:
    house = FaultyHouse(tmp_path_factory.mktemp("state") / "h")
    house.enrol()
    assert house.meet()
    house.browser.wait_for_version(1)
    yield house
    house.close()


@pytest.fixture
def stopped(house: FaultyHouse) -> Path:
    """The state of an agent that was stopped after it had sent what it recorded."""
    if not house.agent.runs:
        assert house.meet()
    house.browser.meet()
    house.browser.observe(2)
    house.browser.deliver()
    until("sent", lambda: house.waiting() == 0)
    house.agent.stop()
    return house.state


@pytest.fixture
def good(house: FaultyHouse, stopped: Path) -> Iterator[Path]:
    """The same, put back afterwards."""
    copy = house.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(stopped, copy, symlinks=True)
    yield stopped
    house.agent.stop()
    shutil.rmtree(house.state)
    shutil.copytree(copy, house.state, symlinks=True)


@pytest.mark.parametrize("name", FATAL)
def test_it_says_what_is_wrong_and_changes_nothing(name: str, house: FaultyHouse, good: Path) -> None:
    file, damage = FATAL[name]
    damage(good / file)
    damaged = (good / file).read_bytes()
    before = house.agent.log.stat().st_size
    assert not house.meet()
    said = house.agent.log.read_text("utf-8")[before:]
    assert file in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) >= 2, "no advice"
    assert (good / file).read_bytes() == damaged
    assert not tool_json("abide-agent", "status", "--state", good, accept=(0, 1))["ok"]


def test_with_the_files_put_back_it_goes_on(house: FaultyHouse) -> None:
    assert house.meet()
    house.prove()


@pytest.mark.parametrize("name", HARMLESS)
def test_it_goes_on_and_gets_it_again(name: str, house: FaultyHouse, stopped: Path) -> None:
    file, damage = HARMLESS[name]
    if not (stopped / file).exists():
        (stopped / file).write_bytes(b"leftover " * 4096)
    damage(stopped / file)
    before = house.agent.log.stat().st_size
    assert house.meet()
    house.browser.wait_for_version(house.published)
    house.prove()
    assert "Traceback" not in house.agent.log.read_text("utf-8")[before:]
