"""All measurements, in the order in which they run."""

from __future__ import annotations

from tests.bench import agent, ingest, native, page_load, push, rules
from tests.bench.registry import Measurement

MEASUREMENTS = (
    Measurement(("classify",), rules.classify),
    Measurement(("decide",), rules.decide),
    Measurement(("native_round_trip",), native.round_trip),
    Measurement(("agent_start",), agent.start),
    Measurement(("agent_rest",), agent.rest),
    Measurement(("ingest_1", "ingest_100"), ingest.ingest),
    Measurement(("push_p50", "push_p99"), push.push),
    Measurement(("page_load",), page_load.page_load),
)
