"""Files that are the same, and pictures that are nearly the same: another size, quality, light, or the next frame."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8

__all__ = ["PictureMark", "find_near", "find_same", "hash_content", "mark_picture"]

_SIDE = 32  # of the small grey picture that is compared
_NEAR_BITS = 10  # of 64: so many bits of the marks may differ
_CORRELATION = 0.975  # of the small pictures, at least
_FLAT = 4.0  # standard deviation of the small picture, of 255: below it nothing can be compared


@dataclass(frozen=True, eq=False)
class PictureMark:
    """What a picture is compared by."""

    bits: int  # 64: whether each place is brighter than its neighbour
    small: NDArray[np.float32]  # (32, 32), of mean 0 and length 1; all 0 where the picture is flat


def mark_picture(picture: Picture8) -> PictureMark:
    """What tells a picture from others, however large it is."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    tiny = cv2.resize(small, (9, 8), interpolation=cv2.INTER_AREA)
    bits = int.from_bytes(np.packbits(tiny[:, 1:] > tiny[:, :-1]).tobytes(), "big")
    centred = small - small.mean()
    length = float(np.linalg.norm(centred))
    is_flat = float(small.std()) < _FLAT
    return PictureMark(bits, np.zeros_like(centred) if is_flat else centred / length)


def find_near(marks: Sequence[PictureMark | None]) -> list[tuple[int, int]]:
    """Pairs of pictures that are nearly the same, each with the lower place first.

    Args:
        marks: Of the pictures; None for one that cannot be read.
    """
    places = [place for place, mark in enumerate(marks) if mark is not None and mark.small.any()]
    known = [mark for mark in marks if mark is not None and mark.small.any()]
    if len(known) < 2:
        return []
    bits = np.array([mark.bits for mark in known], np.uint64)
    small = np.stack([mark.small.reshape(-1) for mark in known])
    pairs = []
    for row in range(len(known) - 1):
        apart = np.bitwise_count(bits[row + 1 :] ^ bits[row])
        near = row + 1 + np.flatnonzero(apart <= _NEAR_BITS)
        alike = near[small[near] @ small[row] >= _CORRELATION]
        pairs += [(places[row], places[int(other)]) for other in alike]
    return pairs


def find_same(files: Sequence[Path], *, read: Callable[[Path], bytes] = Path.read_bytes) -> list[tuple[int, int]]:
    """Pairs of files with the same bytes: each with the first of its kind. Files that cannot be read have none."""
    first: dict[str, int] = {}
    pairs = []
    for place, file in enumerate(files):
        try:
            mark = hash_content(read(file))
        except OSError:
            continue
        if mark in first:
            pairs.append((first[mark], place))
        first.setdefault(mark, place)
    return pairs


def hash_content(data: bytes) -> str:
    """The SHA-256 of bytes, as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
