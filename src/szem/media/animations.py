"""Animated GIF and WebP files as videos: which files are some, and WebP in a form that FFmpeg decodes.

FFmpeg decodes animated GIF, but of an animated WebP not one frame; Pillow does. This file does not know what is done
with the frames.
"""

import io
import os
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
import numpy as np

from szem.errors import FormatError, TooLargeError
from szem.media.sources import DEFAULT_LIMITS, Limits

__all__ = ["ANIMATION_SUFFIXES", "is_animated", "webp_to_video"]

ANIMATION_SUFFIXES = frozenset((".gif", ".webp"))
_USUAL_MS = 100  # of a frame that states no duration, as browsers do
_MILLI = Fraction(1, 1000)


def is_animated(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a GIF or WebP of more than one frame; False for what cannot be read."""
    if Path(path).suffix.lower() not in ANIMATION_SUFFIXES:
        return False
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.format in ("GIF", "WEBP") and getattr(picture, "n_frames", 1) > 1
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return False


def webp_to_video(source: str | os.PathLike[str] | IO[bytes], *, limits: Limits = DEFAULT_LIMITS) -> IO[bytes] | None:
    """An animated WebP file as a lossless video in memory, with its own times.

    Args:
        source: A path; anything else is none.
        limits: Of the size and number of its frames.
    Returns:
        The video, or None where the source is no animated WebP file.
    Raises:
        FormatError: it is damaged.
        TooLargeError: it has more frames, or larger ones, than the limits allow.
    """
    if not isinstance(source, str | os.PathLike) or not _is_webp(source) or not is_animated(source):
        return None
    from PIL import Image

    name = os.fspath(source)
    out = io.BytesIO()
    try:
        with Image.open(source) as picture, av.open(out, "w", format="nut") as made:
            count, (width, height) = int(getattr(picture, "n_frames", 1)), picture.size
            if count > limits.max_frames or width * height > limits.max_pixels:
                raise TooLargeError(
                    f"{name}: {count} frames of {width}×{height}; at most {limits.max_frames} of "
                    f"{limits.max_pixels / 1e6:.0f} million pixels are read; convert it to MP4"
                )
            stream: Any = made.add_stream("ffv1", rate=1000)
            stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
            stream.codec_context.time_base = _MILLI
            time_ms = 0
            for index in range(count):
                picture.seek(index)
                picture.load()
                rgb = np.asarray(picture.convert("RGB"))
                frame: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
                    format="bgr0"
                )
                frame.pts, frame.time_base = time_ms, _MILLI
                made.mux(stream.encode(frame))
                time_ms += max(int(picture.info.get("duration") or 0), 0) or _USUAL_MS
            made.mux(stream.encode(None))
    except (OSError, ValueError, SyntaxError, EOFError, av.FFmpegError) as error:
        if isinstance(error, TooLargeError):
            raise
        raise FormatError(f"{name}: damaged ({error}); encode it anew") from error
    out.seek(0)
    return out


def _is_webp(path: str | os.PathLike[str]) -> bool:
    try:
        with Path(path).open("rb") as file:
            start = file.read(12)
    except (OSError, ValueError):
        return False
    return start[:4] == b"RIFF" and start[8:] == b"WEBP"
