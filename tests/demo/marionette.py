"""Firefox's own remote control, Marionette: one TCP connection, JSON behind its length, one answer to each command.

It is used where WebDriver BiDi is not enough: only Marionette opens the pages of an extension, and only it reaches the
browser's own window, from which the extension's background page can be stopped.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any

START_S = 60.0
ANSWER_S = 120.0


class MarionetteError(Exception):
    """Firefox refused a command; ``code`` is WebDriver's word for why."""

    def __init__(self, command: str, code: str, message: str) -> None:
        super().__init__(f"{command}: {code}: {message}")
        self.code = code


class Marionette:
    """A session in the Firefox that listens on ``port``. Raises OSError when it is gone."""

    def __init__(self, port: int) -> None:
        self._socket = _connect(port)
        self._stream = self._socket.makefile("rb")
        self._number = 0
        self._receive()
        self.capabilities: dict[str, Any] = self("WebDriver:NewSession", pageLoadStrategy="none")["capabilities"]

    def __call__(self, command: str, **parameters: Any) -> Any:
        """Send a command and return its answer. Raises MarionetteError."""
        self._number += 1
        raw = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(raw), raw))
        _type, _number, error, answer = self._receive()
        if error:
            raise MarionetteError(command, error["error"], error["message"])
        return answer["value"] if isinstance(answer, dict) and answer.keys() == {"value"} else answer

    def in_browser(self, script: str, *arguments: Any) -> Any:
        """Run a script in the browser's own window, with all its rights; a promise is waited for."""
        self("Marionette:SetContext", value="chrome")
        try:
            return self("WebDriver:ExecuteScript", script=script, args=list(arguments), sandbox="system")
        finally:
            self("Marionette:SetContext", value="content")

    def close(self) -> None:
        """Hang up; Firefox goes on."""
        self._stream.close()
        self._socket.close()

    def _receive(self) -> Any:
        length = b""
        while (byte := self._stream.read(1)) != b":":
            if not byte:
                raise ConnectionResetError("Firefox hung up")
            length += byte
        return json.loads(self._stream.read(int(length)))


def _connect(port: int) -> socket.socket:
    deadline = time.monotonic() + START_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
