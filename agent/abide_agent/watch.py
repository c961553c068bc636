"""The watch: looks at the daemon's own health at times and when told to, and says when it has become another one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from abide_agent.health import Snapshot
from abide_agent.problems import problems, remembered
from abide_agent.tasks import wait_for
from abide_rules.problems import Problem


class Watch:
    """Remembers since when each problem is there; ``changed`` is told when others are there than at the last look."""

    def __init__(
        self, look: Callable[[], Awaitable[Snapshot]], changed: Callable[[], Awaitable[None]], interval_s: float
    ) -> None:
        self._look = look
        self._changed = changed
        self._interval_s = interval_s
        self._soon = asyncio.Event()
        self._known: tuple[Problem, ...] = ()
        self._told: tuple[str, ...] = ()

    def soon(self) -> None:
        """Look again: something began, ended, or became something else."""
        self._soon.set()

    def problems(self, snapshot: Snapshot) -> tuple[Problem, ...]:
        """Return what is wrong, with since when."""
        return remembered(problems(snapshot), self._known, snapshot.now_ms)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            snapshot = await self._look()
            self._known = self.problems(snapshot)
            codes = tuple(problem.code for problem in self._known)
            if codes != self._told:
                self._told = codes
                await self._changed()
            await wait_for(self._soon, self._interval_s)
