"""The clock: a function that returns milliseconds since 1970-01-01 UTC, passed in wherever time matters."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]


def system_clock() -> int:
    """Return the time of this machine."""
    return time.time_ns() // 1_000_000


def as_datetime(ms: int) -> datetime:
    """Return the aware UTC time of ``ms``, cut to seconds (what TUF metadata can carry)."""
    return datetime.fromtimestamp(ms // 1000, UTC)


def as_text(ms: int) -> str:
    """Return ``ms`` as ISO 8601 in UTC, for people and logs."""
    return as_datetime(ms).isoformat().replace("+00:00", "Z")
