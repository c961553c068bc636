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
from abide_rules.errors import BadDataError, ConfigurationError
from abide_rules.i18n import _
from abide_rules.wire import BrowserCoverage

log = logging.getLogger(__name__)

MAX_SESSIONS = 64
MAX_PATH_BYTES = 100


class Hub:
    """Listens on ``path`` for processes of this user (and of root)."""

    def __init__(self, path: Path, desk: Desk) -> None:
        self._path = path
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
            self._path.chmod(0o600)
        except OSError as error:
            listener.close()
            raise ConfigurationError(
                _("the socket {path} cannot be made: {reason}", path=self._path, reason=error)
            ) from error
        self._server = await asyncio.start_unix_server(self._connected, sock=listener)

    async def close(self) -> None:
        """Hang up on everybody and stop listening."""
        if self._server is not None:
            self._server.close()
        for session in self._sessions:
            session.close()
        await self._tasks.close()
        self._path.unlink(missing_ok=True)

    def coverage(self) -> tuple[BrowserCoverage, ...]:
        """Return the browsers that are connected."""
        found = (session.coverage for session in self._sessions)
        return tuple(sorted((c for c in found if c is not None), key=lambda c: (c.browser, c.policy_version)))

    async def push(self) -> None:
        """Send plan and status to every browser that does not have them yet; a broken one only loses its session."""
        await asyncio.gather(*(self._push_to(session) for session in tuple(self._sessions)))

    async def _push_to(self, session: Session) -> None:
        with _broken_is_closed(session):
            await session.push()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection: socket.socket = writer.get_extra_info("socket")
        if platform.peer_uid(connection) not in (platform.user_id(), 0):
            log.warning("another user tried to connect")
            writer.close()
            return
        if len(self._sessions) >= MAX_SESSIONS:
            log.warning("more than %d connections", MAX_SESSIONS)
            writer.close()
            return
        self._tasks.start("session", self._serve(Session(reader, writer, self._desk)))

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
    except (BadDataError, TimeoutError, OSError) as error:
        log.warning("a connection was closed: %s", error)
        session.close()
