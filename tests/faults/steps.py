"""Kills a program at one of its steps towards the disk or the network, by strace."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests.demo.programs import Program, until

WRITES = (
    "fsync,fdatasync,rename,renameat,renameat2,unlink,ftruncate,pwrite64,write,sendto,sendmsg,writev,link,linkat,mkdir"
)
CALL = re.compile(r"(\d+) +(\w+)\(")

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="kill at every step needs strace")


class Step(NamedTuple):
    """The ``number``-th call of ``call`` that any thread of the program makes."""

    call: str
    number: int


class Traced(Program):
    """A program that is killed as it begins ``step``, or, with ``error``, whose step fails; None: only watched."""

    def __init__(self, program: Program, trace: Path, step: Step | None = None, *, error: str = "") -> None:
        super().__init__(program.name, log=program.log)
        inject = [] if step is None else ["-e", _inject(step, error)]
        watch = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={WRITES}", *inject]
        self._trace = trace
        self.command = [*watch, *program.command]

    def run(self) -> None:
        """Start it and wait for its end."""
        self.start()
        until(f"{self.name} ended", lambda: not self.runs)

    def steps(self) -> list[Step]:
        """Every step that was made, in the order in which it was first made by any thread."""
        made: Counter[tuple[str, str]] = Counter()
        found: dict[Step, None] = {}
        for line in self._trace.read_text("utf-8", "replace").splitlines():
            if call := CALL.match(line):
                made[call.groups()] += 1  # type: ignore[index]
                found[Step(call[2], made[call.groups()])] = None  # type: ignore[index]
        return list(found)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the program itself; strace ends with it."""
        if self.runs:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(self.pid).children():
                    child.send_signal(how)
            until(f"{self.name} ended", lambda: not self.runs)
        super().stop()


def chosen(steps: list[Step], most: int) -> list[Step]:
    """At most ``most`` of the steps, evenly; all of them with ABIDE_EVERY_STEP=1."""
    if os.environ.get("ABIDE_EVERY_STEP") or len(steps) <= most:
        return steps
    return [steps[n * len(steps) // most] for n in range(most)]


def _inject(step: Step, error: str) -> str:
    what = f"error={error}" if error else "signal=SIGKILL"
    when = f"{step.number}+" if error else f"{step.number}"
    return f"inject={step.call}:{what}:when={when}"
