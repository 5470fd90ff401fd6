"""`szem studio`: the same server, with the studio opened in the browser."""

import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_Read = Annotated[
    list[Path] | None,
    typer.Option(
        "--allow-read",
        exists=True,
        file_okay=False,
        help="Folder whose pictures the Network page searches for what a map likes best.",
    ),
]

_GuardStore = Annotated[
    Path | None,
    typer.Option("--guard-store", help="What szem watch keeps, for the page Guard.  \\[default: the user's own]"),
]


@app.command()
def studio(
    port: int = typer.Option(8777, help="Port to try first; any free one is taken when it is in use."),
    browser: bool = typer.Option(True, "--browser/--no-browser", help="Open the browser."),
    allow_read: _Read = None,
    guard_store: _GuardStore = None,
) -> None:
    """Open the studio in the browser: the lecture, touchable."""
    from szem.cli.serve import log_to_stderr
    from szem.serve.server import serve
    from szem.serve.settings import ServeSettings

    def ready(url: str) -> None:
        print(f"szem studio on {url}  (Ctrl-C ends it)", flush=True)
        if browser:  # in a thread: some browsers answer only when they are closed
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    log_to_stderr(quiet=True)
    serve(
        ServeSettings(port=port, read_folders=tuple(allow_read or ()), guard_store=guard_store),
        or_free=True,
        on_ready=ready,
    )
