"""What goes wrong with one activity of the daemon: which problem it is, since when, how often, and when it tries again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from abide_agent.spool_db import SpoolError, SpoolFullError
from abide_rules.errors import BadDataError, ForkError, GapError, SignatureError
from abide_rules.problems import Problem


class Trouble:
    """Keeps the state of one activity; ``changed`` is told when it begins, ends, or becomes another problem."""

    def __init__(self, now_ms: Callable[[], int], changed: Callable[[], object], start: Problem | None = None) -> None:
        self._now_ms = now_ms
        self._changed = changed
        self.problem = start

    def began(self, error: Exception, retry_s: float = 0) -> None:
        """The activity failed (again) and is tried again in ``retry_s`` (0: when there is a reason to)."""
        before, now_ms = self.problem, self._now_ms()
        self.problem = Problem(
            code_of(error),
            since_ms=before.since_ms if before is not None and before.times else now_ms,
            detail=str(error) or type(error).__name__,
            times=before.times + 1 if before is not None else 1,
            retry_ms=now_ms + round(retry_s * 1000) if retry_s else 0,
        )
        if before is None or before.code != self.problem.code:
            self._changed()

    def over(self) -> None:
        """The activity succeeded."""
        if self.problem is not None:
            self.problem = None
            self._changed()


def code_of(error: Exception) -> str:
    """Return the code of the problem that an error means."""
    match error:
        case _ if code := getattr(error, "code", ""):
            return str(code)
        case ForkError():
            return "sync/fork"
        case GapError():
            return "sync/gap"
        case SignatureError():
            return "sync/forged"
        case BadDataError():
            return "sync/nonsense"
        case SpoolFullError():
            return "record/disk-full"
        case SpoolError() | sqlite3.Error():
            return "record/broken"
        case OSError():
            return "sync/disk"
        case _:
            return "sync/unreachable"
