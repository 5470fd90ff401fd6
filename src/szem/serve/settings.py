"""Everything the operator of a server can choose, in one frozen place."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from szem.errors import RangeError

__all__ = ["DEFAULT_PORT", "MIB", "ServeSettings", "is_loopback"]

DEFAULT_PORT = 8777
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """The choices of one server. The defaults are safe on a machine with other users and a browser on it."""

    host: str = "127.0.0.1"  # the address to listen on; loopback only unless asked
    port: int = DEFAULT_PORT  # 0 takes any free one
    grpc_port: int | None = None  # Google's dialect over gRPC too; 0 takes any free one, None is off

    # Who may call
    key: str = field(default="", repr=False)  # the owner's: opens the guard too; empty: nobody can open the guard
    api_keys: tuple[str, ...] = field(default=(), repr=False)  # one must come with each call; empty: none is needed
    hostnames: tuple[str, ...] = ()  # names this server answers to besides its own address (against DNS rebinding)
    allow_origins: tuple[str, ...] = ()  # web pages of these origins may call from a browser; "*" is any

    # What requests may reach
    read_folders: tuple[Path, ...] = ()  # file:// pictures are read below these only
    write_folders: tuple[Path, ...] = ()  # file:// outputs are written below these only
    buckets: tuple[tuple[str, Path], ...] = ()  # gs://NAME/… is read and written below this folder instead
    allow_hosts: tuple[str, ...] = ()  # imageUri over http(s): "example.com", "*.example.com", "host:8080" or "*"
    allow_private_hosts: bool = False  # also addresses of private networks and this machine: for tests
    fetch_timeout_s: float = 10.0  # for one imageUri, redirects included

    # How large things may be
    max_request_bytes: int = 10 * MIB  # one JSON body
    max_grpc_bytes: int = 16 * MIB  # one message of gRPC
    max_picture_bytes: int = 20 * MIB  # one picture file, however it comes
    max_network_bytes: int = 150 * MIB  # one ONNX file sent to the network lab
    max_video_bytes: int = 300 * MIB  # one video sent to try the guard on
    max_pixels: int = 75_000_000  # width × height of one picture
    max_images: int = 16  # pictures in one annotate request
    max_pages: int = 5  # pages or frames in one files:annotate request
    max_async_images: int = 2_000  # pictures, or pages, in one operation

    # How much at once, and how long
    threads: int = 0  # worker processes for decoding and arithmetic; 0: one per processor
    worker_memory_bytes: int = 0  # what one of them may use; 0: half of the machine's, at most 4 GiB
    worker_cpu_s: float = 100.0  # processor time of one request
    max_in_flight: int = 64  # requests being answered; more get 429 and Retry-After
    max_body_bytes_in_flight: int = 256 * MIB  # request bodies held in memory; more get 429
    max_live: int = 4  # live lines at the same time; more are told to come back (close code 1013)
    max_live_frame_bytes: int = 4 * MIB  # one live frame, as a picture file
    live_idle_s: float = 60.0  # a live line that is silent for so long is closed
    max_connections: int = 1_000  # open connections, idle ones included
    header_timeout_s: float = 10.0  # from the first byte of a request to the end of its headers
    body_stall_s: float = 30.0  # a body of which nothing comes for so long is given up
    body_min_bytes_per_s: float = 32 * 1024  # and so is one that comes more slowly, body_stall_s granted at the start
    answer_timeout_s: float = 120.0  # for the work itself
    send_timeout_s: float = 60.0  # for a caller to take one piece of the answer
    idle_timeout_s: float = 15.0  # a kept connection without a request

    # Operations
    database: str = ""  # SQLAlchemy URL; empty: SQLite in the user's data folder
    operation_lease_s: float = 10.0  # a server that is silent for so long is taken for dead, and its work taken over
    keep_operations_days: float = 30.0  # finished ones are forgotten after this

    # Events
    guard_store: Path | None = None  # what `szem watch` keeps; None: the folder it takes when none is named
    guard_database: str = ""  # SQLAlchemy URL of its database, where that is not in the folder

    # How answers look
    keep_zeros: bool = False  # write x: 0 and the like, which Google's JSON leaves out
    min_label_score: float = 0.1  # of a class; words for several begin at `PARENT_THRESHOLD`. See docs/classify.md
    studio: bool = True  # serve the studio's pages at /

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise RangeError(f"port must be 0..65535, got {self.port}; {DEFAULT_PORT} is the usual one")
        if self.grpc_port is not None and not 0 <= self.grpc_port <= 65535:
            raise RangeError(f"grpc_port must be 0..65535, got {self.grpc_port}; 8778 is the usual one")
        for name in ("max_images", "max_pages", "max_in_flight", "max_connections"):
            if getattr(self, name) < 1:
                raise RangeError(f"{name} must be at least 1, got {getattr(self, name)}")
        if any(not key.strip() for key in self.api_keys):
            raise RangeError("an API key must not be empty; leave the option out to ask for none")
        if not (self.on_loopback or self.hostnames or self.api_keys):
            raise RangeError(
                f"host {self.host!r} can be reached from other machines; name the server with --hostname NAME "
                "(as its callers write it), or ask for a key with --api-key KEY"
            )

        if self.grpc_port is not None and not (self.on_loopback or self.api_keys):
            raise RangeError(
                f"gRPC on host {self.host!r} can be reached from other machines and knows no host names; "
                "ask for a key with --api-key KEY"
            )

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, out of reach for others.

    >>> [is_loopback(host) for host in ("localhost", "127.0.0.2", "::1", "0.0.0.0", "")]
    [True, True, True, False, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
