"""`szem studio`: the same server, with the studio opened in the browser."""

import html
import os
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from szem.cli.serve import KeyFile
from szem.files import ScratchFolder

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_Read = Annotated[
    list[Path] | None,
    typer.Option(
        "--allow-read",
        exists=True,
        file_okay=False,
        help="Folder whose pictures the Network page searches for what activates a map most.",
    ),
]

_GuardStore = Annotated[
    Path | None,
    typer.Option("--guard-store", help="What szem watch keeps, for the page Guard.  \\[default: the user's own]"),
]


@app.command()
def studio(
    port: int = typer.Option(
        8777, min=0, max=65535, help="Port to try first; any free one is taken when it is in use."
    ),
    browser: bool = typer.Option(True, "--browser/--no-browser", help="Open the browser."),
    allow_read: _Read = None,
    guard_store: _GuardStore = None,
    key_file: KeyFile = None,
) -> None:
    """Open the studio in the browser: the lecture, touchable.

    The address carries this server's key, which the page Guard needs; keep it to yourself.
    """
    from szem.cli.serve import log_to_stderr
    from szem.serve.keys import load_or_make_key, studio_address
    from szem.serve.server import serve
    from szem.serve.settings import ServeSettings

    log_to_stderr(quiet=True)
    key = load_or_make_key(key_file)

    settings = ServeSettings(port=port, key=key, read_folders=tuple(allow_read or ()), guard_store=guard_store)
    with _redirect_page() as page:

        def ready(url: str, _: str) -> None:
            address = studio_address(url, key)
            print(f"szem studio on {address}  (Ctrl-C ends it)", flush=True)
            if browser:
                page.write_text(_REDIRECT.format(html.escape(address)), encoding="utf-8")
                # in a thread: some browsers answer only when they are closed
                threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()

        serve(settings, or_free=True, on_ready=ready)


_REDIRECT = """<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={0}">
<a href="{0}">szem studio</a>
"""


@contextmanager
def _redirect_page() -> Iterator[Path]:
    """Where a page goes that leads to the studio, readable for this user alone.

    The browser is started with this page's address: with the studio's own, every user of the machine could read the
    key in the list of processes.
    """
    with ScratchFolder("studio") as folder:  # it is 0700
        page = folder.path / "studio.html"
        os.close(os.open(page, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield page
