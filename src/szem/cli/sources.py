"""Sources of `szem detect`: which are cameras and streams, which files are videos."""

import re
import sys
from pathlib import Path
from typing import Any

from szem.cli.walk import STDIN, Item
from szem.errors import RangeError, SzemError
from szem.media.animations import is_animated
from szem.media.formats import HEAD_BYTES, recognize_bytes
from szem.media.live import address_without_password, is_camera, is_url
from szem.media.pictures import PICTURE_SUFFIXES
from szem.media.video import VIDEO_SUFFIXES, inspect_video

__all__ = ["is_video", "refuse_two_endless", "split_sources", "stream_stem"]


def split_sources(sources: list[str]) -> tuple[list[str], list[str]]:
    """Cameras and streams, those that may have an end first, and the rest. What is there as a file is a file."""
    live: list[str] = []
    paths: list[str] = []
    for text in dict.fromkeys(sources):
        (live if (is_camera(text) or is_url(text)) and not Path(text).exists() else paths).append(text)
    return sorted(live, key=_is_endless), paths


def refuse_two_endless(live: list[str]) -> None:
    """Raise `RangeError` where a source would wait for one that has no end."""
    endless = [address_without_password(text) for text in live if _is_endless(text)]
    if len(endless) > 1:
        raise RangeError(
            f"{', '.join(endless)}: the first has no end, so the next would never be analysed; give each a szem "
            "detect of its own, all of them --seconds, or to szem watch, which guards several at once"
        )


def stream_stem(text: str) -> str:
    """What to call what is made of a camera or stream."""
    if is_camera(text):
        return f"camera-{text}"
    where = address_without_password(text).partition("://")[2]
    return re.sub(r"[^A-Za-z0-9]+", "-", where)[:60].strip("-") or "stream"


def is_video(item: Item) -> bool:
    """Whether an input is a video: by its suffix; without a known one, and from a pipe, by its first bytes."""
    if item.name == STDIN:
        pipe: Any = sys.stdin.buffer
        start = pipe.peek(HEAD_BYTES)[:HEAD_BYTES] if hasattr(pipe, "peek") else b""
        found = recognize_bytes(start)
        return bool(start) and (found is None or found.kind != "picture")
    suffix = Path(item.name).suffix.lower()
    if suffix in VIDEO_SUFFIXES or is_animated(item.name):
        return True
    return suffix not in PICTURE_SUFFIXES and _opens_as_video(item.name)


def _is_endless(source: str) -> bool:
    """Whether a camera or stream has no end, as far as its address tells: a video on a web server has one."""
    path = source.partition("?")[0].partition("#")[0]
    return not (source.lower().startswith("http") and Path(path).suffix.lower() in VIDEO_SUFFIXES)


def _opens_as_video(path: str) -> bool:
    try:
        return inspect_video(path).duration_s is not None
    except SzemError:
        return False
