"""Peers: what others made, each in a virtualenv of its own below ``var/peers``, with exact versions."""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

PYTHON = Path(sys.executable)
SCRIPTS = Path(__file__).parent / "peers"


class PeerError(Exception):
    """A peer cannot be had; the text says which and why."""


@dataclass(frozen=True)
class Peer:
    """A peer and its exact requirements."""

    name: str
    requirements: tuple[str, ...]


AW_SERVER = Peer("aw-server", ("aw-server==0.12.0", "peewee==3.19.0"))  # with peewee 4 it answers every POST with 500
BRAVEBLOCK = Peer("braveblock", ("braveblock==0.5.1",))
RULE_ENGINE = Peer("rule-engine", ("rule-engine==5.1.0",))


def make_home(folder: Path, peer: Peer) -> Path:
    """Return the peer's virtualenv, made when it is not there yet. Raises PeerError when the registry cannot be reached."""
    home = folder / peer.name
    stamp = home / ".installed"
    wanted = "\n".join(peer.requirements)
    if stamp.exists() and stamp.read_text() == wanted:
        return home
    venv.create(home, clear=True)
    pip: list[str | Path] = [PYTHON, "-m", "pip", "--python", home / "bin" / "python", "--disable-pip-version-check"]
    command = [*pip, "install", "--quiet", *peer.requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise PeerError(f"{peer.name} cannot be installed (is the package registry reachable?): {last}")
    stamp.write_text(wanted)
    return home


def ask(home: Path, script: Path, *arguments: Path | str) -> str:
    """Run a script of ours with the peer's Python and return what it printed. Raises PeerError."""
    command = [home / "bin" / "python", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise PeerError(f"{script.name} in {home} ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout
