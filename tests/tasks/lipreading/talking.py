"""Videos of a talking face, changed as videos come in life: other rates, sides, tracks and faces."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from szem.media.sound import read_sound
from szem.media.video import read_video

__all__ = ["RATE_HZ", "SOUND_HZ", "pictures_of", "put_beside", "sound_of", "turn", "write_video"]

RATE_HZ, SOUND_HZ = 25, 16_000


def pictures_of(video: Path) -> np.ndarray:
    """(T, H, W, 3) uint8."""
    return np.stack([frame.picture for frame in read_video(video)])


def sound_of(video: Path) -> np.ndarray:
    """(T,) float32."""
    return read_sound(video, rate_hz=SOUND_HZ)


def write_video(
    path: Path,
    pictures: np.ndarray,
    sound: np.ndarray | None = None,
    *,
    rate_hz: float = RATE_HZ,
    sound_begins_s: float = 0.0,
) -> Path:
    """Write pictures, each shown for 1 / rate_hz, and a sound whose track may begin late."""
    height, width = (side // 2 * 2 for side in pictures.shape[1:3])
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=Fraction(rate_hz).limit_denominator(1000), options={"crf": "12"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        track = out.add_stream("aac", rate=SOUND_HZ, layout="mono") if sound is not None else None
        for picture in pictures:
            given = np.ascontiguousarray(picture[:height, :width])
            out.mux(video.encode(av.VideoFrame.from_ndarray(given, format="rgb24")))
        out.mux(video.encode())
        if track is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound.astype(np.float32)[None], format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = SOUND_HZ, Fraction(1, SOUND_HZ)
            frame.pts = round(sound_begins_s * SOUND_HZ)
            out.mux(track.encode(frame))
            out.mux(track.encode())
    return path


def put_beside(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two videos in one, side by side; the shorter one's last picture stays, the lower one is filled up with grey."""
    count, height = max(len(left), len(right)), max(left.shape[1], right.shape[1])
    parts = []
    for part in (left, right):
        longer = part[np.minimum(np.arange(count), len(part) - 1)]
        filled = np.full((count, height, part.shape[2], 3), 128, np.uint8)
        filled[:, : part.shape[1]] = longer
        parts.append(filled)
    return np.concatenate(parts, axis=2)


def turn(path: Path, degrees: int) -> None:
    """Let an MP4 say that its pictures are to be shown turned clockwise, as phones write it."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44  # the first track is the pictures'
    a, b = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    data[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
