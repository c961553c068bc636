"""The daemon: the only place that composes. Everything else gets what it needs passed in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_agent import __version__, platform
from abide_agent.browsers.hub import Hub
from abide_agent.browsers.messages import RecordsMessage, SessionMessage, ShownProblem, StatusMessage
from abide_agent.clock import Clock
from abide_agent.config import Config
from abide_agent.guarded import Installation, open_vault
from abide_agent.health import LastVerdict, Snapshot
from abide_agent.identity import Identity, load_device
from abide_agent.integrity import Guard, Place, Tampering
from abide_agent.manifests import broken
from abide_agent.outbox import Outbox
from abide_agent.plans import Compiled, Plans
from abide_agent.recorder import Recorder
from abide_agent.releases import Releases
from abide_agent.signing import RequestSigner
from abide_agent.spool import Counts, Entry, Spool
from abide_agent.spool_db import Database, SpoolError
from abide_agent.stream import Stream
from abide_agent.tasks import Backoff, Tasks, Worker
from abide_agent.timekeeper import Timekeeper
from abide_agent.transport import Transport
from abide_agent.trouble import Trouble
from abide_agent.uplink import Uplink
from abide_agent.vault import Vault
from abide_agent.watch import Watch
from abide_rules.events import Evidence, Period
from abide_rules.i18n import LANGUAGES
from abide_rules.people import Person
from abide_rules.policy import Text
from abide_rules.problems import Problem, advise
from abide_rules.wire import MAX_PROBLEMS, Coverage

log = logging.getLogger(__name__)

UPKEEP_INTERVAL_S = 600
HARMLESS = ("clock:corrected", "clock:zone")
MAX_PROBLEMS_SHOWN = 3
LAST_EVENTS = 20


class Agent:
    """The parts of a running daemon; it is the desk of its browser sessions and the listener of its stream."""

    def __init__(
        self,
        config: Config,
        identity: Identity,
        key: Ed25519PrivateKey,
        db: Database,
        transport: Transport,
        clock: Clock,
        vault: Vault,
    ) -> None:
        self._config = config
        self._identity = identity
        self._key = key
        self._clock = clock
        self._started_ms = clock.now_ms()
        self._stop = asyncio.Event()
        self._crash: BaseException | None = None
        self._tasks = Tasks("agent", self._crashed)
        self._worker = Worker("spool")
        self._spool = Spool(db)
        self._counts = self._spool.counts()
        self._plans = Plans(key, config.recompile_after_s)
        self._compiling = asyncio.Lock()
        self._account = platform.account()
        self._news_ms = platform.boot_ms()
        self._manifest_problem = ""
        self._watch = Watch(self._look, self._health_changed, config.look_interval_s)

        def trouble(start: Problem | None = None) -> Trouble:
            return Trouble(clock.now_ms, self._watch.soon, start)

        self._stream_trouble = trouble(Problem("sync/connecting"))
        self._updates_trouble, self._uplink_trouble, self._record_trouble = trouble(), trouble(), trouble()

        def backoff() -> Backoff:
            return Backoff(config.backoff_first_s, config.backoff_most_s)

        self._recorder = Recorder(self._spool, self._worker, clock, self._person, self._on_stored, self._record_trouble)
        self.releases = Releases(config, identity, transport, clock, vault, self._recompile, self._updates_trouble)
        self._stream = Stream(identity.device, key, transport, clock, self, backoff(), self._stream_trouble)
        self._uplink = Uplink(
            identity,
            key,
            Outbox(db),
            self._worker,
            transport,
            clock,
            backoff(),
            self._counts_changed,
            self._uplink_trouble,
        )
        self._hub = Hub(config.socket, self, shared=config.system)
        self._tampered: dict[str, Tampering] = {}
        self._guard = Guard(
            vault, self._opened(db), Installation(config, vault).take_over, self._on_tampered, config.compare_interval_s
        )
        self._timekeeper = Timekeeper(clock, self._on_tampered, self._on_time_moved, config.clock_interval_s)

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until :meth:`stop`. Raises what ended the daemon, if it was an error."""
        await self.releases.load()
        await self._recompile()
        await self._hub.open()
        self._tasks.start("releases", self.releases.run())
        self._tasks.start("stream", self._stream.run())
        self._tasks.start("uplink", self._uplink.run())
        self._tasks.start("upkeep", self._upkeep())
        self._tasks.start("timekeeper", self._timekeeper.run())
        self._guard.start(self._crashed)
        self._tasks.start("watch", self._watch.run())
        ready()
        try:
            await self._stop.wait()
        finally:
            await self._hub.close()
            await self._guard.close()
            await self._tasks.close()
            self._worker.close()
        if self._crash is not None:
            raise self._crash

    def stop(self) -> None:
        """End :meth:`run`."""
        self._stop.set()

    def on_connected(self) -> None:
        """Refresh and send at once: the server is there."""
        self.releases.want()
        self._uplink.retry()
        self._tasks.start("push", self._hub.push())

    def on_nudge(self) -> None:
        """Refresh: something was published."""
        self.releases.want()

    def on_disconnected(self) -> None:
        """Tell the browsers."""
        self._tasks.start("push", self._hub.push())

    def coverage(self) -> Coverage:
        """Return what is guarded now, and what is wrong."""
        codes = tuple(problem.code for problem in self._problems()[:MAX_PROBLEMS])
        return Coverage(self._hub.coverage(), bool(self.releases.stale()), self._counts.waiting, codes)

    def policy_version(self) -> int:
        """Return the version that is held."""
        return self.releases.version

    def introduction(self) -> SessionMessage:
        """Return who signs the plans."""
        return SessionMessage(self._identity.device, self._key.public_key().public_bytes_raw())

    def now_ms(self) -> int:
        """Return what time it is by the server's clock."""
        return self._clock.now_ms()

    async def prepare(self, account: str) -> None:
        """Make the plan of ``account``, unless it is there."""
        if self._plan(account) is None:
            await self._recompile()

    def plan_frame(self, account: str) -> bytes:
        """Return the plan in force for ``account`` as a frame, empty when there is none."""
        plan = self._plan(account)
        return plan.frame if plan is not None else b""

    def status(self) -> StatusMessage:
        """Return what the popup shows."""
        return StatusMessage(
            connected=self._stream.connected,
            stale=bool(self.releases.stale()),
            policy_version=self.releases.version,
            spooled=self._counts.waiting,
            server=self._identity.server,
            problems=tuple(map(_shown, self._problems()[:MAX_PROBLEMS_SHOWN])),
        )

    async def record(self, account: str, browser: str, observations: list[msgspec.Raw]) -> list[str]:
        """Record observations and return the ids of those that are on disk."""
        return await self._recorder.record(account, browser, observations)

    async def records(self, account: str, limit: int) -> RecordsMessage:
        """Return what was recorded about ``account``, newest first."""
        return await self._recorder.records(limit, account if self._config.system else "")

    async def in_force(self, account: str, browser: str, version: int, at_ms: int) -> None:
        """Record it and tell the server."""
        at = self._clock.from_wall(at_ms)
        await self._recorder.in_force(account, browser, version, at, self._period(account, at))
        await self._stream.send_in_force(version, browser, at)

    def changing(self) -> AbstractAsyncContextManager[None]:
        """Let a program of ours change what is guarded, until the end of the block."""
        return self._guard.changing()

    async def coverage_changed(self) -> None:
        """Tell the server which browsers are guarded, now and when what they say has settled."""
        self._news_ms = platform.boot_ms()
        self._watch.soon()
        await self._stream.send_coverage()

    async def snapshot(self, account: str = "") -> Snapshot:
        """Return the health snapshot; others than the daemon's own account see only their own browsers in it."""
        account = account or self._account
        self._counts = await self._count()
        newest = await self._recent(account if self._config.system else "")
        facts = msgspec.structs.replace(self._facts(account), last=_last_verdict(newest))
        return msgspec.structs.replace(facts, problems=self._watch.problems(facts))

    def _facts(self, account: str) -> Snapshot:
        plan, releases, now_ms = self._plan(account), self.releases, self._clock.now_ms()
        whose = "" if account == self._account else account
        return Snapshot(
            agent_version=__version__,
            pid=os.getpid(),
            device=self._identity.device,
            server=self._identity.server,
            account=account,
            person=self._person(account).id,
            started_ms=self._started_ms,
            now_ms=now_ms,
            time_from_server=self._clock.from_server,
            connected=self._stream.connected,
            policy_version=releases.version,
            plan_version=plan.version if plan is not None else 0,
            refreshed_ms=releases.refreshed_ms,
            stale=releases.stale(),
            policy_damaged=releases.damaged,
            people_problem=releases.people_problem,
            plan_problem=self._plans.problem,
            spooled=self._counts.waiting,
            recorded=self._counts.recorded,
            dropped=self._counts.dropped,
            receipt_ms=self._uplink.receipt_ms,
            browsers=self._hub.coverage(whose),
            refused=self._hub.refused(whose),
            tampered=tuple(sorted(self._tampered.values(), key=lambda t: t.at, reverse=True)),
            guard_problem=self._guard.problem,
            settled=platform.boot_ms() - self._news_ms > self._config.settle_s * 1000,
            stream_trouble=self._stream_trouble.problem,
            updates_trouble=self._updates_trouble.problem,
            uplink_trouble=self._uplink_trouble.problem,
            record_trouble=self._record_trouble.problem,
            disk_free_bytes=platform.disk_free_bytes(self._config.state),
            clock_ahead_ms=platform.wall_ms() - now_ms if self._clock.from_server else 0,
            manifest_problem=self._manifest_problem,
            period=plan.period(now_ms) if plan is not None else "",
            period_until_ms=plan.until(now_ms) if plan is not None else 0,
            last=None,
        )

    def _problems(self) -> tuple[Problem, ...]:
        return self._watch.problems(self._facts(self._account))

    async def _look(self) -> Snapshot:
        self._manifest_problem = await asyncio.to_thread(broken, self._config)
        return self._facts(self._account)

    async def _health_changed(self) -> None:
        await self._hub.push()
        await self._stream.send_coverage()

    def _period(self, account: str, at_ms: int) -> Period:
        plan = self._plan(account)
        return plan.period(at_ms) if plan is not None else "working"

    def _opened(self, db: Database) -> list[Place]:
        """Return what is open under a name that others can take away."""
        lock = self._config.lock
        return [
            Place("spool", lambda: db.paths, lambda: self._worker.run(db.rebuild)),
            Place("socket", lambda: (self._config.socket,), self._hub.reopen),
            Place("lock", lambda: (lock,), lambda: asyncio.to_thread(platform.lock_file, lock)),
        ]

    async def _on_time_moved(self) -> None:
        """Tell the browsers, and give them a plan whose timeline covers what is now."""
        await self._hub.send_time()
        await self._recompile()

    async def _on_tampered(self, what: str, count: int) -> None:
        now_ms, before = self._clock.now_ms(), self._tampered.get(what)
        self._tampered[what] = Tampering(what, now_ms, count + (before.count if before is not None else 0))
        strength: Literal["strong", "weak"] = "weak" if what in HARMLESS else "strong"
        period = self._period(self._account, now_ms)
        await self._recorder.tampered(Evidence(what, strength, count), period, self.releases.version)

    def _person(self, account: str) -> Person:
        return self.releases.people.resolve(account, self._identity.device)

    def _plan(self, account: str) -> Compiled | None:
        return self._plans.of(self._person(account))

    async def _recompile(self) -> None:
        """Make and push the plans of everybody who is here, as far as release, person or day changed."""
        async with self._compiling:
            release, now_ms = self.releases.release, self._clock.now_ms()
            persons = {self._person(account) for account in {self._account, *self._hub.accounts()}}
            is_new = release is not None and await self._plans.refresh(release, persons, now_ms)
        self._watch.soon()
        if release is not None and is_new:
            self._news_ms = platform.boot_ms()
            await self._hub.push()
            await self._stream.send_in_force(release.version, "", now_ms)

    async def _upkeep(self) -> None:
        """Purge, and recompile daily."""
        while True:
            with contextlib.suppress(SpoolError):
                await self._worker.run(self._spool.purge, self._clock.now_ms(), self._config.retention_days)
            await self._recompile()
            await asyncio.sleep(UPKEEP_INTERVAL_S)

    def _on_stored(self) -> None:
        self._uplink.wake()
        self._counts_changed()

    def _counts_changed(self) -> None:
        self._tasks.start("counts", self._recount())

    async def _recount(self) -> None:
        before: Counts = self._counts
        self._counts = await self._count()
        if self._counts != before:
            self._watch.soon()
            await self._hub.push()

    async def _count(self) -> Counts:
        """Return the spool's numbers, or the last ones known when it cannot be read."""
        try:
            return await self._worker.run(self._spool.counts)
        except SpoolError as error:
            log.warning("%s", error)
            return self._counts

    async def _recent(self, account: str) -> list[Entry]:
        try:
            return await self._worker.run(self._spool.recent, LAST_EVENTS, account)
        except SpoolError as error:
            log.warning("%s", error)
            return []

    def _crashed(self, error: BaseException) -> None:
        self._crash = error
        self._stop.set()


