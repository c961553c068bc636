"""One round with the update repository: python-tuf's client over the agent's own HTTP session.

Runs in a thread, because python-tuf is synchronous; the requests themselves run on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.api.serialization import DeserializationError
from tuf.ngclient import FetcherInterface, Updater

from abide_agent.held import Held, verify_held
from abide_agent.transport import REQUEST_TIMEOUT_S, HttpError, Transport
from abide_rules.errors import AbideError, BadDataError, MalformedError, SignatureError, TransportError
from abide_rules.wire import (
    MAX_PEOPLE_BYTES,
    PEOPLE_TARGET,
    POLICY_TARGET,
    TUF_METADATA_PATH,
    TUF_TARGETS_PATH,
)

T = TypeVar("T")

MAX_FETCH_BYTES = MAX_PEOPLE_BYTES


class UnkeptError(TransportError):
    """The working files of the client cannot be written where they should lie."""


class Fetched(msgspec.Struct, frozen=True):
    """What one round brought; ``people`` is None when none are published, ``people_problem`` why they are not known."""

    policy: Held | None
    people: Held | None
    people_problem: str


class Fetcher(FetcherInterface):
    """python-tuf's seam for the network. People are fetched with a signature, everything else without."""

    def __init__(self, transport: Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = url.removeprefix(self._transport.server)
        signed = path.startswith(f"{TUF_TARGETS_PATH}people/")
        try:
            yield self._wait(self._transport.get(path, signed=signed, max_bytes=MAX_FETCH_BYTES))
        except HttpError as error:
            raise DownloadHTTPError(str(error), error.status) from error
        except AbideError as error:
            raise DownloadError(str(error)) from error

    def _wait(self, request: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(request, self._loop).result(REQUEST_TIMEOUT_S + 5)


class Round:
    """One refresh into ``directory`` (a cache that may be deleted), starting from the pinned root."""

    def __init__(self, directory: Path, pinned_root: bytes, transport: Transport, fetcher: Fetcher) -> None:
        self._directory = directory
        self._pinned_root = pinned_root
        with _our_errors():
            directory.mkdir(mode=0o700, exist_ok=True)
            self._updater = Updater(
                str(directory),
                transport.server + TUF_METADATA_PATH,
                target_base_url=transport.server + TUF_TARGETS_PATH,
                fetcher=fetcher,
                bootstrap=pinned_root,
            )

    def fetch(self, policy: Held | None, people: Held | None, now_ms: int) -> Fetched:
        """Refresh, and download what changed since ``policy`` and ``people``.

        Raises TransportError (UnkeptError when the directory fails), or SignatureError when the repository contradicts the
        trusted root.
        """
        with _our_errors():
            self._updater.refresh()
            new_policy = self._target(POLICY_TARGET, "policy", policy, now_ms)
        try:
            with _our_errors():
                return Fetched(new_policy, self._target(PEOPLE_TARGET, "people", people, now_ms), "")
        except AbideError as error:
            return Fetched(new_policy, people, str(error))

    def _target(self, path: str, role: str, known: Held | None, now_ms: int) -> Held | None:
        info = self._updater.get_targetinfo(path)
        if info is None:
            return None
        held = Held(
            role=role,
            roots=self._roots(),
            timestamp=self._metadata("timestamp"),
            snapshot=self._metadata("snapshot"),
            targets=self._metadata("targets"),
            delegate=self._metadata(role),
            content=self._content(info, known),
            refreshed_ms=now_ms,
        )
        verify_held(held, self._pinned_root, path)
        return held

    def _content(self, info: TargetFile, known: Held | None) -> bytes:
        if known is not None and _matches(info, known.content):
            return known.content
        download = self._directory / "download"
        try:
            self._updater.download_target(info, str(download))
            return download.read_bytes()
        finally:
            download.unlink(missing_ok=True)

    def _roots(self) -> tuple[bytes, ...]:
        first = Metadata[Root].from_bytes(self._pinned_root).signed.version
        last = Metadata[Root].from_bytes(self._metadata("root")).signed.version
        history = self._directory / "root_history"
        return tuple((history / f"{n}.root.json").read_bytes() for n in range(first + 1, last + 1))

    def _metadata(self, role: str) -> bytes:
        return (self._directory / f"{role}.json").read_bytes()


def remember(directory: Path, held: Held | None) -> None:
    """Prepare an empty directory for a :class:`Round`, so that it knows what was seen and takes nothing older."""
    if held is not None:
        parts = {"timestamp": held.timestamp, "snapshot": held.snapshot, "targets": held.targets}
        for role, metadata in parts.items():
            (directory / f"{role}.json").write_bytes(metadata)


def _matches(info: TargetFile, content: bytes) -> bool:
    try:
        info.verify_length_and_hashes(content)
    except LengthOrHashMismatchError:
        return False
    return True


@contextlib.contextmanager
def _our_errors() -> Iterator[None]:
    """Name python-tuf's errors by who is at fault."""
    try:
        yield
    except ExpiredMetadataError as error:
        raise TransportError(f"the server's update metadata has expired: {error}", code="sync/expired") from error
    except DownloadError as error:
        raise _not_fetched(error) from error
    except BadVersionNumberError as error:
        raise SignatureError(
            f"the server's updates are older than what is held: {error}", code="sync/rolled-back"
        ) from error
    except DeserializationError as error:
        raise MalformedError(f"the server's updates make no sense: {error}") from error
    except RepositoryError as error:
        raise SignatureError(f"the server's updates are not signed by the trusted keys: {error}") from error
    except OSError as error:
        raise UnkeptError(f"the updates cannot be kept: {error}", code="sync/disk") from error
    except (ValueError, KeyError) as error:
        raise BadDataError(f"the server's updates make no sense: {error}") from error


def _not_fetched(error: DownloadError) -> TransportError:
    """Return why a download failed, with what the transport knows of it."""
    cause = error.__cause__
    code = cause.code if isinstance(cause, AbideError) else "sync/nonsense"
    return TransportError(f"the server's updates cannot be fetched: {cause or error}", code=code)
