"""Processes that a measurement starts: known by their id, and gone when it ends."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.demo.programs import free_port, until

KB = 1024


@contextmanager
def running(*command: str | Path, log: Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env=os.environ | (env or {}), start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def aw_server(home: Path, folder: Path) -> Iterator[tuple[int, str]]:
    """Run the peer server on an empty database; (process id, address), once it answers."""
    url = f"http://127.0.0.1:{free_port()}"
    with running(*aw_command(home, url), log=folder / "aw-server.log", env=aw_env(folder)) as process:
        until("aw-server answers", lambda: answers(f"{url}/api/0/info"))
        yield process.pid, url


def aw_command(home: Path, url: str) -> list[str | Path]:
    """Return how the peer server is started."""
    return [home / "bin" / "aw-server", "--host", "127.0.0.1", "--port", url.rpartition(":")[2]]


def aw_env(folder: Path) -> dict[str, str]:
    """Return where the peer server keeps what it keeps: below ``folder``."""
    return {f"XDG_{kind}_HOME": str(folder / "aw" / kind.lower()) for kind in ("DATA", "CONFIG", "CACHE", "STATE")}


def answers(url: str) -> bool:
    """Say whether something answers with 200 there."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, threads that have ended too (in steps of 10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a process at rest has used so far: processor seconds (exact), how often its threads slept and woke."""

    at: float
    cpu_s: float
    wakeups: int

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Read it, over all threads that live now."""
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        cpu_ns = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
        return cls(
            time.monotonic(), cpu_ns / 1e9, sum(_status(task / "status", "voluntary_ctxt_switches") for task in tasks)
        )


@dataclass(frozen=True)
class Memory:
    """Resident and proportional memory, in MB."""

    rss: float
    pss: float

    @classmethod
    def of(cls, pid: int) -> Memory:
        """Read it."""
        rollup = Path(f"/proc/{pid}/smaps_rollup")
        return cls(_status(rollup, "Rss") / KB, _status(rollup, "Pss") / KB)


def _status(path: Path, field: str) -> int:
    lines = path.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
