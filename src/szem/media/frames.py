"""One picture of a video as its decoder gave it, turned upright; converted only to what is asked for.

Drawing on a video needs neither RGB nor the picture at full size: a network looks at a small RGB picture, and boxes
are drawn on the planes of brightness and colour that the encoder takes anyway. This file does not know where frames
come from.
"""

import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.errors import ShapeError

__all__ = ["Frame", "Planes", "tag_encoder", "turn_of"]

_TURNS = {90: 1, -270: 1, 180: 2, -180: 2, 270: 3, -90: 3}  # degrees -> quarter turns against the clock
_TV_RANGE, _FULL_RANGE = 1, 2  # AVColorRange: brightness in 16..235, or in 0..255
_UNSPECIFIED, _BT601 = 2, 6  # AVColorSpace, and the same numbers of AVColorPrimaries and so on
_own = threading.local()  # a converter each thread: they keep tables, and are not to be shared


@dataclass(frozen=True, eq=False)
class Planes:
    """A picture as brightness and two colour differences (BT.601 or BT.709 as the video has it), 16..235 and 16..240.

    Args:
        data: (H · 3 / 2, W) uint8, both sides even: H rows of brightness, then both halved planes row by row.
    """

    data: NDArray[np.uint8]

    def __post_init__(self) -> None:
        rows, width = self.data.shape
        if rows % 3 or width % 2 or rows // 3 * 2 % 2 or self.data.dtype != np.uint8:
            raise ShapeError(f"planes must be (H · 3 / 2, W) uint8 with even sides, got {self.data.shape}")

    @property
    def width_px(self) -> int:
        """Of the picture."""
        return self.data.shape[1]

    @property
    def height_px(self) -> int:
        """Of the picture."""
        return self.data.shape[0] // 3 * 2

    @property
    def luma(self) -> NDArray[np.uint8]:
        """(H, W): brightness; a view."""
        return self.data[: self.height_px]

    @property
    def chroma(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Two (H / 2, W / 2): towards blue, towards red; views."""
        both = self.data[self.height_px :].reshape(2, self.height_px // 2, self.width_px // 2)
        return both[0], both[1]

    def to_rgb(self) -> Picture8:
        """(H, W, 3) uint8 RGB."""
        frame = av.VideoFrame.from_ndarray(self.data, format="yuv420p")
        out: Picture8 = _converter().reformat(frame, format="rgb24", threads=1).to_ndarray()
        return out


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video.

    Args:
        index: From 0; frames left out are counted.
        time_s: From the video's beginning, as the file says it, or since a live source was opened.
        raw: The decoder's `av.VideoFrame`; never written to, since later frames are made from it.
        turn: Quarter turns against the clock that put it upright.
        sound: Packets of sound that come before the next frame, where they were asked for.
    """

    index: int
    time_s: float
    raw: Any
    turn: int = 0
    sound: tuple[Any, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture, in pixels."""
        sides = (self.raw.width, self.raw.height)
        return sides if self.turn % 2 == 0 else (sides[1], sides[0])

    @property
    def picture(self) -> Picture8:
        """(H, W, 3) uint8 RGB, upright; made anew each time."""
        return self.scaled(*self.size)

    def scaled(self, width_px: int, height_px: int) -> Picture8:
        """(height, width, 3) uint8 RGB, upright, of another size; shrinking averages pixels."""
        if self.turn % 2:
            width_px, height_px = height_px, width_px
        small = (width_px, height_px) != (self.raw.width, self.raw.height)
        frame = _converter().reformat(
            self.raw,
            width=width_px,
            height=height_px,
            format="rgb24",
            interpolation="AREA" if small else "BILINEAR",
            threads=1,
        )
        return np.ascontiguousarray(np.rot90(frame.to_ndarray(), self.turn))

    def planes(self, size: tuple[int, int] | None = None) -> Planes:
        """A copy as the encoder takes it, to be drawn on.

        Args:
            size: Wanted width and height, for a source whose size changes; an odd side loses its last pixel.
        """
        size = size or self.size
        raw = self.raw
        sides = size if self.turn % 2 == 0 else (size[1], size[0])
        if sides != (raw.width, raw.height) or raw.format.name != "yuv420p" or raw.color_range == _FULL_RANGE:
            raw = _converter().reformat(
                raw, width=sides[0], height=sides[1], format="yuv420p", dst_color_range=_TV_RANGE, threads=1
            )
        width, height = size[0] // 2 * 2, size[1] // 2 * 2
        out = Planes(np.empty((height * 3 // 2, width), np.uint8))
        for plane, target in zip(raw.planes, (out.luma, *out.chroma), strict=True):
            part = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
            target[:] = np.rot90(part, self.turn)[: target.shape[0], : target.shape[1]]
        return out


def turn_of(raw: Any) -> int:
    """Quarter turns against the clock that put a decoder's frame upright."""
    return _TURNS.get(round(getattr(raw, "rotation", 0) or 0), 0)


def tag_encoder(
    stream: Any, like: Frame | None = None, *, aspect: Fraction | None = None, is_rgb: bool = False
) -> None:
    """Give a stream that is written the pixel aspect and the colour tags that its pictures have.

    Without them an anamorphic video comes out squeezed, and players guess the colours by the size of the picture.

    Args:
        stream: Of an encoder that is not open yet; its pictures are yuv420p with brightness in 16..235.
        like: The frame that the pictures were made of; None: not known.
        aspect: Width of a pixel as stored, divided by its height; see `VideoInfo.pixel_aspect`.
        is_rgb: The pictures were RGB, which FFmpeg converts by BT.601, and not from `Frame.planes`.
    """
    context = stream.codec_context
    context.color_range = _TV_RANGE
    if aspect:
        context.sample_aspect_ratio = 1 / aspect if like is not None and like.turn % 2 else aspect
    if is_rgb:
        context.colorspace = _BT601
    if is_rgb or like is None:
        return
    for name in ("colorspace", "color_primaries", "color_trc"):
        value = int(getattr(like.raw, name, None) or _UNSPECIFIED)
        if value != _UNSPECIFIED:  # 0, RGB, is not written either: the planes are none
            setattr(context, name, value)


def _converter() -> Any:
    if not hasattr(_own, "converter"):
        _own.converter = av.video.reformatter.VideoReformatter()
    return _own.converter
