"""Programs that the demonstration starts: always the installed command lines, never their insides."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
WAIT_S = 30.0


class StoryError(Exception):
    """Something that the story needs did not happen; the text says what was expected and what was seen."""


class Program:
    """One long-running program of ours, its output in a log file."""

    def __init__(self, name: str, *arguments: str | Path, log: Path) -> None:
        self.name = name
        self.command = [str(BIN / name), *map(str, arguments)]
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running program. Raises StoryError when it is not running."""
        if self._process is None or self._process.poll() is not None:
            raise StoryError(f"{self.name} is not running; its output is in {self.log}")
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it is running."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, in its own session, so that a Ctrl-C for us does not reach it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait for its end; twice is once."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(timeout=WAIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(timeout=WAIT_S)
        self._process = None

    def kill(self) -> None:
        """End it as a power cut would."""
        self.stop(signal.SIGKILL)


def tool(name: str, *arguments: str | Path, accept: tuple[int, ...] = (0,)) -> str:
    """Run one of our commands to its end and return what it printed. Raises StoryError with what it said."""
    env = os.environ | {"ABIDE_LANG": "en", "NO_COLOR": "1", "COLUMNS": "160"}
    done = subprocess.run(
        [BIN / name, *arguments], env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode not in accept:
        raise StoryError(f"{name} {arguments[0]} ended with {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def tool_json(name: str, *arguments: str | Path, accept: tuple[int, ...] = (0,)) -> Any:
    """Run one of our commands with ``--json`` and return what it answered."""
    return json.loads(tool(name, *arguments, "--json", accept=accept))


def until(what: str, seen: Callable[[], Any], within_s: float = WAIT_S, every_s: float = 0.05) -> Any:
    """Ask ``seen`` until its answer is true and return the answer. Raises StoryError after ``within_s``."""
    deadline = time.monotonic() + within_s
    while True:
        answer = seen()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise StoryError(f"waited {within_s:.0f} s, but not: {what}")
        time.sleep(every_s)


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
