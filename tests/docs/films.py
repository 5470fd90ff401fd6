"""A second of video with sound, and a sound: what the pages' commands are tried on."""

from pathlib import Path
from typing import Any

import av
import numpy as np

from szem.arrays import Picture8

_RATE_HZ, _SOUND_HZ = 10, 16_000


def make_film(path: Path, picture: Picture8, *, seconds: float = 1.0) -> Path:
    """A picture that drifts, with noise for sound."""
    height, width = (side // 2 * 2 - 32 for side in picture.shape[:2])
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("libx264", rate=_RATE_HZ, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        track: Any = out.add_stream("aac", rate=_SOUND_HZ, layout="mono")
        for index in range(round(seconds * _RATE_HZ)):
            cut = np.ascontiguousarray(picture[index : index + height, index : index + width])
            out.mux(video.encode(av.VideoFrame.from_ndarray(cut, format="rgb24")))
        out.mux(video.encode())
        out.mux(track.encode(_block(seconds)))
        out.mux(track.encode())
    return path


def make_sound(path: Path, *, seconds: float = 1.0) -> Path:
    """Noise, in the format of the name's suffix."""
    with av.open(str(path), "w") as out:
        track: Any = out.add_stream("flac" if path.suffix == ".flac" else "pcm_s16le", rate=_SOUND_HZ, layout="mono")
        for block in av.AudioResampler(format="s16", rate=_SOUND_HZ).resample(_block(seconds)):
            out.mux(track.encode(block))
        out.mux(track.encode())
    return path


def _block(seconds: float) -> av.AudioFrame:
    samples = np.random.default_rng(0).normal(0, 0.1, (1, round(seconds * _SOUND_HZ))).astype(np.float32)
    block = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    block.sample_rate, block.pts = _SOUND_HZ, 0
    return block
