"""The bench itself: what ``make bench`` writes. No time is asserted here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import figures
from tests.bench.figures import Figure, interval, percentile
from tests.bench.measurements import MEASUREMENTS
from tests.bench.peer import Peer, PeerError, make_home
from tests.bench.registry import Bench, Measurement
from tests.demo.programs import ROOT

PROMISED = {
    "push_p50", "push_p99", "page_load", "native_round_trip", "classify", "decide", "agent_rest", "agent_start",
    "ingest_1", "ingest_100",
}  # fmt: skip
KEYS = {"name", "value", "unit", "peer", "peer_value", "ratio", "n", "machine"}


def run(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench", "--out", str(out), "--scale", "0.01", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def figure(name: str, value: float = 1.0) -> Figure:
    return Figure(name, value, "ms", None, None, None, 1, "here")


def test_every_promised_figure_has_a_measurement() -> None:
    assert {name for measurement in MEASUREMENTS for name in measurement.names} == PROMISED


def test_a_run_writes_its_figures_beside_those_of_earlier_runs_and_prints_a_table(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    figures.write(out, [figure("push_p50", 250.0), figure("classify", 1.0)])
    done = run(out, "--only", "classify")
    found = {one["name"]: one for one in json.loads(out.read_text())}
    assert found.keys() == {"push_p50", "classify"}
    assert all(one.keys() == KEYS for one in found.values())
    assert found["push_p50"]["value"] == 250.0
    assert found["classify"]["value"] > 1.0
    assert found["classify"]["unit"] == "URLs/s"
    assert (found["classify"]["peer_value"] is None) == (done.returncode == 1), done.stderr
    assert "classify" in done.stdout
    assert "higher" in done.stdout


def test_an_unknown_name_is_wrong_usage(tmp_path: Path) -> None:
    done = run(tmp_path / "bench.json", "--only", "nothing-like-this")
    assert done.returncode == 2
    assert "push_p50" in done.stderr


@pytest.mark.parametrize(
    ("prefix", "meant"),
    [("", True), ("agent", True), ("agent_rest", True), ("agent_rest_cpu", True), ("agent_start", False), ("x", False)],
)
def test_a_prefix_chooses_measurements(prefix: str, meant: bool) -> None:
    assert Measurement(("agent_rest",), lambda _bench: None).is_meant(prefix) is meant


def test_a_peer_that_cannot_be_had_leaves_the_figure_alone_and_the_run_not_ok(tmp_path: Path) -> None:
    nowhere = Peer("nowhere", ("./no/such/package",))
    with pytest.raises(PeerError, match="nowhere cannot be installed"):
        make_home(tmp_path, nowhere)
    bench = Bench(tmp_path, tmp_path, "here", lambda _line: None)
    assert bench.home(nowhere) is None
    assert len(bench.problems) == 1
    bench.add("x", 1.23456, "ms", 3, peer="nowhere", peer_value=None)
    bench.add("y", 1.23456, "ms", 3, peer="somewhere", peer_value=4.0)
    assert bench.figures[0] == Figure("x", 1.235, "ms", None, None, None, 3, "here")
    assert bench.figures[1] == Figure("y", 1.235, "ms", "somewhere", 4.0, 0.309, 3, "here")


def test_percentiles_are_values_that_were_measured_and_the_interval_holds_the_median() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 50.0, 99.0, 100.0]
    low, high = interval(values)
    assert low < 50.5 < high
    assert interval([7.0] * 9) == (7.0, 7.0)
