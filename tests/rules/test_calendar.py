"""Working or free: daylight saving, midnight, holidays, and the timeline's boundaries."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from abide_rules.calendar import DAY_MS, HOLIDAY_YEARS, Calendar, Holidays, Schedule, parse_days, parse_span, spell_out
from abide_rules.errors import ConfigurationError

OFFICE = Calendar(
    zone="Europe/Berlin",
    hours={"mon-fri": ("09:00-12:30", "13:30-18:00")},
    holidays=Holidays("DE", "BY"),
    extra_holidays=("2026-12-24",),
)
NIGHT = Calendar(zone="Europe/Berlin", hours={"sat": ("22:00-06:00",)})
ALWAYS = Calendar(zone="UTC", hours={"mon-sun": ("00:00-24:00",)})


def ms(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("calendar", "at", "period", "why"),
    [
        (OFFICE, "2026-11-23T09:00+01:00", "working", "a span begins with its first minute"),
        (OFFICE, "2026-11-23T08:59:59+01:00", "free", "just before"),
        (OFFICE, "2026-11-23T12:29:59+01:00", "working", "just before the break"),
        (OFFICE, "2026-11-23T12:30+01:00", "free", "a span ends before its last minute"),
        (OFFICE, "2026-11-22T10:00+01:00", "free", "a Sunday"),
        (OFFICE, "2026-11-23T09:00+00:00", "working", "another offset, the same instant is 10:00"),
        (OFFICE, "2026-10-03T10:00+02:00", "free", "a Saturday and a public holiday"),
        (OFFICE, "2027-01-06T10:00+01:00", "free", "Epiphany is a holiday in Bavaria"),
        (OFFICE, "2026-12-24T10:00+01:00", "free", "an extra holiday of the company"),
        (OFFICE, "2026-03-30T09:30+02:00", "working", "the Monday after the clocks went forward"),
        (OFFICE, "2026-03-30T08:30+02:00", "free", "… where 08:30 is not yet working time"),
        (NIGHT, "2026-11-21T23:00+01:00", "working", "a night shift begins on its day"),
        (NIGHT, "2026-11-22T05:59+01:00", "working", "… and runs over midnight"),
        (NIGHT, "2026-11-22T06:00+01:00", "free", "… until its end"),
        (NIGHT, "2026-10-25T05:30+01:00", "working", "… also in the night the clocks go back"),
        (ALWAYS, "2026-11-23T00:00+00:00", "working", "around the clock"),
        (ALWAYS, "2026-11-22T23:59:59+00:00", "working", "… at each moment"),
    ],
)
def test_an_instant_is_working_or_free(calendar: Calendar, at: str, period: str, why: str) -> None:
    assert Schedule(calendar).period(ms(at)) == period, why


def test_spelt_out_holidays_mean_the_same_for_ten_years() -> None:
    at = ms("2026-11-23T10:00+01:00")
    written = spell_out(OFFICE, at)
    assert written.holidays is None
    assert "2026-12-24" in written.extra_holidays
    days = range(at - 300 * DAY_MS, at + HOLIDAY_YEARS * 365 * DAY_MS, DAY_MS)
    before, after = Schedule(OFFICE), Schedule(written)
    assert [before.period(day) for day in days] == [after.period(day) for day in days]
    assert spell_out(written, at) == written
    assert spell_out(NIGHT, at) == NIGHT


def test_the_person_s_zone_replaces_the_calendar_s() -> None:
    assert Schedule(OFFICE, "Asia/Shanghai").period(ms("2026-11-23T09:30+08:00")) == "working"
    assert Schedule(OFFICE, "Asia/Shanghai").period(ms("2026-11-23T09:30+01:00")) == "working"
    assert Schedule(OFFICE, "Asia/Shanghai").period(ms("2026-11-23T11:30+01:00")) == "free"


@pytest.mark.parametrize("calendar", [OFFICE, NIGHT, ALWAYS], ids=["office", "night", "always"])
def test_the_boundaries_tell_the_same_as_asking_at_every_quarter_of_an_hour(calendar: Calendar) -> None:
    schedule = Schedule(calendar)
    start = ms("2026-10-21T10:07+02:00")
    spans = list(schedule.boundaries(start, start + 8 * DAY_MS))
    assert spans[0] == (start, schedule.period(start))
    for at in range(start, start + 8 * DAY_MS, 900_000):
        assert [period for begin, period in spans if begin <= at][-1] == schedule.period(at)
    assert all(a[1] != b[1] for a, b in itertools.pairwise(spans))


def test_the_next_change_is_none_where_nothing_changes() -> None:
    assert Schedule(ALWAYS).next_change(ms("2026-11-23T10:00+00:00")) is None
    assert Schedule(OFFICE).next_change(ms("2026-11-23T10:00+01:00")) == ms("2026-11-23T12:30+01:00")


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri", [0, 1, 2, 3, 4]),
        ("sat", [5]),
        ("Tue, thu", [1, 3]),
        ("fri-mon", [4, 5, 6, 0]),
        ("", []),
        ("mon-x", []),
    ],
)
def test_days_are_read(text: str, days: list[int]) -> None:
    assert parse_days(text) == days


@pytest.mark.parametrize(
    ("text", "span"),
    [("09:00-17:30", (540, 1050)), ("9:00 – 17:30", (540, 1050)), ("22:00-06:00", (1320, 360)), ("00:00-24:00", (0, 1440)),
     ("9-17", (0, 0)), ("09:00-24:30", (0, 0)), ("09:00-09:00", (0, 0)), ("25:00-26:00", (0, 0))],
)  # fmt: skip
def test_spans_are_read(text: str, span: tuple[int, int]) -> None:
    assert parse_span(text) == span


def test_a_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no time zone"):
        Schedule(OFFICE, "Mars/Olympus")
