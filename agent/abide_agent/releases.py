"""Rules down: keeps the newest release and the people, verified, and says when they are stale.

Refreshed at a nudge, at each connection, and every ten minutes. The last good release stays in force whatever happens; the
files it lies in are verified from the pinned root at each load, and a file that fails is fetched again.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from abide_agent import platform
from abide_agent.clock import Clock
from abide_agent.config import Config
from abide_agent.held import Held, Verified, decode_held, encode_held, verify_held
from abide_agent.identity import Identity
from abide_agent.tasks import Backoff, wait_for
from abide_agent.transport import Transport
from abide_agent.trouble import Trouble
from abide_agent.vault import Vault
from abide_rules.errors import AbideError, BadDataError, TransportError
from abide_rules.i18n import _
from abide_rules.people import People, decode_people
from abide_rules.policy import Release, decode_release
from abide_rules.wire import PEOPLE_TARGET, POLICY_TARGET

if TYPE_CHECKING:
    from abide_agent.updates import Fetched

log = logging.getLogger(__name__)


class Releases:
    """The release and the people in force. ``trouble`` is told why nothing newer could be had.

    ``damaged`` says why the policy that earlier runs kept is not used, until another one is; else it is empty.
    """

    def __init__(
        self,
        config: Config,
        identity: Identity,
        transport: Transport,
        clock: Clock,
        vault: Vault,
        changed: Callable[[], Awaitable[None]],
        trouble: Trouble,
    ) -> None:
        self._config = config
        self._vault = vault
        self._identity = identity
        self._transport = transport
        self._clock = clock
        self._changed = changed
        self._wanted = asyncio.Event()
        self._refreshing = asyncio.Lock()
        self._policy: Held | None = None
        self._people: Held | None = None
        self._proof: Verified | None = None
        self.release: Release | None = None
        self.people = People()
        self._trouble = trouble
        self.damaged = ""
        self.people_problem = ""

    @property
    def version(self) -> int:
        """Version of the release that is held, 0 for none."""
        return self.release.version if self.release is not None else 0

    @property
    def refreshed_ms(self) -> int:
        """When the server last confirmed what is held, 0 for never."""
        return self._proof.refreshed_ms if self._proof is not None else 0

    def stale(self) -> str:
        """Return why the release may not be the newest, or empty."""
        now_ms = self._clock.now_ms()
        if self._proof is None:
            return "no policy is held"
        if now_ms > self._proof.expires_ms:
            return "the update metadata has expired"
        if now_ms - self._proof.refreshed_ms > self._config.stale_after_s * 1000:
            return "not confirmed by the server for more than a day"
        return ""

    def want(self) -> None:
        """Refresh soon: the server has, or may have, something new."""
        self._wanted.set()

    async def load(self) -> None:
        """Take over what earlier runs kept, if it verifies; ``damaged`` says why not."""
        try:
            self._policy = await self._read(self._config.policy, POLICY_TARGET)
            if self._policy is not None:
                self._enforce(self._policy)
        except AbideError as error:
            self._reject(self._config.policy, error)
        try:
            self._people = await self._read(self._config.people, PEOPLE_TARGET)
            self.people = _people(self._people)
        except AbideError as error:
            self._reject(self._config.people, error)

    async def run(self) -> None:
        """Refresh for ever."""
        backoff = Backoff(self._config.backoff_first_s, self._config.backoff_most_s)
        while True:
            try:
                await self.refresh()
            except AbideError as error:
                pause_s = min(backoff.next_s(), self._config.refresh_interval_s)
                self._fail(error, pause_s)
                await wait_for(self._wanted, pause_s)
            else:
                backoff.reset()
                self._trouble.over()
                await wait_for(self._wanted, self._config.refresh_interval_s)

    async def refresh(self) -> None:
        """Do one round; what verifies replaces what is held, both on disk and in force. Raises AbideError."""
        async with self._refreshing:
            fetched = await self._fetch()
            if fetched.policy is None:
                raise BadDataError(
                    _("the server has published no policy yet"),
                    advice=_("Publish one: abide-server publish FILE"),
                    code="sync/no-release",
                )
            changed = self._take_policy(fetched.policy)
            changed = self._take_people(fetched.people, fetched.people_problem) or changed
            self.damaged = ""
        if changed:
            await self._changed()

    async def _fetch(self) -> Fetched:
        from abide_agent import updates  # python-tuf costs memory; not before it is needed

        fetcher = updates.Fetcher(self._transport, asyncio.get_running_loop())
        now_ms = self._clock.now_ms()

        def fetch_in(directory: Path) -> Fetched:
            turn = updates.Round(directory, self._identity.root, self._transport, fetcher)
            return turn.fetch(self._policy, self._people, now_ms)

        def fetch() -> Fetched:
            try:
                return fetch_in(self._config.tuf)
            except updates.UnkeptError as error:
                log.warning("%s; trying in memory", error)
            try:
                with tempfile.TemporaryDirectory(dir=platform.memory_dir()) as directory:
                    updates.remember(Path(directory), self._policy)
                    return fetch_in(Path(directory))
            except OSError as error:
                raise TransportError(f"the updates cannot be kept in memory either: {error}") from error

        return await asyncio.to_thread(fetch)

    def _take_policy(self, held: Held) -> bool:
        before = self.release
        self._enforce(held)
        self._keep(self._config.policy, held)
        self._policy = held
        return self.release != before

    def _take_people(self, held: Held | None, problem: str) -> bool:
        self.people_problem = problem
        before = self.people
        try:
            self.people = _people(held)
        except AbideError as error:
            self.people_problem = str(error)
            return False
        if held is not None:
            self._keep(self._config.people, held)
        else:
            self._vault.remove(self._config.people)
        self._people = held
        return self.people != before

    def _enforce(self, held: Held) -> None:
        """Put a release in force. Raises SignatureError or BadDataError, with nothing changed."""
        proof = verify_held(held, self._identity.root, POLICY_TARGET)
        release = decode_release(proof.content)
        if release.version < self.version:
            raise BadDataError(
                f"release {release.version} is older than {self.version}, which is in force", code="sync/rolled-back"
            )
        self.release, self._proof = release, proof

    async def _read(self, path: Path, target: str) -> Held | None:
        def read() -> Held | None:
            try:
                held = decode_held(path.read_bytes())
            except FileNotFoundError:
                return None
            except OSError as error:
                raise BadDataError(str(error)) from error
            verify_held(held, self._identity.root, target)
            return held

        return await asyncio.to_thread(read)

    def _keep(self, path: Path, held: Held) -> None:
        try:
            self._vault.write(path, encode_held(held))
        except OSError as error:
            log.warning("%s cannot be kept (a restart would fetch it again): %s", path.name, error)

    def _reject(self, path: Path, error: AbideError) -> None:
        problem = f"{path.name} was rejected: {error}"
        log.error("%s", problem)
        if path == self._config.policy:
            self._policy, self.damaged = None, problem
        else:
            self.people_problem = problem

    def _fail(self, error: AbideError, pause_s: float) -> None:
        before = self._trouble.problem
        if before is None or before.detail != str(error):
            log.warning("no newer rules: %s", error)
        self._trouble.began(error, pause_s)


def _people(held: Held | None) -> People:
    return decode_people(held.content) if held is not None else People()
