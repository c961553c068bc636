"""Refusals by name: every case in which the server says no has its own problem type and HTTP status."""

from __future__ import annotations

from abide_rules.errors import (
    AbideError,
    BadDataError,
    ForkError,
    GapError,
    MalformedError,
    SignatureError,
    TooLargeError,
    TransportError,
)
from abide_rules.wire import Problem, ProblemType

STATUS: dict[ProblemType, int] = {
    "bad-json": 400, "too-large": 413, "bad-signature": 401, "unknown-device": 401, "revoked-device": 403,
    "gap": 409, "fork": 409, "bad-token": 401, "used-token": 403, "expired-token": 403,
    "not-found": 404, "not-acceptable": 406, "internal": 500,
}  # fmt: skip

_TITLES: dict[ProblemType, str] = {
    "bad-json": "The request does not parse",
    "too-large": "The request is over a limit",
    "bad-signature": "The signature does not verify",
    "unknown-device": "This device is not enrolled here",
    "revoked-device": "This device has been revoked",
    "gap": "Events are missing before this batch",
    "fork": "The batch contradicts what was accepted before",
    "bad-token": "No such enrolment token",
    "used-token": "The enrolment token is used up",
    "expired-token": "The enrolment token has expired",
    "not-found": "There is nothing here",
    "not-acceptable": "Not in this way",
    "internal": "The server failed",
}


class RefusedError(BadDataError):
    """The server refuses a request for the reason that ``kind`` names."""

    def __init__(self, kind: ProblemType, message: str, *, advice: str = "", status: int | None = None) -> None:
        super().__init__(message, advice=advice)
        self.kind: ProblemType = kind
        self.status = status or STATUS[kind]


def problem_of(error: AbideError) -> Problem:
    """Return the answer for an error; anything that is not the caller's fault becomes ``internal``."""
    if isinstance(error, RefusedError):
        return _problem(error.kind, error, error.status)
    if isinstance(error, GapError):
        return _problem("gap", error, STATUS["gap"], error.expected_seq)
    kinds: dict[type[AbideError], ProblemType] = {
        ForkError: "fork",
        SignatureError: "bad-signature",
        MalformedError: "bad-json",
        TooLargeError: "too-large",
    }
    if isinstance(error, TransportError):
        return _problem("internal", error, 503)
    kind = kinds.get(type(error), "internal")
    return _problem(kind, error, STATUS[kind])


def _problem(kind: ProblemType, error: AbideError, status: int, expected_seq: int | None = None) -> Problem:
    detail = str(error) if kind != "internal" else ""
    return Problem(f"urn:abide:{kind}", _TITLES[kind], status, detail, error.advice, expected_seq)
