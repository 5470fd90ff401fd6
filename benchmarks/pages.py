"""What measurements of the studio's pages share: its server on a free port, and the browser that is installed."""

import os
import shutil
from contextlib import AbstractContextManager

from szem.serve.server import serve_beside
from szem.serve.settings import ServeSettings


def chromium() -> str:
    """The path of a Chromium: $SZEM_CHROMIUM, or the one that is installed."""
    path = os.environ.get("SZEM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("no Chromium is installed; install one, or set SZEM_CHROMIUM to its path")
    return path


def studio() -> AbstractContextManager[str]:
    """The studio's server on a free port; gives its address."""
    return serve_beside(ServeSettings(port=0))
