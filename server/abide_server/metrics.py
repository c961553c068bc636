"""What is counted, for Prometheus. One registry per application, nothing global."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The server's counters and gauges."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "abide_http_requests", "HTTP requests answered.", ["route", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "abide_http_request_seconds", "Time to answer an HTTP request.", ["route"], registry=self._registry
        )
        self.refusals = Counter(
            "abide_refusals", "Requests refused, by problem type.", ["type"], registry=self._registry
        )
        self.batches = Counter(
            "abide_batches", "Batches acknowledged; result is new or duplicate.", ["result"], registry=self._registry
        )
        self.events = Counter("abide_events", "Events stored.", registry=self._registry)
        self.enrolments = Counter("abide_enrolments", "Enrolments answered.", registry=self._registry)
        self.nudges = Counter("abide_nudges", "Nudges sent down streams.", registry=self._registry)
        self.streams = Gauge("abide_streams", "Streams open now.", registry=self._registry)
        self.version = Gauge(
            "abide_timestamp_version", "Version of the update repository's timestamp.", registry=self._registry
        )

    def text(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self._registry)
