"""The studio: the lecture, touchable, in the browser. Only files; `szem.serve` puts them on the web at `/`."""

from pathlib import Path

__all__ = ["studio_folder"]


def studio_folder() -> Path:
    """The folder that holds `index.html`.

    >>> (studio_folder() / "index.html").is_file()
    True
    """
    return Path(__file__).resolve().parent