def _shown(problem: Problem) -> ShownProblem:
    texts = {lang: advise(problem.code, lang) for lang in LANGUAGES}
    what = Text(**{lang: advice.what for lang, advice in texts.items()})
    step = Text(**{lang: advice.step for lang, advice in texts.items()})
    return ShownProblem(problem.code, problem.since_ms, what, step)


def _last_verdict(newest: list[Entry]) -> LastVerdict | None:
    visits = (entry.event for entry in newest if entry.event.kind in ("visit", "notice"))
    return next((LastVerdict(e.service, e.verdict, e.at) for e in visits), None)


@contextlib.asynccontextmanager
async def compose(config: Config) -> AsyncIterator[Agent]:
    """Return the parts of the agent of ``config.state``, put together. Raises ConfigurationError."""
    identity, key = load_device(config)
    vault = open_vault(config)
    clock = Clock(config.clock, write=vault.write)
    db = Database(config.spool, config.spool_max_bytes, config.spool_reserve_bytes)
    try:
        signer = RequestSigner(identity.device, key, clock.now_ms)
        async with Transport(identity.server, identity.ca, signer) as transport:
            yield Agent(config, identity, key, db, transport, clock, vault)
    finally:
        db.close()


async def serve(config: Config, ready: Callable[[], None]) -> None:
    """Run the daemon until SIGTERM or SIGINT. Raises ConfigurationError, or what ended it."""
    async with compose(config) as agent:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, agent.stop)
        await agent.run(ready)
