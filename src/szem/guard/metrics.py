"""What a guard counts, for Prometheus, and the page it reads that from."""

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, start_http_server

from szem.errors import StoreError

__all__ = ["GuardMetrics"]


class GuardMetrics:
    """The counters of one guard."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        by_source, registry = ("source",), self.registry
        self.up = Gauge("szem_guard_source_up", "1 while frames come.", by_source, registry=registry)
        self.frames = Counter("szem_guard_frames", "Frames analysed.", by_source, registry=registry)
        self.dropped = Counter(
            "szem_guard_frames_dropped", "Frames nobody had time for.", by_source, registry=registry
        )
        self.sound_s = Counter("szem_guard_sound_seconds", "Sound listened to.", by_source, registry=registry)
        self.reopened = Counter(
            "szem_guard_reopened", "Times a source was opened again.", by_source, registry=registry
        )
        self.faults = Counter("szem_guard_faults", "Frames or blocks that failed.", by_source, registry=registry)
        self.age = Gauge("szem_guard_frame_age_seconds", "Since the last frame came.", by_source, registry=registry)
        self.held = Gauge(
            "szem_guard_reel_bytes", "Coded pictures and sound in memory.", by_source, registry=registry
        )
        self.events = Counter("szem_guard_events", "Events stored or sent.", ("source", "kind"), registry=registry)
        self.lost = Counter(
            "szem_guard_lost", "Events and clips that could not be kept.", ("what",), registry=registry
        )
        self.waiting = Gauge("szem_guard_waiting", "What waits: rows, clips.", ("what",), registry=registry)
        self.paused = Gauge("szem_guard_writing_paused", "1 while the disk or database is full.", registry=registry)
        self.outbox = Gauge("szem_guard_outbox", "Messages that wait.", ("notifier",), registry=registry)
        self.messages = Counter(
            "szem_guard_messages", "Messages by outcome.", ("notifier", "outcome"), registry=registry
        )
        self.free = Gauge("szem_guard_disk_free_bytes", "Of the store's disk.", registry=registry)
        self.swept = Counter(
            "szem_guard_swept", "Events forgotten, or whose files were.", ("what",), registry=registry
        )
        self.clock_steps = Counter("szem_guard_clock_steps", "Times the machine's clock was set.", registry=registry)

    def serve(self, port: int, *, host: str = "127.0.0.1") -> int:
        """Answer at http://HOST:PORT/metrics, from a thread; 0 takes any free port. Gives the port.

        Raises:
            StoreError: the port is taken.
        """
        try:
            server, _ = start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            raise StoreError(f"metrics cannot be served at {host}:{port} ({error}); choose another port") from error
        return int(server.server_port)
