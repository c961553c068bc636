"""Fixtures of the agent's tests: a short state directory, a repository, a stand-in server."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from abide_agent.config import Config
from tests.agent.extension import quick
from tests.agent.repository import Repository
from tests.agent.standin import StandIn, standin


@pytest.fixture
def state() -> Iterator[Path]:
    """A directory whose path is short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="abide-") as folder:
        yield Path(folder) / "state"


@pytest.fixture
def config(state: Path) -> Config:
    return quick(state)


@pytest.fixture
def repository() -> Repository:
    made = Repository()
    made.publish(1)
    return made


@pytest.fixture
async def server(repository: Repository) -> AsyncIterator[StandIn]:
    async with standin(repository) as running:
        yield running
