"""What can be measured, and what a measurement is given."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.peer import Peer, PeerError, make_home


@dataclass
class Bench:
    """One run: where its files go, how much of each measurement is done (``scale`` 1 is all), and what went wrong."""

    folder: Path
    peers: Path
    machine: str
    say: Callable[[str], None]
    scale: float = 1.0
    problems: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def times(self, full: int, least: int = 1) -> int:
        """Return how often to do what a whole run does ``full`` times."""
        return max(least, math.ceil(full * self.scale))

    def add(
        self, name: str, value: float, unit: str, n: int, *, peer: str | None = None, peer_value: float | None = None
    ) -> None:
        """Take note of a figure; without a ``peer_value`` it stands alone."""
        ratio = round(value / peer_value, 3) if peer_value else None
        if peer_value is None:
            peer = None
        else:
            peer_value = float(f"{peer_value:.4g}")
        self.figures.append(Figure(name, float(f"{value:.4g}"), unit, peer, peer_value, ratio, n, self.machine))

    def home(self, peer: Peer) -> Path | None:
        """Return the peer's virtualenv, or None when it cannot be had: figures then stand alone, the run is not ok."""
        try:
            return make_home(self.peers, peer)
        except PeerError as error:
            self.problem(str(error))
            return None

    def problem(self, text: str) -> None:
        """Take note of something that could not be measured."""
        self.problems.append(text)
        self.say(f"    NOT MEASURED: {text}")


@dataclass(frozen=True)
class Measurement:
    """One function and the headline figures it makes; it may add figures whose names begin like those."""

    names: tuple[str, ...]
    run: Callable[[Bench], None]

    def is_meant(self, prefix: str) -> bool:
        """Say whether ``ONLY=prefix`` asks for it."""
        return any(name.startswith(prefix) or (prefix and prefix.startswith(name)) for name in self.names)
