"""Boxes as a detection head gives them, before duplicates are dropped and the picture's own pixels are found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array

__all__ = ["Candidates", "Decoder", "InputSize", "order_corners"]

InputSize = tuple[int, int]
"""Height and width of a network's input."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Boxes before duplicates are dropped."""

    boxes_xyxy: NDArray[np.float32]  # (N, 4) in pixels of the input
    scores: NDArray[np.float32]  # (N,) as the network gives them
    indices: NDArray[np.int64]  # (N,) classes

    def take(self, places: Array) -> "Candidates":
        """Some of them."""
        return Candidates(self.boxes_xyxy[places], self.scores[places], self.indices[places])


_Decode = Callable[[Mapping[str, Array], InputSize, NDArray[np.float32]], Candidates]


@dataclass(frozen=True)
class Decoder:
    """How one head layout is read."""

    roles: tuple[str, ...]  # outputs it needs
    decode: _Decode  # outputs of one picture, size of the input, (C,) lowest scores -> candidates
    is_final: bool = False  # one box per object already: nothing is dropped
    optional: tuple[str, ...] = ()  # outputs it reads where the model has them
    axes: Mapping[str, int] = field(
        default_factory=dict
    )  # role -> axes for one picture, where exports may lack the batch
    counts_background: bool = False  # classes are numbered from 1, unless the labels begin with the background


def order_corners(boxes_xyxy: Array) -> NDArray[np.float32]:
    """Corners in order, where a network gives them the other way round."""
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    return np.concatenate([np.minimum(low, high), np.maximum(low, high)], 1).astype(np.float32)
