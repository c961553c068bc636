"""The tried faults stand in SECURITY.md, each under the name it has here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import test_disk, test_kill, test_network, test_state

ROOT = Path(__file__).parent.parent.parent
SINGLE = (
    "the server is killed at every step of a batch",
    "a publication is killed at every step",
    "an enrolment is killed at every step",
    "a server's set-up is killed at every step",
    "the laptop's disk is full to the last byte when the agent starts after a shutdown",
    "the server's disk is full",
    "every receipt is lost",
    "the update repository is rolled back",
    "the stream ends whenever it was opened",
)


def rows() -> str:
    return (ROOT / "SECURITY.md").read_text("utf-8").partition("## Tried faults")[2]


@pytest.mark.parametrize(
    "name", [*test_kill.AGENT_WORK, *test_disk.LAPTOP_FAULTS, *test_network.FAULTS, *test_network.UNNOTICED, *SINGLE]
)
def test_a_tried_fault_has_a_row(name: str) -> None:
    assert f"| {name} |" in rows()


@pytest.mark.parametrize("table", [test_state.FATAL, test_state.HARMLESS], ids=["fatal", "harmless"])
def test_a_damaged_file_is_named(table: dict[str, tuple[str, object]]) -> None:
    assert {file for file, _damage in table.values() if f"`{file}`" not in rows()} == set()
    assert {how for how in test_state.DAMAGE if how.removeprefix("with ") not in rows()} == set()
