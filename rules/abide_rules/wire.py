"""What agent and server say to each other: paths, limits, request and response types.

Limits carry their unit in the name and are enforced on both sides. Byte strings travel as base64, hashes as lower-case
hex, times as milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from typing import Literal

import msgspec

MAX_EVENT_BYTES = 8_192
MAX_BATCH_EVENTS = 1_000
MAX_BATCH_BYTES = 1_048_576
MAX_ENROL_BYTES = 16_384
MAX_STREAM_MESSAGE_BYTES = 65_536
MAX_POLICY_BYTES = 2_097_152
MAX_PEOPLE_BYTES = 16_777_216
MAX_EXTENSION_BYTES = 16_777_216
MAX_EXTENSION_UNPACKED_BYTES = 67_108_864
MAX_EXTENSION_FILES = 2_000
MAX_PROBLEMS = 16
SIGNATURE_AGE_S = 300
STREAM_PING_S = 30

ENROLL_PATH = "/v1/enroll"
EVENTS_PATH = "/v1/events"
STREAM_PATH = "/v1/stream"
TUF_METADATA_PATH = "/v1/tuf/metadata/"
TUF_TARGETS_PATH = "/v1/tuf/targets/"
EXTENSION_PATH = "/extension/"
BATCH_MEDIA_TYPE = "application/x-ndjson"
PROBLEM_MEDIA_TYPE = "application/problem+json"

POLICY_TARGET = "policy/policy.json"
PEOPLE_TARGET = "people/people.json"
"""Names of TUF targets. The people target is given to enrolled devices only."""

NATIVE_HOST_NAME = "abide.agent"
EXTENSION_ID_CHROMIUM = "nknmmbjndjmccnalldpbcbdckkaedndp"
EXTENSION_ID_FIREFOX = "abide@abide.local"
"""Who may talk to whom: the native-messaging host's name and the extension's ids (the first follows from the
manifest's ``key``)."""

ProblemType = Literal[
    "bad-json", "too-large", "bad-signature", "unknown-device", "revoked-device", "gap", "fork",
    "bad-token", "used-token", "expired-token", "not-found", "not-acceptable", "internal",
]  # fmt: skip


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error answer (RFC 9457). ``type`` is ``urn:abide:`` and a ProblemType; ``advice`` says what to do."""

    type: str
    title: str
    status: int
    detail: str = ""
    advice: str = ""
    expected_seq: int | None = None


class EnrolmentToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an administrator hands to a laptop, printed as ``abide1.`` + base64url of this as JSON.

    ``root_sha256`` pins the TUF trust root; ``ca`` is an optional PEM that becomes the *only* trusted authority.
    """

    url: str
    id: str
    secret: str
    expires: int
    group: str
    root_sha256: str
    ca: str = ""


class EnrolmentProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the device signs with its new key when it enrols (payload of a DSSE envelope)."""

    token: str
    public_key: str
    name: str
    platform: str
    agent_version: str
    time: int


class EnrolRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/enroll``: the token's id and secret, and an envelope (as JSON text) over an EnrolmentProof."""

    token: str
    secret: str
    proof: str


class EnrolResponse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The device's id, the server's receipt key (base64, 32 bytes) and the TUF root (base64 of root.json)."""

    device: str
    receipt_key: str
    root: str
    time: int


class Challenge(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="challenge"):
    """First message down the stream: the device signs ``nonce``; ``time`` is the server's clock."""

    nonce: str
    time: int


class Welcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="welcome"):
    """The device is known; ``version`` is the newest release (TUF timestamp version, not content)."""

    version: int
    time: int


class Nudge(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="nudge"):
    """Something was published: ``version`` is the TUF timestamp version. A nudge carries no content."""

    version: int
    time: int


ServerMessage = Challenge | Welcome | Nudge


class StreamProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the device signs to open its stream (payload of a DSSE envelope of type STREAM_TYPE)."""

    device: str
    nonce: str


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="hello"):
    """First message up: an envelope (as JSON text) over a StreamProof, and what runs here."""

    proof: str
    agent_version: str
    policy_version: int


class InForce(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="in_force"):
    """Policy ``policy_version`` is enforced in a browser (or, with empty ``browser``, held by the agent) since ``at``."""

    policy_version: int
    browser: str
    at: int


class BrowserCoverage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One extension that is connected to the agent; ``forced``: the person cannot remove it."""

    browser: str
    browser_version: str
    extension_version: str
    policy_version: int
    forced: bool = False


class Coverage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="coverage"):
    """Which browsers of the device are guarded now, whether the policy is stale, how many events wait, what is wrong.

    ``problems`` are codes of :mod:`abide_rules.problems`, the most urgent first, at most MAX_PROBLEMS.
    """

    browsers: tuple[BrowserCoverage, ...]
    stale: bool
    spooled: int
    problems: tuple[str, ...] = ()


AgentMessage = Hello | InForce | Coverage
