"""Working or free: a calendar as people write it, and the schedule computed from it.

Everything between the working spans is free time. Wall-clock times are read in the calendar's zone (IANA name), so a span
follows daylight saving; a span whose end is not after its start runs over midnight. Public holidays come from the
``holidays`` library. Instants are milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from abide_rules.errors import ConfigurationError
from abide_rules.events import Period
from abide_rules.i18n import _

if TYPE_CHECKING:
    from holidays import HolidayBase

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MS = 86_400_000
LOOKAHEAD_DAYS = 15
HOLIDAY_YEARS = 10

Report = Callable[[tuple[str | int, ...], str, str], None]


class Holidays(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Public holidays: ISO 3166 country code and, where the library knows them, a subdivision (``BY``)."""

    country: str
    region: str = ""


class Calendar(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Working hours: ``hours`` maps days (``mon-fri``, ``sat``, ``tue,thu``) to spans (``09:00-17:30``).

    ``extra_holidays`` are further free dates (``2026-12-24``).
    """

    zone: str
    hours: dict[str, tuple[str, ...]]
    holidays: Holidays | None = None
    extra_holidays: tuple[str, ...] = ()


class Schedule:
    """A calendar in one zone, ready to be asked. Raises ConfigurationError when the zone does not exist."""

    def __init__(self, calendar: Calendar, zone: str = "") -> None:
        self.zone = zone or calendar.zone
        try:
            self.zone_info = ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigurationError(_("no time zone is called “{name}”", name=self.zone)) from error
        self._hours: dict[int, list[tuple[int, int]]] = {day: [] for day in range(7)}
        for days, spans in calendar.hours.items():
            for day in parse_days(days):
                self._hours[day].extend(parse_span(span) for span in spans)
        self._extra = frozenset(map(dt.date.fromisoformat, calendar.extra_holidays))
        self._public = _public_holidays(calendar.holidays)
        self._week = functools.lru_cache(maxsize=16)(self._spans_around)

    @staticmethod
    def check(calendar: Calendar, report: Report) -> None:
        """Report everything in a calendar that types cannot say, as (path below the policy, message, advice)."""
        try:
            ZoneInfo(calendar.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            advice = _("Write an IANA name such as Europe/Berlin or Asia/Shanghai.")
            report(("calendar", "zone"), _("no time zone is called “{name}”", name=calendar.zone), advice)
        for days, spans in calendar.hours.items():
            if not parse_days(days):
                advice = _("Write mon-fri, sat, or tue,thu.")
                report(("calendar", "hours", days), _("“{days}” names no days", days=days), advice)
            for position, span in enumerate(spans):
                if parse_span(span) == (0, 0):
                    advice = _("Write a span as 09:00-17:30.")
                    report(("calendar", "hours", days, position), _("“{span}” is no span", span=span), advice)
        for position, date in enumerate(calendar.extra_holidays):
            try:
                dt.date.fromisoformat(date)
            except ValueError:
                report(("calendar", "extra_holidays", position), _("not a date"), _("Write it as 2027-05-31."))
        _check_holidays(calendar.holidays, report)

    def period(self, at: int) -> Period:
        """Return whether ``at`` is working or free time."""
        return "working" if any(start <= at < end for start, end in self._near(at)) else "free"

    def boundaries(self, start: int, end: int) -> Iterator[tuple[int, Period]]:
        """Yield (instant, period that begins then) from ``start``, itself first, until before ``end``."""
        period = self.period(start)
        yield start, period
        for day in range(start, end, DAY_MS):
            until = min(end, day + DAY_MS)
            for instant in sorted({i for span in self._near(day) for i in span if day <= i < until and i > start}):
                if self.period(instant) != period:
                    period = self.period(instant)
                    yield instant, period

    def next_change(self, at: int, days: int = LOOKAHEAD_DAYS) -> int | None:
        """Return when the period that holds at ``at`` ends; None when it does not within ``days``."""
        changes = self.boundaries(at, at + days * DAY_MS)
        next(changes)
        return next((instant for instant, _period in changes), None)

    def _near(self, at: int) -> tuple[tuple[int, int], ...]:
        return self._week(dt.datetime.fromtimestamp(at / 1000, self.zone_info).date())

    def _spans_around(self, day: dt.date) -> tuple[tuple[int, int], ...]:
        spans = []
        for offset in range(-2, 3):
            date = day + dt.timedelta(days=offset)
            if date in self._extra or (self._public is not None and date in self._public):
                continue
            for start, end in self._hours[date.weekday()]:
                spans.append((self._instant(date, start), self._instant(date, end if end > start else end + 1440)))
        return tuple(sorted(spans))

    def _instant(self, date: dt.date, minutes: int) -> int:
        wall = dt.datetime.combine(date + dt.timedelta(days=minutes // 1440), dt.time(), self.zone_info)
        return int(wall.replace(hour=minutes % 1440 // 60, minute=minutes % 60).timestamp() * 1000)


def spell_out(calendar: Calendar, at: int) -> Calendar:
    """Return the same calendar with its public holidays as dates, from the year before ``at`` to HOLIDAY_YEARS after it.

    Whoever reads it needs no library of holidays, and no two versions of one can disagree.
    """
    year = dt.datetime.fromtimestamp(at / 1000, dt.UTC).year
    public = _public_holidays(calendar.holidays, range(year - 1, year + HOLIDAY_YEARS + 1))
    if public is None:
        return calendar
    dates = {*calendar.extra_holidays, *(day.isoformat() for day in public)}
    return msgspec.structs.replace(calendar, holidays=None, extra_holidays=tuple(sorted(dates)))


def parse_days(text: str) -> list[int]:
    """Return the weekdays (0 = Monday) that ``mon-fri``, ``sat`` or ``tue,thu`` names; empty when it names none."""
    found: list[int] = []
    for part in text.lower().replace(" ", "").split(","):
        first, _dash, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            return []
        start, end = DAYS.index(first), DAYS.index(last or first)
        found.extend(day % 7 for day in range(start, end + 1 if end >= start else end + 8))
    return found


def parse_span(text: str) -> tuple[int, int]:
    """Return (start, end) in minutes after midnight of ``09:00-17:30``; (0, 0) when it is no span."""
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)\s*[-–]\s*([01]?\d|2[0-4]):([0-5]\d)", text.strip())
    if match is None:
        return 0, 0
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    return (0, 0) if end > 1440 or start == end else (start, end)


def _public_holidays(spec: Holidays | None, years: range = range(0)) -> HolidayBase | None:
    if spec is None:
        return None
    import holidays  # 14 MB and 150 ms that no laptop pays: releases have the dates (spell_out)

    return holidays.country_holidays(spec.country, subdiv=spec.region or None, years=years)


def _check_holidays(spec: Holidays | None, report: Report) -> None:
    if spec is None:
        return
    import holidays

    regions = holidays.list_supported_countries().get(spec.country)
    if regions is None:
        advice = _("Write a two-letter country code such as DE, US or CN.")
        report(("calendar", "holidays", "country"), _("no holidays are known for “{name}”", name=spec.country), advice)
    elif spec.region and spec.region not in regions:
        advice = _("Write one of: {words}.", words=", ".join(regions)) if regions else _("Remove it.")
        report(("calendar", "holidays", "region"), _("no region is called “{name}”", name=spec.region), advice)
