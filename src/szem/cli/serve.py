"""`szem serve`: the Cloud Vision API, szem's own routes and the studio on this machine."""

import typer

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    host: str = typer.Option("127.0.0.1", help="Address to listen on; 0.0.0.0 lets the network in."),
    port: int = typer.Option(8777, help="Port; 0 takes any free one."),
) -> None:
    """Serve the Cloud Vision API (and szem's own) on this machine."""
    from szem.serve.server import serve as run
    from szem.serve.settings import ServeSettings

    run(ServeSettings(host=host, port=port), on_ready=lambda url: print(f"szem serves on {url}", flush=True))
