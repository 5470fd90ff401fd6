"""What the server counts, for Prometheus. One set of counters per application, none global."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "szem_requests", "Requests answered.", ("route", "method", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "szem_request_seconds",
            "Time from headers to answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge("szem_requests_in_flight", "Requests being answered.", registry=self.registry)
        self.refused = Counter(
            "szem_refused", "Requests refused before any work.", ("reason",), registry=self.registry
        )
        self.pictures = Counter(
            "szem_pictures", "Pictures answered, by google.rpc code.", ("code",), registry=self.registry
        )
        self.features = Counter("szem_features", "Features computed.", ("feature", "code"), registry=self.registry)
        self.workers = Counter(
            "szem_worker_failures",
            "Worker processes that ended in a call.",
            ("kind", "reason"),
            registry=self.registry,
        )
        self.live_frames = Counter("szem_live_frames", "Frames of live lines.", ("outcome",), registry=self.registry)
        self.operations = Counter("szem_operations", "Operations that ended.", ("state",), registry=self.registry)

    def reply(self) -> Response:
        """The page that Prometheus reads."""
        return Response(generate_latest(self.registry), headers={"content-type": CONTENT_TYPE_LATEST})
