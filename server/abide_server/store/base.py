"""The store's seam: what the server keeps, and what every implementation must do.

Every write is durable when its call returns. Rows are frozen structs; times are milliseconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from abide_rules.wire import Coverage


class Act(msgspec.Struct, frozen=True):
    """An administrative act: when, who, what, on what, and why."""

    at: int
    actor: str
    action: str
    subject: str = ""
    note: str = ""


class Token(msgspec.Struct, frozen=True):
    """An enrolment token as it is kept: never the secret, only its SHA-256."""

    token: str
    secret_sha256: bytes
    group: str
    uses_left: int
    expires: int
    root_version: int
    created: int


class Device(msgspec.Struct, frozen=True):
    """An enrolled device; ``next_seq`` and ``head`` are where its chain stands, ``seen`` when it last spoke."""

    device: str
    public_key: bytes
    name: str
    platform: str
    group: str
    token: str
    proof: bytes
    enrolled: int
    revoked: int | None
    agent_version: str
    next_seq: int
    head: str
    seen: int
    stale: bool
    spooled: int
    problems: str = ""
    """Codes of what is wrong there, separated by blanks, the most urgent first."""


class NewDevice(msgspec.Struct, frozen=True):
    """What an accepted enrolment brings; ``proof`` is the exact envelope."""

    device: str
    public_key: bytes
    name: str
    platform: str
    token: str
    proof: bytes
    agent_version: str


class EventRow(msgspec.Struct, frozen=True):
    """The narrow row of an event: what administrators search."""

    device: str
    seq: int
    at: int
    kind: str
    service: str
    host: str
    verdict: str
    rule: str
    clause: str
    person: str
    policy_version: int
    period: str


class NewBatch(msgspec.Struct, frozen=True):
    """A verified batch on its way into the store; ``raw`` is exactly what the device sent."""

    device: str
    first_seq: int
    last_seq: int
    prev: str
    head: str
    raw: bytes
    received: int
    rows: tuple[EventRow, ...]


class StoredBatch(msgspec.Struct, frozen=True):
    """A batch as it was stored."""

    device: str
    first_seq: int
    last_seq: int
    head: str
    raw: bytes
    received: int


class Standing(msgspec.Struct, frozen=True):
    """How far a device's chain is stored after an append; ``new`` is false for a batch that was there before."""

    new: bool
    last_seq: int
    head: str
    time: int


class Release(msgspec.Struct, frozen=True):
    """A policy release with its source text; ``published`` is None until the repository carries it."""

    version: int
    made: int
    actor: str
    note: str
    name: str
    source: str
    published: int | None = None
    timestamp_version: int | None = None


class InForceRow(msgspec.Struct, frozen=True):
    """Which release a browser enforces (empty ``browser``: the agent holds it), and since when.

    ``forced``: a browser policy installed the extension there.
    """

    device: str
    browser: str
    version: int
    since: int
    seen: int
    guarded: bool
    browser_version: str
    extension_version: str
    forced: bool = False


class Store(Protocol):
    """Everything that is kept. Raises TransportError when the store cannot answer now."""

    async def close(self) -> None:
        """Finish all writes and let go of the files."""

    async def ready(self) -> None:
        """Return if reads and writes work."""

    async def changes(self) -> int:
        """Return a number that differs whenever something was committed, by whatever process."""

    async def add_token(self, token: Token, act: Act) -> None:
        """Keep a new enrolment token."""

    async def token(self, token: str) -> Token | None:
        """Return a token by its id."""

    async def enrol(self, new: NewDevice, now: int) -> Device:
        """Register a device and use its token once; a device that is already there is returned as it is.

        Raises RefusedError (bad, used or expired token, revoked device).
        """

    async def device(self, device: str) -> Device | None:
        """Return a device by its id."""

    async def devices(self) -> tuple[Device, ...]:
        """Return all devices, in order of enrolment."""

    async def revoked(self) -> frozenset[str]:
        """Return the ids of all revoked devices."""

    async def revoke(self, device: str, act: Act) -> bool:
        """Revoke a device; False when there is no such device or it was revoked before."""

    async def append(self, batch: NewBatch) -> Standing:
        """Append a batch to its device's chain, once.

        Raises RefusedError (unknown or revoked device), GapError or ForkError.
        """

    def batches(self) -> AsyncIterator[StoredBatch]:
        """Yield every batch, by device and first_seq."""

    async def latest_events(self, limit: int) -> tuple[EventRow, ...]:
        """Return the newest events, newest first."""

    async def count_events(self) -> int:
        """Return how many events are stored."""

    async def add_release(self, release: Release) -> None:
        """Take a release number and keep the source."""

    async def mark_published(self, version: int, timestamp_version: int, act: Act) -> None:
        """Note that the repository carries a release."""

    async def releases(self) -> tuple[Release, ...]:
        """Return all published releases, newest first."""

    async def release(self, version: int) -> Release | None:
        """Return one published release."""

    async def last_release(self) -> int:
        """Return the highest release number that was ever taken, 0 for none."""

    async def set_in_force(self, device: str, browser: str, version: int, since: int, now: int) -> None:
        """Note that a browser (or the agent) of a device enforces a release."""

    async def set_coverage(self, device: str, coverage: Coverage, now: int) -> None:
        """Note which browsers of a device are guarded now (the others are not any more), and what is wrong there."""

    async def set_seen(self, device: str, now: int, agent_version: str = "", *, guarded: bool = True) -> None:
        """Note that a device spoke; with ``guarded=False`` that it went away and its browsers are not known."""

    async def in_force(self) -> tuple[InForceRow, ...]:
        """Return what is in force everywhere."""

    async def record(self, act: Act) -> None:
        """Write an administrative act into the audit."""

    async def acts(self, limit: int) -> tuple[Act, ...]:
        """Return the newest administrative acts, newest first."""
