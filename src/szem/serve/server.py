"""Runs the application on a socket: takes a port, says where it listens, stops cleanly."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from szem.errors import DeniedError, RangeError, StoreError
from szem.runtime.shutdown import end_in_time
from szem.serve.app import GRACE_S, build_app
from szem.serve.memory import keep_freed_memory
from szem.serve.middleware.slow_clients import build_protocol
from szem.serve.settings import ServeSettings

if TYPE_CHECKING:
    from starlette.datastructures import State

__all__ = ["GRACE_S", "address_of", "bind", "build_server", "serve", "serve_beside"]


def bind(host: str, port: int, *, or_free: bool = False, option: str = "--port") -> socket.socket:
    """Take a listening socket.

    Args:
        host: Address or name of this machine.
        port: 0 takes any free one.
        or_free: When the port is taken, take any free one instead of failing.
        option: Of the command line, for the message.
    Raises:
        DeniedError: the port is taken, or needs rights that are missing.
        RangeError: the host is not an address of this machine.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise RangeError(f"host {host!r} is not a name or address ({error}); use 127.0.0.1 or 0.0.0.0") from error
    sock = socket.socket(family, kind, proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(address)
    except OSError as error:
        sock.close()
        if or_free and port != 0:
            return bind(host, 0)
        raise DeniedError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another with {option}"
        ) from error
    return sock


def address_of(sock: socket.socket) -> str:
    """The URL under which a browser on this machine reaches a listening socket."""
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1" if sock.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def build_server(settings: ServeSettings, *, on_ready: Callable[[], None] | None = None) -> "Server":
    """A server for the application; it runs when its `run(sockets=…)` is called.

    Args:
        settings: The operator's choices.
        on_ready: Called once requests are answered.
    """
    app = build_app(settings)
    config = uvicorn.Config(
        app,
        http=build_protocol(settings),
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=max(1, int(settings.idle_timeout_s)),
        timeout_graceful_shutdown=GRACE_S,
        backlog=512,
        ws_max_size=settings.max_live_frame_bytes + 1024,
        ws_ping_interval=20,
        ws_ping_timeout=20,
    )
    return Server(config, app.state, on_ready)


def serve(
    settings: ServeSettings, *, or_free: bool = False, on_ready: Callable[[str, str], None] | None = None
) -> None:
    """Serve until interrupted.

    Args:
        settings: The operator's choices.
        or_free: Take any free port when the wanted one is taken.
        on_ready: Called with the URL, and HOST:PORT of gRPC (empty without it), once requests are answered.
    """
    keep_freed_memory()  # this process is the server's own: every way here is a command
    with bind(settings.host, settings.port, or_free=or_free) as sock:
        if settings.grpc_port:  # taken by gRPC itself; but what keeps it from that is said before anything starts
            bind(settings.host, settings.grpc_port, option="--grpc").close()
        url = address_of(sock)

        def ready() -> None:
            if on_ready is not None:
                on_ready(url, server.grpc_address)

        server = build_server(settings, on_ready=ready)
        server.on_exit = partial(end_in_time, log="szem.serve")
        with suppress(KeyboardInterrupt):
            server.run(sockets=[sock])


@contextmanager
def serve_beside(settings: ServeSettings) -> Iterator[str]:
    """Serve on a thread of this process, for measurements and photographs of pages; gives the URL.

    Args:
        settings: The operator's choices; port 0 takes any free one.
    Raises:
        As `bind`.
        StoreError: the server ended before it answered.
    """
    ready = threading.Event()
    sock = bind(settings.host, settings.port)
    server = build_server(settings, on_ready=ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="szem-serve", daemon=True)
    thread.start()
    try:
        while not ready.wait(0.05):
            if not thread.is_alive():
                raise StoreError("the server ended before it answered; its log says why")
        yield address_of(sock)
    finally:
        server.should_exit = True
        thread.join(15)
        sock.close()


class Server(uvicorn.Server):
    """A uvicorn server that says when it has begun to listen, and when it is told to end."""

    def __init__(self, config: uvicorn.Config, state: "State", announce: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._state = state
        self._announce = announce
        self.on_exit: Callable[[int], None] | None = None

    @property
    def grpc_address(self) -> str:
        """HOST:PORT where gRPC is answered; empty where it is not."""
        return "" if self._state.grpc is None else str(self._state.grpc.address)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by uvicorn at SIGINT and SIGTERM."""
        if self.on_exit is not None and not self.should_exit:
            self.on_exit(sig)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn; requests over gRPC have the same grace as those over HTTP, side by side."""
        if self._state.grpc is not None:
            self._state.grpc.begin_end(GRACE_S)
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started and self._announce is not None:
            self._announce()
