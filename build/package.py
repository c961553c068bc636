"""``make package``: what laptops install, in dist/: the agent as a Debian package, and the extension beside it.

A clean virtualenv with the agent's locked dependencies only (what else a developer has installed would leak into it) →
the wheel → PyInstaller → the program is run (checks.py) → the package (deb.py). Nothing is made when dist/ has it already.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from checks import check_program
from deb import Deb
from extension import pack as pack_extension
from licences import third_party

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
WORK = ROOT / "var" / "package"
VENV = WORK / "venv"
PROGRAM = WORK / "program" / "abide-agent"
KEY = ROOT / ".keys" / "extension.pem"
LOCK = ROOT / "build" / "requirements" / "package.txt"
SOURCES = ("agent", "rules", "extension", "build", "pyproject.toml", "CHANGELOG.md", "LICENSE")
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


def main() -> int:
    """Make the packages; the exit code says whether every step was well."""
    arguments = argparse.ArgumentParser(prog="make package", description=__doc__)
    arguments.add_argument(
        "--key", type=Path, default=KEY, help="the extension's key: made when missing, kept for ever"
    )
    arguments.add_argument("--update-url", default="", help="the server's folder of extensions, https://…/extension/")
    arguments.add_argument("--version", help="only pack the program that is there already, as this version")
    options = arguments.parse_args()
    os.environ["SOURCE_DATE_EPOCH"] = epoch()
    if options.version:
        pack(options.version)
        return 0
    made, version = DIST / "made.json", project_version()
    wanted = fingerprint(options.key, options.update_url)
    if made.exists() and json.loads(made.read_text()) == wanted and deb(version).path.exists():
        print(f"{deb(version).path.relative_to(ROOT)} is up to date")
        return 0
    made.unlink(missing_ok=True)
    for folder in (DIST, WORK):
        folder.mkdir(parents=True, exist_ok=True)
    make_program()
    with step("the extension, as CRX and XPI") as say:
        described = pack_extension(options.key, DIST / "extension", options.update_url)
        shutil.copytree(DIST / "extension", PROGRAM / "extension")
        say(f"{described['version']}, {described['chromium_id']}, {described['firefox_id']}")
    with step("the program enrols, runs and speaks to a browser") as say:
        say(check_program(PROGRAM / "abide-agent", WORK / "check"))
    pack(version)
    made.write_text(json.dumps(fingerprint(options.key, options.update_url)))
    return 0


def make_program() -> None:
    """Make the program from what is in the checkout."""
    with step("a clean virtualenv with the agent's locked dependencies"):
        make_venv()
    with step("the wheel"):
        folder = WORK / "wheel"
        shutil.rmtree(folder, ignore_errors=True)
        run(sys.executable, *PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
        run(VENV / "bin/python", *PIP, "install", "--no-deps", "--no-index", "--force-reinstall", *folder.glob("*.whl"))
    with step("PyInstaller") as say:
        folders = ("--workpath", WORK / "work", "--distpath", PROGRAM.parent)
        spec = ROOT / "build" / "abide-agent.spec"
        run(VENV / "bin/pyinstaller", "--clean", "--noconfirm", "--log-level", "ERROR", *folders, spec)
        say(f"{size(PROGRAM) / 1e6:.0f} MB")


def make_venv() -> None:
    """Make the virtualenv again when the lock file or Python changed."""
    stamp, wanted = VENV / "made", f"{sys.version}\n{LOCK.read_text()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    run(sys.executable, "-m", "venv", "--clear", VENV)
    run(VENV / "bin/python", *PIP, "install", "--require-hashes", "-r", LOCK)
    stamp.write_text(wanted)


def pack(version: str) -> None:
    """Make the Debian package of the program that is there."""
    with step(f"abide-agent {version} as a Debian package") as say:
        package = deb(version)
        package.make(third_party(VENV))
        say(f"{package.path.stat().st_size / 1e6:.1f} MB, installed {size(package.tree) / 1e6:.0f} MB")


def deb(version: str) -> Deb:
    """Return the Debian package of a version."""
    return Deb(version, PROGRAM, DIST, WORK / "deb")


def fingerprint(key: Path, update_url: str) -> dict[str, str]:
    """Return what the packages are made of, by hash."""
    digest = hashlib.sha256()
    for file in sorted(file for name in SOURCES for file in files_of(ROOT / name)):
        digest.update(f"{file.relative_to(ROOT)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    identity = hashlib.sha256(key.read_bytes() if key.exists() else b"").hexdigest()
    return {"python": sys.version, "sources": digest.hexdigest(), "key": identity, "update_url": update_url}


def files_of(path: Path) -> Iterator[Path]:
    """Yield a file, or the files below a folder, without what Python makes beside them."""
    if path.is_file():
        yield path
    yield from (p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts and p.suffix != ".mo")


def epoch() -> str:
    """Return the date of everything in the packages: as given, else the day of the last change to what they are made of."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    command = ["git", "log", "-1", "--format=%ct", "--", *SOURCES]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip() or "0"


def project_version() -> str:
    """Return the version in pyproject.toml."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def size(folder: Path) -> int:
    """Return the bytes of the files below a folder."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())


def run(*command: str | Path) -> None:
    """Run a command; stops everything when it fails."""
    subprocess.run([*map(str, command)], check=True, env=os.environ | {"PYTHONHASHSEED": "0"})


@contextmanager
def step(name: str) -> Iterator[Callable[[str], None]]:
    """Say what is done, how long it took, and what it tells about itself."""
    told: list[str] = []
    begin = time.monotonic()
    yield told.append
    print(f"{time.monotonic() - begin:7.1f} s  {name}" + "".join(f": {text}" for text in told), flush=True)


if __name__ == "__main__":
    sys.exit(main())
