"""`szem serve`: the Cloud Vision API, szem's own routes and the studio on this machine."""

import logging
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from szem.cli.options import spell

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_WHO = "Who may call"
_REACH = "What requests may reach"
_MUCH = "How much"

KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        dir_okay=False,
        help="File of the owner's key; made if missing.  \\[default: in szem's own folder]",
        rich_help_panel=_WHO,
    ),
]
# Options that may be repeated.
_Key = Annotated[
    list[str] | None,
    typer.Option(
        "--api-key", envvar="SZEM_API_KEYS", help="Ask for this key; may be repeated.", rich_help_panel=_WHO
    ),
]
_Hostname = Annotated[
    list[str] | None, typer.Option("--hostname", help="A name this server answers to.", rich_help_panel=_WHO)
]
_Origin = Annotated[
    list[str] | None,
    typer.Option("--allow-origin", help="Let web pages of this origin call.", rich_help_panel=_WHO),
]
_Read = Annotated[
    list[Path] | None,
    typer.Option("--allow-read", help="Folder from which file:// pictures are read.", rich_help_panel=_REACH),
]
_Write = Annotated[
    list[Path] | None,
    typer.Option("--allow-write", help="Folder into which operations write.", rich_help_panel=_REACH),
]
_GuardStore = Annotated[
    Path | None,
    typer.Option("--guard-store", help="What szem watch keeps.  \\[default: the user's own]", rich_help_panel=_REACH),
]
_Bucket = Annotated[
    list[str] | None,
    typer.Option(
        "--bucket", metavar="NAME=DIR", help="Take gs://NAME/… from and to this folder.", rich_help_panel=_REACH
    ),
]
_Host = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host", help="Host of imageUri: example.com, *.example.com, * (any).", rich_help_panel=_REACH
    ),
]
_Workers = Annotated[int, spell("--workers", min=0, max=1024, rich_help_panel=_MUCH)]
_Quiet = Annotated[bool, spell("--quiet", "Print errors only: no line per request.")]

_LogFormat = Annotated[
    Literal["text", "json"], typer.Option("--log-format", help="Lines of the log: text, or JSON objects.")
]


@app.command()
def serve(
    host: str = typer.Option("127.0.0.1", help="Address to listen on; 0.0.0.0 lets the network in."),
    port: int = typer.Option(8777, min=0, max=65535, help="Port; 0 takes any free one."),
    grpc: int | None = typer.Option(
        None, min=0, max=65535, help="Google's API over gRPC too, on this port (8778, say); needs szem\\[grpc]."
    ),
    key_file: KeyFile = None,
    api_key: _Key = None,
    hostname: _Hostname = None,
    allow_origin: _Origin = None,
    allow_read: _Read = None,
    allow_write: _Write = None,
    bucket: _Bucket = None,
    allow_host: _Host = None,
    allow_private_hosts: bool = typer.Option(
        False, "--allow-private-hosts", help="Also addresses of private networks: for tests.", rich_help_panel=_REACH
    ),
    database: str = typer.Option(
        "", help="Where operations are kept: an SQLAlchemy URL.  \\[default: SQLite]", rich_help_panel=_MUCH
    ),
    operation_lease: float = typer.Option(
        10.0,
        min=0.5,
        max=86_400,
        help="Seconds after which a silent server's operations are taken over.",
        rich_help_panel=_MUCH,
    ),
    max_in_flight: int = typer.Option(
        64, min=1, max=65_536, help="Requests at once; more get 429.", rich_help_panel=_MUCH
    ),
    max_request_mb: float = typer.Option(
        10, min=0.001, max=1_000_000, help="Size of one request.", rich_help_panel=_MUCH
    ),
    max_picture_mb: float = typer.Option(
        20, min=0.001, max=1_000_000, help="Size of one picture file.", rich_help_panel=_MUCH
    ),
    max_megapixels: float = typer.Option(
        75, min=0.001, max=1_000_000, help="Pixels of one picture.", rich_help_panel=_MUCH
    ),
    workers: _Workers = 0,
    guard_store: _GuardStore = None,
    guard_database: str = typer.Option(
        "", help="SQLAlchemy URL of the guard's events, where they are not in its store.", rich_help_panel=_REACH
    ),
    keep_zeros: bool = typer.Option(False, "--keep-zeros", help="Write x: 0 where Google leaves it out."),
    studio: bool = typer.Option(True, "--studio/--no-studio", help="Serve the studio at /."),
    quiet: _Quiet = False,
    log_format: _LogFormat = "text",
) -> None:
    """Serve the Cloud Vision API (and szem's own) on this machine.

    Google's client reaches it with transport="rest" and client_options={"api_endpoint": "http://127.0.0.1:8777"}.
    """
    from szem.runtime.databases import check_url
    from szem.serve.keys import load_or_make_key, studio_address
    from szem.serve.server import serve as run
    from szem.serve.settings import MIB, ServeSettings

    log_to_stderr(quiet=quiet, log_format=log_format)
    for url, name, option in ((database, "operations", "--database"), (guard_database, "events", "--guard-database")):
        if url:
            check_url(url, name=name, option=option)
    settings = ServeSettings(
        host=host,
        port=port,
        grpc_port=grpc,
        key=load_or_make_key(key_file),
        api_keys=tuple(key for given in api_key or () for key in given.split()),
        hostnames=tuple(hostname or ()),
        allow_origins=tuple(allow_origin or ()),
        read_folders=tuple(allow_read or ()),
        write_folders=tuple(allow_write or ()),
        buckets=tuple(_bucket(text) for text in bucket or ()),
        allow_hosts=tuple(allow_host or ()),
        allow_private_hosts=allow_private_hosts,
        database=database,
        operation_lease_s=operation_lease,
        max_in_flight=max_in_flight,
        max_request_bytes=int(max_request_mb * MIB),
        max_picture_bytes=int(max_picture_mb * MIB),
        max_pixels=int(max_megapixels * 1e6),
        threads=workers,
        guard_store=guard_store,
        guard_database=guard_database,
        keep_zeros=keep_zeros,
        studio=studio,
    )

    def ready(url: str, grpc_address: str) -> None:
        print(f"szem serves on {url}", flush=True)
        if grpc_address:
            print(f"gRPC on {grpc_address}, without TLS", flush=True)
        what = "the studio, with the owner's key" if studio else "the owner's key follows #key="
        print(f"{what}: {studio_address(url, settings.key)}", flush=True)

    run(settings, on_ready=ready)


def log_to_stderr(*, quiet: bool, log_format: str = "text") -> None:
    """One line per request on standard error; quiet: only what goes wrong."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    if log_format == "json":
        from szem.serve.access import JsonFormatter

        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonFormatter())
    logging.getLogger("szem").setLevel(logging.WARNING if quiet else logging.INFO)


def _bucket(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not name or not folder:
        raise typer.BadParameter(f"{text!r} must read NAME=DIR")
    return name.removeprefix("gs://").strip("/"), Path(folder)
