"""``python -m tests.bench``: measure, write the figures, print the table."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.bench import machine
from tests.bench.figures import Figure, read, write
from tests.bench.measurements import MEASUREMENTS
from tests.bench.registry import Bench, Measurement
from tests.bench.table import show
from tests.demo.programs import ROOT


def main() -> int:
    """Measure; 0 when everything that was asked for could be measured, with its peer."""
    arguments = argparse.ArgumentParser(prog="make bench", description=__doc__)
    arguments.add_argument("--only", default="", metavar="PREFIX", help="measure what begins like this")
    arguments.add_argument("--out", type=Path, default=ROOT / "var" / "bench.json", metavar="FILE")
    arguments.add_argument("--scale", type=float, default=1.0, metavar="SHARE", help="do only this share of the work")
    options = arguments.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended, too
    chosen = [measurement for measurement in MEASUREMENTS if measurement.is_meant(options.only)]
    if not chosen:
        names = ", ".join(name for measurement in MEASUREMENTS for name in measurement.names)
        print(f"nothing is called {options.only!r}; there are: {names}", file=sys.stderr)
        return 2
    return _run(chosen, options.out, options.scale, read(options.out) if options.only else [])


def _run(chosen: list[Measurement], out: Path, scale: float, kept: list[Figure]) -> int:
    where = machine.describe()
    print(where, machine.load_warning(), sep="\n", flush=True)
    folder = out.with_suffix("")  # var/bench beside var/bench.json
    bench = Bench(folder, ROOT / "var" / "peers", where, lambda line: print(line, flush=True), scale)
    begin = time.monotonic()
    for measurement in chosen:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _measure(bench, measurement)
        write(out, bench.figures, kept)
    show(bench.figures)
    print(f"{out}: {len(bench.figures)} figures in {time.monotonic() - begin:.0f} s")
    for problem in bench.problems:
        print(f"not measured: {problem}", file=sys.stderr)
    return 1 if bench.problems else 0


def _measure(bench: Bench, measurement: Measurement) -> None:
    """Run one measurement; one that fails does not take the others with it."""
    what = ", ".join(measurement.names)
    bench.say(f"  {what} …")
    begin = time.monotonic()
    try:
        measurement.run(bench)
    except Exception as error:
        bench.problem(f"{what}: {type(error).__name__}: {error}")
    bench.say(f"    {time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
