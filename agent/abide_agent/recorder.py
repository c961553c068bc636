"""From observations to events: adds who, when and where, leaves out what must not be recorded, and stores."""

from __future__ import annotations

import datetime
import logging
import sqlite3
from collections.abc import Callable

import msgspec

from abide_agent.browsers.messages import Observation, ObservationId, Record, RecordsMessage
from abide_agent.clock import Clock
from abide_agent.spool import DAY_MS, NOBODY, Draft, Spool
from abide_agent.spool_db import SpoolError
from abide_agent.tasks import Worker
from abide_agent.trouble import Trouble
from abide_rules.events import Event, Evidence, Period
from abide_rules.people import Person

log = logging.getLogger(__name__)


class Recorder:
    """Records what the browsers report. ``person`` returns who an account is now; ``stored`` learns of it."""

    def __init__(
        self,
        spool: Spool,
        worker: Worker,
        clock: Clock,
        person: Callable[[str], Person],
        stored: Callable[[], None],
        trouble: Trouble,
    ) -> None:
        self._spool = spool
        self._worker = worker
        self._clock = clock
        self._person = person
        self._stored = stored
        self._trouble = trouble

    async def record(self, account: str, browser: str, observations: list[msgspec.Raw]) -> list[str]:
        """Record each observation of ``account`` once and return the ids of those that are on disk.

        A malformed one that has an id is recorded as one dropped observation, so that it is neither lost silently nor
        sent for ever. Nothing is confirmed when nothing could be written.
        """
        drafts = [draft for raw in observations if (draft := self._draft(account, browser, raw)) is not None]
        return [draft.observation for draft in drafts] if await self._append(drafts) else []

    async def in_force(self, account: str, browser: str, version: int, at: int, period: Period) -> None:
        """Record, once per account, browser and version, that a policy is enforced since ``at`` (server time, ms)."""
        event = self._event(
            kind="policy_in_force",
            at=at,
            browser=browser,
            period=period,
            verdict="allow",
            policy_version=version,
        )
        await self._append([Draft(f"in_force/{account}/{browser}/{version}", event, account)])

    async def tampered(self, found: Evidence, period: Period, policy_version: int) -> None:
        """Record that something the policy rests on was changed (and restored, where that is possible).

        ``count`` of the evidence is how often, or for clocks by how many minutes. No person stands in it: who did it is
        not known.
        """
        event = self._event(
            kind="tamper",
            at=self._clock.now_ms(),
            surface="desktop",
            period=period,
            verdict="inform",
            policy_version=policy_version,
            evidence=(found,),
        )
        await self._append([Draft("", event)])

    async def records(self, limit: int, account: str = "") -> RecordsMessage:
        """Return what was recorded (about one account, and about the device), newest first."""
        entries = await self._worker.run(self._spool.recent, limit, account)
        return RecordsMessage(
            [
                Record(e.at, e.kind, e.service, e.host, e.verdict, e.rule, e.clause, entry.acknowledged)
                for entry in entries
                for e in (entry.event,)
            ]
        )

    async def _append(self, drafts: list[Draft]) -> bool:
        if not drafts:
            return True
        try:
            new = await self._worker.run(self._spool.append, drafts)
        except (SpoolError, OSError, sqlite3.Error) as error:
            log.warning("nothing can be recorded: %s", error)
            self._trouble.began(error)
            return False
        self._trouble.over()
        if new:
            self._stored()
        return True

    def _draft(self, account: str, browser: str, raw: msgspec.Raw) -> Draft | None:
        try:
            seen = msgspec.json.decode(raw, type=Observation)
        except msgspec.MsgspecError as error:
            log.warning("a malformed observation: %s", error)
            return self._malformed(account, raw)
        at = self._clock.from_wall(seen.at)
        is_counted = seen.count or seen.verdict == "count"
        person = Person() if is_counted else self._person(account)
        event = self._event(
            kind=seen.kind,
            at=at - at % DAY_MS if is_counted else at,
            browser=browser,
            period=seen.period,
            verdict=seen.verdict,
            policy_version=seen.policy_version,
            rule=seen.rule,
            clause=seen.clause,
            service=seen.service,
            host="" if is_counted else seen.host,
            person=person.id,
            groups=person.groups,
        )
        return Draft(seen.id, event, NOBODY if is_counted else account)

    def _malformed(self, account: str, raw: msgspec.Raw) -> Draft | None:
        try:
            known = msgspec.json.decode(raw, type=ObservationId)
        except msgspec.MsgspecError:
            return None
        event = self._event(
            kind="dropped",
            at=self._clock.now_ms(),
            period="working",
            verdict="count",
            policy_version=0,
            dropped=1,
        )
        return Draft(known.id, event, account)

    def _event(self, **fields: object) -> Event:
        common = {"v": 1, "seq": 0, "tz_offset": _tz_offset(), "surface": "browser", "purpose": "undeclared"}
        return msgspec.convert(common | fields, Event)


def _tz_offset() -> int:
    """Return the laptop's offset from UTC in minutes east."""
    offset = datetime.datetime.now().astimezone().utcoffset()
    return int(offset.total_seconds()) // 60 if offset is not None else 0
