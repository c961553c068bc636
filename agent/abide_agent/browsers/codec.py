"""Frames: a 32-bit length in the machine's byte order, then that many bytes of JSON (as in native messaging)."""

from __future__ import annotations

import asyncio
import struct

import msgspec

from abide_rules.errors import MalformedError, TooLargeError

MAX_FRAME_UP_BYTES = 4 * 1024 * 1024
MAX_FRAME_DOWN_BYTES = 1_000_000
_LENGTH = struct.Struct("=I")


def encode_frame(message: msgspec.Struct) -> bytes:
    """Return ``message`` as a frame."""
    body = msgspec.json.encode(message)
    return _LENGTH.pack(len(body)) + body


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """Return the JSON of the next frame, or None at the end.

    Raises TooLargeError for an announced length that is too long, MalformedError for a frame that breaks off or is empty.
    """
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise MalformedError("a frame breaks off in its length") from error
    if length > MAX_FRAME_UP_BYTES:
        raise TooLargeError(f"a frame has at most {MAX_FRAME_UP_BYTES} bytes, this one {length}")
    if length == 0:
        raise MalformedError("an empty frame")
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise MalformedError(f"a frame of {length} bytes breaks off after {len(error.partial)}") from error
