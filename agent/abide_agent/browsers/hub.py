"""The Unix socket: who may connect, and the sessions that are open."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

from abide_agent import platform
from abide_agent.browsers.session import Desk, Session
from abide_agent.tasks import Tasks
from abide_rules.errors import AbideError, ConfigurationError
from abide_rules.i18n import _
from abide_rules.wire import BrowserCoverage

log = logging.getLogger(__name__)

MAX_SESSIONS_OF_AN_ACCOUNT = 64
MAX_PATH_BYTES = 100


class Hub:
    """Listens on ``path``: for processes of this user and of root, or, ``shared``, of every user of this laptop."""

    def __init__(self, path: Path, desk: Desk, *, shared: bool = False) -> None:
        self._path = path
        self._shared = shared
        self._desk = desk
        self._tasks = Tasks("browsers")
        self._sessions: set[Session] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Start to listen. Raises ConfigurationError."""
        if len(bytes(self._path)) > MAX_PATH_BYTES:
            raise ConfigurationError(
                _("the path of the socket is too long: {path}", path=self._path), advice=_("Choose a shorter --state.")
            )
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(str(self._path))
            self._path.chmod(0o666 if self._shared else 0o600)
        except OSError as error:
            listener.close()
            raise ConfigurationError(
                _("the socket {path} cannot be made: {reason}", path=self._path, reason=error)
            ) from error
        self._server = await asyncio.start_unix_server(self._connected, sock=listener)

    async def reopen(self) -> None:
        """Listen on the path again, because the socket's name was taken away; sessions go on. Raises OSError."""
        if self._server is not None:
            self._server.close()
        try:
            await self.open()
        except ConfigurationError as error:
            raise OSError(str(error)) from error

    async def close(self) -> None:
        """Hang up on everybody and stop listening."""
        if self._server is not None:
            self._server.close()
        for session in self._sessions:
            session.close()
        await self._tasks.close()
        self._path.unlink(missing_ok=True)

    def accounts(self) -> set[str]:
        """Return the accounts that have a browser connected."""
        return {session.account for session in self._sessions if session.coverage is not None}

    def coverage(self, account: str = "") -> tuple[BrowserCoverage, ...]:
        """Return the browsers that are connected, of everybody or of one account."""
        found = (session.coverage for session in self._sessions if account in ("", session.account))
        return tuple(sorted((c for c in found if c is not None), key=lambda c: (c.browser, c.policy_version)))

    def refused(self, account: str = "") -> tuple[str, ...]:
        """Return the browsers, of everybody or of one account, that did not take what they were sent."""
        sessions = (session for session in self._sessions if session.has_refused and account in ("", session.account))
        return tuple(sorted(session.coverage.browser for session in sessions if session.coverage is not None))

    async def push(self) -> None:
        """Send plan and status to every browser that does not have them yet; a broken one only loses its session."""
        await asyncio.gather(*(self._push_to(session) for session in tuple(self._sessions)))

    async def send_time(self) -> None:
        """Say to every browser what time it is."""
        await asyncio.gather(*(self._send_time_to(session) for session in tuple(self._sessions)))

    async def _push_to(self, session: Session) -> None:
        with _broken_is_closed(session):
            await session.push()

    async def _send_time_to(self, session: Session) -> None:
        with _broken_is_closed(session):
            await session.send_time()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection: socket.socket = writer.get_extra_info("socket")
        uid = platform.peer_uid(connection)
        if not self._shared and uid not in (platform.user_id(), 0):
            log.warning("another user tried to connect")
            writer.close()
            return
        account = platform.account_of(uid) if self._shared else platform.account()
        if sum(session.account == account for session in self._sessions) >= MAX_SESSIONS_OF_AN_ACCOUNT:
            log.warning("more than %d connections of one account", MAX_SESSIONS_OF_AN_ACCOUNT)
            writer.close()
            return
        self._tasks.start("session", self._serve(Session(reader, writer, self._desk, account)))

    async def _serve(self, session: Session) -> None:
        self._sessions.add(session)
        try:
            with _broken_is_closed(session):
                await session.serve()
        finally:
            self._sessions.discard(session)
            session.close()
            if session.coverage is not None:
                await self._desk.coverage_changed()


@contextlib.contextmanager
def _broken_is_closed(session: Session) -> Iterator[None]:
    try:
        yield
    except (AbideError, TimeoutError, OSError) as error:
        log.warning("a connection was closed: %s", error)
        session.close()
