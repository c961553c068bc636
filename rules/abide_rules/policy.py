"""The policy document, and a *release*: the bytes of it that are published."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from abide_rules.calendar import Calendar
from abide_rules.errors import MalformedError
from abide_rules.events import Purpose, Surface, VerdictName

Clause = Literal[
    "BUS-1", "PER-1", "PER-2", "CLS-1", "OUT-1", "OUT-2", "OUT-3", "DAT-1", "DAT-2", "DAT-3", "RISK-1", "LIA-1",
    "FAIR-1", "TRN-1", "REV-1", "TPL-1",
]  # fmt: skip
Time = Literal["working", "free", "always"]
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="lower-case letters, digits, hyphens")]
Minutes = Annotated[int, Meta(ge=1, le=480)]


UseClass = Literal["prohibited", "authorization_required", "allowed"]


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A text for people in both languages."""

    en: str
    zh: str


_CLASSES: dict[VerdictName, UseClass] = {
    "warn": "prohibited",
    "justify": "authorization_required",
    "block": "prohibited",
}


class Except(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Cases that a rule does not concern, though its conditions hold."""

    services: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    purposes: tuple[Purpose, ...] = ()


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Condition → verdict, citing a clause. An empty condition holds always.

    ``services``: ids, ``category:NAME``, ``scope:NAME`` or ``all``. ``class`` defaults to what the verdict says: warn and
    block are for prohibited uses, justify for those that need authorization, the others for allowed ones. By default
    prohibited and authorization-required uses are recorded, allowed ones are not (``record``).
    """

    id: Slug
    clause: Clause
    verdict: VerdictName
    reason: Text
    instead: Text
    services: tuple[str, ...] = ("all",)
    surfaces: tuple[Surface, ...] = ()
    time: Time = "always"
    groups: tuple[str, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    except_: Except = msgspec.field(default=Except(), name="except")
    class_: UseClass | None = msgspec.field(default=None, name="class")
    record: bool | None = None
    continue_minutes: Minutes | None = None

    @property
    def use_class(self) -> UseClass:
        """The class of the use, stated or derived from the verdict."""
        if self.class_ is not None:
            return self.class_
        return _CLASSES.get(self.verdict, "allowed")

    @property
    def is_recorded(self) -> bool:
        """Whether an event is made when this rule speaks."""
        return self.use_class != "allowed" if self.record is None else self.record


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole document. ``continue_minutes`` is how long *Continue* on a warning holds, unless a rule says otherwise."""

    language: Literal[1]
    id: Slug
    title: Text
    calendar: Calendar
    rules: Annotated[tuple[Rule, ...], Meta(min_length=1)]
    owner: str = ""
    review_by: str = ""
    continue_minutes: Minutes = 15


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published policy: the bytes of the TUF target. ``version`` grows by one with every publication."""

    version: int
    policy: Policy


def encode_release(version: int, policy: Policy) -> bytes:
    """Return the bytes of a release."""
    return msgspec.json.encode(Release(version, policy))


def decode_release(raw: bytes) -> Release:
    """Parse the bytes of a release. Raises MalformedError; the signature over them is TUF's."""
    try:
        return msgspec.json.decode(raw, type=Release)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"not a release: {error}") from error
