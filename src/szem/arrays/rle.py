"""Run-length encoding of masks, as COCO writes it: columns first, runs of 0 and 1 in turn, packed into text.

Source: COCO API, common/maskApi.c, `rleEncode`, `rleToString`; format: https://cocodataset.org/#format-data.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.errors import FormatError

__all__ = ["mask_to_rle", "rle_to_mask"]


def mask_to_rle(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Encode a mask as `{"size": [height, width], "counts": text}`.

    >>> mask_to_rle(np.array([[0, 1], [0, 1]], bool))
    {'size': [2, 2], 'counts': '22'}
    """
    flat = np.asarray(mask, bool).T.reshape(-1)
    turns = np.flatnonzero(np.diff(flat)) + 1
    edges = np.concatenate([[0], turns, [flat.size]])
    runs = np.diff(edges).tolist()
    if flat.size and flat[0]:
        runs = [0, *runs]  # the first run is always of zeros
    return {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": _pack(runs)}


def rle_to_mask(rle: dict[str, Any]) -> NDArray[np.bool_]:
    """Decode what `mask_to_rle`, or COCO's own tools, made.

    Raises:
        FormatError: the runs do not fill the size.

    >>> rle_to_mask({"size": [2, 2], "counts": "22"}).tolist()
    [[False, True], [False, True]]
    """
    height, width = rle["size"]
    counts = rle["counts"]
    runs = _unpack(counts) if isinstance(counts, str) else list(counts)
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise FormatError(f"the runs hold {sum(runs)} pixels, the mask has {height}×{width}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def _pack(runs: list[int]) -> str:
    """Each run as its difference to the last but one of its kind, five bits a character, lowest first."""
    out = []
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        while True:
            bits = value & 31
            value >>= 5  # keeps the sign
            more = value != (-1 if bits & 16 else 0)
            out.append(chr(48 + (bits | 32 if more else bits)))
            if not more:
                break
    return "".join(out)


def _unpack(text: str) -> list[int]:
    runs: list[int] = []
    value, shift = 0, 0
    for char in text:
        code = ord(char) - 48
        if not 0 <= code < 64:
            raise FormatError(f"{char!r} is not a character of packed runs")
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            if code & 16:
                value -= 1 << shift
            runs.append(value + runs[-2] if len(runs) > 2 else value)
            value, shift = 0, 0
    return runs
