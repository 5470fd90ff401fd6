"""The one reader of what can be made anew: caches of JSON, and folders of arrays, each with a checksum.

What is damaged, cut off, of another key, or not a file is as good as none, and a warning says that it is made anew;
what was never there, or is another's, is passed over in silence. This file does not know what is kept.
"""

import hashlib
import json
import logging
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from szem.files import write_json

__all__ = ["is_whole", "made_anew", "read_kept", "seal_folder", "write_kept"]

_LOG = logging.getLogger(__name__)
_ABOUT = "about.json"
_TOGETHER = 1 << 24  # bytes read at a time


def made_anew(path: Path, why: object) -> None:
    """Say that a damaged cache is made anew."""
    _LOG.warning("%s: %s; it is made anew", path, why)


def write_kept(file: Path, key: str, values: Mapping[str, Any]) -> None:
    """Keep JSON values under a key.

    Raises:
        StoreError: the file cannot be written.
    """
    body = {"key": key, **values}
    write_json(file, {**body, "sha256": _checksum(body)}, indent=1)


def read_kept(file: Path, key: str) -> dict[str, Any] | None:
    """What `write_kept` kept; None where there is nothing to trust.

    Args:
        file: It need not exist.
        key: What the values depend on; those of another key count as none.
    """
    try:
        body = json.loads(file.read_bytes())
        claimed = body.pop("sha256")
        if claimed != _checksum(body):
            raise ValueError("its checksum differs")
        if body.pop("key") != key:
            return None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        made_anew(file, f"damaged, or not a file of szem ({type(error).__name__})")
        return None
    return dict(body)


def seal_folder(folder: Path, names: Sequence[str], about: Mapping[str, Any]) -> None:
    """Note what the files of a folder depend on, and their checksums; called once all are written.

    Args:
        folder: Killed before this, it does not count as written.
        names: Of the files in it.
        about: JSON types; `is_whole` compares it.
    """
    write_kept(folder / _ABOUT, _key(about), {"crc32": {name: _crc32(folder / name) for name in names}})


def is_whole(folder: Path, names: Sequence[str], about: Mapping[str, Any]) -> bool:
    """Whether the files of a folder are those that were sealed, of the same `about`."""
    kept = read_kept(folder / _ABOUT, _key(about))
    if kept is None:
        return False
    try:
        bad = [name for name in names if kept["crc32"].get(name) != _crc32(folder / name)]
    except OSError as error:
        made_anew(folder, error.strerror)
        return False
    if bad:
        made_anew(folder / bad[0], "its checksum differs")
    return not bad


def _key(about: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _crc32(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while piece := file.read(_TOGETHER):
            value = zlib.crc32(piece, value)
    return value


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
