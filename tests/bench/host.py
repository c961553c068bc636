"""A native-messaging host driven as a browser drives it: a child process, frames on its standard input and output."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any, Self

from abide_rules.wire import EXTENSION_ID_CHROMIUM

ORIGIN = f"chrome-extension://{EXTENSION_ID_CHROMIUM}/"
HELLO = {
    "type": "hello", "v": 1, "browser": "chromium", "browser_version": "156", "extension_version": "0.1.0",
    "policy_version": 0,
}  # fmt: skip


class NativeHost:
    """One running host; closes with the block."""

    def __init__(self, command: Path | str) -> None:
        self._process = subprocess.Popen([str(command), ORIGIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(timeout=20)
        if self._process.stdout:
            self._process.stdout.close()

    def send(self, message: dict[str, Any]) -> None:
        """Send a frame."""
        raw = json.dumps(message).encode()
        if self._process.stdin is None:
            raise RuntimeError("the host has no standard input")
        self._process.stdin.write(struct.pack("=I", len(raw)) + raw)
        self._process.stdin.flush()

    def receive(self, kind: str) -> dict[str, Any]:
        """Return the next message of a type; others are passed over. Raises EOFError when the host ended."""
        if self._process.stdout is None:
            raise RuntimeError("the host has no standard output")
        while True:
            head = self._process.stdout.read(4)
            if len(head) < 4:
                raise EOFError("the native host ended")
            message: dict[str, Any] = json.loads(self._process.stdout.read(struct.unpack("=I", head)[0]))
            if message["type"] == kind:
                return message

    def read_on(self) -> None:
        """Read whatever comes, in the background, as a browser does."""
        threading.Thread(target=self._drain, name="native-host", daemon=True).start()

    def _drain(self) -> None:
        if self._process.stdout is not None:
            while os.read(self._process.stdout.fileno(), 65_536):
                pass
