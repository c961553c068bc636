"""A figure, the file of figures, and the little statistics they need."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from abide_rules.files import write_atomic

HIGHER_IS_BETTER = frozenset({"URLs/s", "decisions/s", "events/s"})


class Figure(msgspec.Struct, frozen=True):
    """One number. ``peer`` says beside whom it stands and what the peer leaves out; ``n`` how often it was measured."""

    name: str
    value: float
    unit: str
    peer: str | None
    peer_value: float | None
    ratio: float | None
    n: int
    machine: str

    @property
    def direction(self) -> str:
        """Which way is better."""
        return "higher" if self.unit in HIGHER_IS_BETTER else "lower"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that ``share`` (0 … 1) of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def interval(values: Sequence[float], rounds: int = 2_000) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the median; the same values give the same interval."""
    rng = random.Random(1)
    medians = [statistics.median(rng.choices(values, k=len(values))) for _ in range(rounds)]
    return percentile(medians, 0.025), percentile(medians, 0.975)


def median_rate(action: Callable[[], object], size: int, repeats: int, now: Callable[[], float]) -> float:
    """Return how many of ``size`` things a second ``action`` does, in the median of ``repeats`` runs."""
    rates = []
    for _ in range(repeats):
        begin = now()
        action()
        rates.append(size / (now() - begin))
    return statistics.median(rates)


def read(path: Path) -> list[Figure]:
    """Return the figures of a file; none when there is no such file."""
    return msgspec.json.decode(path.read_bytes(), type=list[Figure]) if path.exists() else []


def write(path: Path, new: Sequence[Figure], kept: Sequence[Figure] = ()) -> None:
    """Write figures in place of those of the same name among ``kept``, and the rest of those too."""
    found = {figure.name: figure for figure in (*kept, *new)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, msgspec.json.format(msgspec.json.encode(list(found.values())), indent=1) + b"\n")
