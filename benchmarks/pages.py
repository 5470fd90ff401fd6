"""What measurements of the studio's pages share: its server on a free port, and the browser that is installed."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from szem.serve.app import build_app
from szem.serve.server import bind
from szem.serve.settings import ServeSettings


def chromium() -> str:
    """The path of a Chromium: $SZEM_CHROMIUM, or the one that is installed."""
    path = os.environ.get("SZEM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("no Chromium is installed; install one, or set SZEM_CHROMIUM to its path")
    return path


@contextmanager
def studio() -> Iterator[str]:
    """The studio's server on a free port; gives its address."""
    settings = ServeSettings(port=0)
    sock = bind(settings.host, 0)
    server = uvicorn.Server(uvicorn.Config(build_app(settings), log_config=None, access_log=False, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    server.should_exit = True
    thread.join(15)
