"""The readable table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.bench.figures import Figure

WIDTH = 150


def show(figures: Sequence[Figure]) -> None:
    """Print the figures, with which way is better and beside whom they stand."""
    table = Table(show_lines=False)
    for title in ("figure", "value", "unit", "better", "peer's", "ratio", "n", "beside"):
        table.add_column(title, justify="right" if title in {"value", "peer's", "ratio", "n"} else "left")
    for figure in figures:
        table.add_row(
            figure.name,
            number(figure.value),
            figure.unit,
            figure.direction,
            number(figure.peer_value),
            number(figure.ratio),
            str(figure.n),
            figure.peer or "",
        )
    console = Console()
    Console(width=max(console.width, WIDTH) if not console.is_terminal else None).print(table)


def number(value: float | None) -> str:
    """Return a number as people read it."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
