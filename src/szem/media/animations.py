"""Animated GIF, WebP and PNG files as videos: which files are some, and their frames in a form that FFmpeg decodes.

FFmpeg decodes of an animated WebP not one frame, and of a GIF that states no durations only the first; Pillow decodes
all. This file does not know what is done with the frames.
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

__all__ = ["ANIMATION_SUFFIXES", "animation_to_video", "is_animated"]

ANIMATION_SUFFIXES = frozenset((".gif", ".webp", ".png", ".apng"))
_STARTS = (b"GIF8", b"RIFF", b"\x89PNG")
_USUAL_MS = 100  # of a frame that states no duration, as browsers do
_MILLI = Fraction(1, 1000)


def is_animated(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a GIF, WebP or PNG of more than one frame; False for what cannot be read."""
    if Path(path).suffix.lower() not in ANIMATION_SUFFIXES:
        return False
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.format in ("GIF", "WEBP", "PNG") and getattr(picture, "n_frames", 1) > 1
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return False


def animation_to_video(
    source: str | os.PathLike[str] | IO[bytes], *, limits: Limits = DEFAULT_LIMITS
) -> IO[bytes] | None:
    """An animated picture file as a lossless video in memory, with its own times.

    Args:
        source: A path; anything else is none.
        limits: Of the size and number of its frames.
    Returns:
        The video, or None where the source is no animated picture.
    Raises:
        FormatError: it is damaged.
        TooLargeError: it has more frames, or larger ones, than the limits allow.
    """
    if not isinstance(source, str | os.PathLike) or not _starts_so(source) or not is_animated(source):
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


def _starts_so(path: str | os.PathLike[str]) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(4).startswith(_STARTS)
    except (OSError, ValueError):
        return False
