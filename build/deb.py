"""The Debian package of the agent: a folder laid out as it will be installed, and ``dpkg-deb``.

Nothing in it is a configuration file: those would survive the package's removal.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

BUILD = Path(__file__).parent
SCRIPTS = ("postinst", "prerm", "postrm")


@dataclass(frozen=True)
class Deb:
    """A version of the package, made of the folder ``program`` by way of the scratch folder ``tree``."""

    version: str
    program: Path
    dist: Path
    tree: Path

    @property
    def path(self) -> Path:
        """The package that :meth:`make` makes."""
        return self.dist / f"abide-agent_{self.version}_{_architecture()}.deb"

    def make(self, third_party: str) -> None:
        """Lay out and pack. Raises CalledProcessError."""
        shutil.rmtree(self.tree, ignore_errors=True)
        shutil.copytree(self.program, self.tree / "opt/abide-agent", symlinks=True)
        (self.tree / "usr/bin").mkdir(parents=True)
        (self.tree / "usr/bin/abide-agent").symlink_to("/opt/abide-agent/abide-agent")
        doc = self.tree / "usr/share/doc/abide-agent"
        _copy(BUILD / "debian/copyright", doc / "copyright")
        _copy(BUILD.parent / "CHANGELOG.md", doc / "CHANGELOG.md")
        (doc / "THIRD-PARTY").write_text(third_party, "utf-8")
        self._normalise()
        self._control()
        command = ("dpkg-deb", "--root-owner-group", "-Zzstd", "-z19", "--build", self.tree, self.path)
        subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL)

    def _control(self) -> None:
        debian = self.tree / "DEBIAN"
        debian.mkdir()
        bytes_installed = sum(p.lstat().st_size for p in self.tree.rglob("*") if not p.is_dir())
        text = (BUILD / "debian/control").read_text("utf-8")
        fields = {"version": self.version, "architecture": _architecture(), "glibc": platform.libc_ver()[1]}
        (debian / "control").write_text(text.format(installed_kib=bytes_installed // 1024, **fields), "utf-8")
        for name in SCRIPTS:
            _copy(BUILD / "debian" / name, debian / name)
            (debian / name).chmod(0o755)

    def _normalise(self) -> None:
        """Readable by all, writable by root, whatever the umask was."""
        for path in self.tree.rglob("*"):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)


def _architecture() -> str:
    return subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()
