"""What extension and agent say to each other.

Extension and agent are updated separately, so unknown message types *and* unknown fields are ignored by both sides;
``hello`` carries the protocol's version. Times are milliseconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from abide_rules.envelope import Envelope
from abide_rules.errors import MalformedError
from abide_rules.events import Period, VerdictName
from abide_rules.policy import Text

MAX_OBSERVATIONS = 1_000
MAX_RECORDS = 500

Name = Annotated[str, msgspec.Meta(max_length=100)]
Version = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Time = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Host(msgspec.Struct, frozen=True, tag="host"):
    """First frame of a native host: which extension started it."""

    origin: Annotated[str, msgspec.Meta(max_length=200)]
    pid: int


class SnapshotRequest(msgspec.Struct, frozen=True, tag="snapshot"):
    """First frame of ``status`` and ``doctor``: answered by one health snapshot."""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """First message of an extension; ``policy_version`` is what it enforces now (0 = nothing).

    ``forced``: a browser policy installed it, so that the person cannot remove it.
    """

    v: Literal[1]
    browser: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    browser_version: Name
    extension_version: Name
    policy_version: Version
    forced: bool = False


class InForce(msgspec.Struct, frozen=True, tag="in_force"):
    """The rules of a version are applied and every open tab was judged again."""

    policy_version: Version
    at: Time


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """A key or a plan was not taken; the browser keeps what it trusts."""

    why: Name


class Observation(msgspec.Struct, frozen=True):
    """Something the extension saw and what it did. ``notice``: the person pressed *Continue* on a warning.

    ``count``: only the fact counts, so person, host and time of day are left out of the record.
    """

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    at: Time
    kind: Literal["visit", "notice"]
    service: Name
    host: Annotated[str, msgspec.Meta(max_length=253)]
    verdict: VerdictName
    rule: Name
    clause: Name
    policy_version: Version
    period: Period
    count: bool


class ObservationId(msgspec.Struct, frozen=True):
    """What can be read of an observation that is otherwise malformed."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Observed(msgspec.Struct, frozen=True, tag="observed"):
    """Observations; each is decoded on its own, so that one bad one does not hold up the others."""

    observations: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MAX_OBSERVATIONS)]


class RecordsRequest(msgspec.Struct, frozen=True, tag="records"):
    """The person asks what was recorded about them."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_RECORDS)]


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Answered by a pong."""


class Changing(msgspec.Struct, frozen=True, tag="changing"):
    """First frame of a command that is about to change what the agent guards; answered by the same, done when it ends."""


UpMessage = Host | SnapshotRequest | Hello | InForce | Refused | Observed | RecordsRequest | Ping | Changing


class SessionMessage(msgspec.Struct, frozen=True, tag="session"):
    """Who signs the plans: the device and its public key (32 bytes)."""

    device: str
    public_key: bytes


class TimeMessage(msgspec.Struct, frozen=True, tag="time"):
    """What time it is by the server's clock, as the agent knows it; sent again whenever a clock was set."""

    now: int


class PlanMessage(msgspec.Struct, frozen=True, tag="plan"):
    """A signed plan."""

    envelope: Envelope


class ShownProblem(msgspec.Struct, frozen=True):
    """A problem as the popup shows it: what is wrong and what to do next, since when (ms)."""

    code: str
    since: int
    what: Text
    step: Text


class StatusMessage(msgspec.Struct, frozen=True, tag="status"):
    """What the popup shows: connection to the server, staleness, version held, events that wait, what is wrong."""

    connected: bool
    stale: bool
    policy_version: int
    spooled: int
    server: str
    problems: tuple[ShownProblem, ...] = ()


class StoredMessage(msgspec.Struct, frozen=True, tag="stored"):
    """These observations are on disk; the extension may forget them."""

    ids: list[str]


class Record(msgspec.Struct, frozen=True):
    """One recorded event, as shown to the person; ``acknowledged``: the server has it."""

    at: int
    kind: str
    service: str
    host: str
    verdict: str
    rule: str
    clause: str
    acknowledged: bool


class RecordsMessage(msgspec.Struct, frozen=True, tag="records"):
    """What was recorded, newest first."""

    events: list[Record]


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """Answer to a ping; ``now`` as in :class:`TimeMessage`."""

    now: int


class _Tag(msgspec.Struct, frozen=True):
    type: str


_tag = msgspec.json.Decoder(_Tag)
_message: msgspec.json.Decoder[UpMessage] = msgspec.json.Decoder(UpMessage)
_TYPES = {"host", "snapshot", "hello", "in_force", "refused", "observed", "records", "ping", "changing"}


def decode_message(raw: bytes) -> UpMessage | str:
    """Return the message, or the name of a type that is not known here. Raises MalformedError."""
    try:
        kind = _tag.decode(raw).type
        return _message.decode(raw) if kind in _TYPES else kind
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"not a message: {error}") from error
