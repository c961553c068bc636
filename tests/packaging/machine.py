"""This machine once more, in namespaces of its own, with a systemd that runs: there packages are installed and purged."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.demo.programs import StoryError, until

BOOT = Path(__file__).with_name("boot.sh")
ENVIRONMENT = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")


class Machine:
    """A running machine; ``root`` is its root folder, ``shared`` a folder that is the same there and here."""

    def __init__(self, first_process: int, shared: Path) -> None:
        self.shared = shared
        self.root = Path(f"/proc/{first_process}/root")
        self._enter = ("nsenter", "-t", str(first_process), "-m", "-p", "-C", "-u", "-i", "--")

    def command(self, *arguments: str | Path, account: str = "root") -> list[str]:
        """What runs a command there when it is run here."""
        person = () if account == "root" else ("runuser", "-u", account, "--")
        home = "/root" if account == "root" else f"/home/{account}"
        return [*self._enter, *ENVIRONMENT, f"HOME={home}", *person, *map(str, arguments)]

    def run(self, *arguments: str | Path, account: str = "root", accept: tuple[int, ...] = (0,)) -> str:
        """Run a command there and return what it prints. Raises StoryError when it ends otherwise than accepted."""
        result = subprocess.run(
            self.command(*arguments, account=account), capture_output=True, text=True, timeout=300, check=False
        )
        if result.returncode not in accept:
            text = f"{result.stdout}{result.stderr}"
            raise StoryError(f"{' '.join(map(str, arguments))} ended with {result.returncode}:\n{text}")
        return result.stdout

    def changes(self) -> dict[str, str]:
        """What is otherwise than on the machine that this one was made of: path → added, changed or removed."""
        top = self.root / "run/changes"
        found = {
            str(path.relative_to(top)): _difference(path, Path("/") / path.relative_to(top)) for path in top.rglob("*")
        }
        return {path: how for path, how in found.items() if how}


@contextmanager
def machine() -> Iterator[Machine]:
    """Boot a machine; when the block ends it is gone, with all that was changed there."""
    with tempfile.TemporaryDirectory(prefix="abide-machine-") as name:
        work, shared = Path(name) / "work", Path(name) / "shared"
        work.mkdir()
        shared.mkdir()
        for folder in (Path(name), shared):
            folder.chmod(0o755)
        with (Path(name) / "boot.log").open("wb") as log:
            unshare = ("unshare", "-m", "-p", "-f", "-C", "-u", "-i", "--kill-child", "bash", BOOT, work, shared)
            process = subprocess.Popen([*map(str, unshare)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield _booted(process, shared, Path(name) / "boot.log")
        finally:
            process.kill()
            process.wait()


def _booted(process: subprocess.Popen[bytes], shared: Path, log: Path) -> Machine:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def systemd() -> int:
        if process.poll() is not None:
            raise StoryError(f"the machine does not boot: {log.read_text()}")
        first = [int(pid) for pid in children.read_text().split()]
        return next((pid for pid in first if Path(f"/proc/{pid}/comm").read_text() == "systemd\n"), 0)

    found = Machine(until("the machine's systemd", systemd), shared)
    until(
        "the machine runs",
        lambda: found.run("systemctl", "is-system-running", accept=(0, 1)).strip() in ("running", "degraded"),
    )
    return found


def _difference(path: Path, before: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISCHR(mode):
        return "removed"
    if not os.path.lexists(before):
        return "added"
    if mode != before.lstat().st_mode or (stat.S_ISREG(mode) and path.read_bytes() != before.read_bytes()):
        return "changed"
    return ""
