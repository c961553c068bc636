"""A people file as administrators write it: YAML or CSV, checked with line and column."""

from __future__ import annotations

import csv
import io
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from abide_rules.errors import Mistake, PolicyError
from abide_rules.i18n import _
from abide_rules.people import Entry, People
from abide_rules.wire import MAX_PEOPLE_BYTES
from abide_rules.yamlfile import YamlFile

COLUMNS = ("person", "accounts", "groups", "zone", "devices")


def parse_people(text: str, name: str = "people") -> People:
    """Return what a YAML or (by the name's ending) CSV file says. Raises PolicyError with every mistake."""
    mistakes: list[Mistake] = []
    if name.lower().endswith(".csv"):
        entries = _from_csv(text, mistakes)
    else:
        file = YamlFile(text, name, MAX_PEOPLE_BYTES)
        if not isinstance(file.data, dict):
            raise file.error(1, 1, _("a people file is a mapping"), _("Begin with “people:”."))
        people = file.convert((), People, mistakes)
        entries = [(file.mistake(("people", n), ""), e) for n, e in enumerate(people.people)] if people else []
    _check(entries, mistakes)
    if mistakes:
        raise PolicyError(name, tuple(sorted(mistakes, key=lambda m: (m.line, m.column))))
    return People(tuple(entry for _place, entry in entries))


def _from_csv(text: str, mistakes: list[Mistake]) -> list[tuple[Mistake, Entry]]:
    reader = csv.DictReader(io.StringIO(text))
    unknown = [column for column in reader.fieldnames or () if column not in COLUMNS]
    if unknown or "person" not in (reader.fieldnames or ()):
        advice = _("Write the header {columns}.", columns=",".join(COLUMNS))
        mistakes.append(Mistake(1, 1, _("the header does not name the columns"), advice))
        return []
    entries = []
    for row in reader:
        many = {
            key: tuple(part.strip() for part in (row.get(key) or "").split(";") if part.strip())
            for key in ("accounts", "groups", "devices")
        }
        entry = Entry(person=(row["person"] or "").strip(), zone=(row.get("zone") or "").strip(), **many)
        entries.append((Mistake(reader.line_num, 1, ""), entry))
    return entries


def _check(entries: list[tuple[Mistake, Entry]], mistakes: list[Mistake]) -> None:
    claimed: dict[tuple[str, str], str] = {}
    for place, entry in entries:
        for message, advice in _wrong(entry, claimed):
            mistakes.append(Mistake(place.line, place.column, message, advice))


def _wrong(entry: Entry, claimed: dict[tuple[str, str], str]) -> list[tuple[str, str]]:
    found = []
    if not entry.person or not entry.accounts:
        found.append((_("a person needs an id and at least one account"), _("Fill both in.")))
    for account in entry.accounts:
        for device in entry.devices or ("",):
            other = claimed.setdefault((account.casefold(), device), entry.person)
            if other != entry.person:
                text = _("the account “{account}” already belongs to {person}", account=account, person=other)
                found.append((text, _("Remove it from one of them, or name their devices.")))
    if entry.zone and not _zone_exists(entry.zone):
        found.append(
            (
                _("no time zone is called “{name}”", name=entry.zone),
                _("Write an IANA name such as Europe/Berlin or Asia/Shanghai."),
            )
        )
    return found


def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
