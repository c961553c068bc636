"""Who is who: accounts of the operating system → pseudonymous persons, their groups and time zones.

Written by an administrator as YAML (``people:``) or CSV (``person,accounts,groups,zone,devices``; several values in a cell
separated by ``;``), published as the signed ``people`` target. Accounts that nobody claims are an unknown person in no
group, and the policy's defaults hold for them.
"""

from __future__ import annotations

import msgspec

from abide_rules.errors import MalformedError


class Person(msgspec.Struct, frozen=True):
    """A pseudonymous person; all fields are empty for somebody unknown. ``zone`` overrides the calendar's."""

    id: str = ""
    groups: tuple[str, ...] = ()
    zone: str = ""


UNKNOWN = Person()


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One person: their accounts, on any device or only on those named."""

    person: str
    accounts: tuple[str, ...]
    groups: tuple[str, ...] = ()
    zone: str = ""
    devices: tuple[str, ...] = ()


class People(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everybody."""

    people: tuple[Entry, ...] = ()

    def resolve(self, account: str, device: str) -> Person:
        """Return who uses ``account`` on ``device``; somebody unknown when nobody claims it."""
        name = account.casefold()
        matches = [e for e in self.people if any(name == a.casefold() for a in e.accounts)]
        for entry in sorted(matches, key=lambda e: not e.devices):
            if not entry.devices or device in entry.devices:
                return Person(entry.person, entry.groups, entry.zone)
        return UNKNOWN


def encode_people(people: People) -> bytes:
    """Return the bytes of the ``people`` target."""
    return msgspec.json.encode(people)


def decode_people(raw: bytes) -> People:
    """Parse the bytes of the ``people`` target. Raises MalformedError."""
    try:
        return msgspec.json.decode(raw, type=People)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"not a list of people: {error}") from error
