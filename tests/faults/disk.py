"""A small disk that is really full: a tmpfs in a mount namespace of its own, which ends with the test."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo.programs import BIN, Program

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own needs root")
MOUNT = 'mount -t tmpfs -o size="$1",mode=700 tmpfs "$2" && echo ready && exec cat'


class Disk:
    """``path`` is the disk as this process sees it, ``inside`` as a program does that :meth:`run_inside` prepared."""

    def __init__(self, inside: Path, holder: subprocess.Popen[bytes]) -> None:
        self.inside = inside
        self.path = Path(f"/proc/{holder.pid}/root{inside}")
        self._enter = ("nsenter", "-t", str(holder.pid), "-m", "--")
        self._ballast = self.path / "ballast"

    def run_inside(self, program: Program) -> Program:
        """The same program, seeing this disk."""
        moved = Program(program.name, log=program.log)
        moved.command = [*self._enter, *program.command]
        return moved

    def tool(self, name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of our commands to its end."""
        env = os.environ | {"ABIDE_LANG": "en", "NO_COLOR": "1", "COLUMNS": "160"}
        command = [*self._enter, BIN / name, *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    def fill(self) -> None:
        """Take every byte that is free now."""
        with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
            for size in (65_536, 4_096, 1):
                with contextlib.suppress(OSError):
                    while ballast.write(bytes(size)) == size:
                        pass

    def free(self) -> None:
        """Give it back."""
        self._ballast.unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Disk]:
    """Mount a disk of ``size`` bytes at ``folder``, seen by programs inside only."""
    folder.mkdir()
    command = ["unshare", "-m", "sh", "-c", MOUNT, "sh", str(size), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        yield Disk(folder, holder)
        assert holder.stdin is not None
        holder.stdin.close()
