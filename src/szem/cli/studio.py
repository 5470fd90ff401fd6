"""`szem studio`: the same server, with the studio opened in the browser."""

import threading
import webbrowser

import typer

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def studio(
    port: int = typer.Option(8777, help="Port to try first; any free one is taken when it is in use."),
    browser: bool = typer.Option(True, "--browser/--no-browser", help="Open the browser."),
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
    serve(ServeSettings(port=port), or_free=True, on_ready=ready)
