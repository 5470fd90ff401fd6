"""Edges: how fast brightness changes, in one direction or in both at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Value
from szem.errors import UnknownNameError
from szem.kernels.convolution import convolve
from szem.kernels.views import view
from szem.media.pictures import PictureLike, as_image, encode_picture

__all__ = ["EDGE_FAMILIES", "Edges", "edges"]

EDGE_FAMILIES = ("sobel", "prewitt", "scharr")


@dataclass(frozen=True, eq=False, repr=False)
class Edges(Value):
    """The change of brightness at every pixel, as arrows.

    Args:
        across: (H, W) or (H, W, C) float32: change to the right.
        down: The same shape: change downward.
    """

    across: NDArray[np.float32]
    down: NDArray[np.float32]

    def summary(self) -> str:
        """The size, and the strongest edge."""
        return f"{self.across.shape[1]}x{self.across.shape[0]}, strongest {float(self.magnitude.max()):.4g}"

    def _repr_png_(self) -> bytes:
        return encode_picture(view(self.magnitude, how="absolute"))

    @property
    def magnitude(self) -> NDArray[np.float32]:
        """Length of each arrow: how strong the edge is, whichever way it runs."""
        return np.hypot(self.across, self.down)

    @property
    def angle(self) -> NDArray[np.float32]:
        """Direction of each arrow in radians: 0 to the right, π/2 downward, from -π to π."""
        return np.arctan2(self.down, self.across)


def edges(
    picture: PictureLike, family: str = "sobel", *, stride_px: int = 1, dilation: int = 1, border: str = "reflect"
) -> Edges:
    """Find edges in both directions.

    A kernel that looks across finds edges that run down the picture, and is blind to those that run across it; both
    together see every edge and know which way it faces. For one direction alone use `convolve(picture, "sobel-x")`.

    Args:
        picture: As for `convolve`; each channel on its own.
        family: "sobel", "prewitt" or "scharr".
        stride_px: Pixels between outputs.
        dilation: Pixels between taps.
        border: As for `convolve`.
    Raises:
        UnknownNameError: no such family or border.
        As `convolve`.
    Source: I. Sobel, G. Feldman, A 3×3 isotropic gradient operator for image processing, 1968.

    >>> step = np.array([[0, 0, 8, 8]] * 3, np.uint8)
    >>> found = edges(step)
    >>> found.magnitude[1].tolist(), found.angle[1, 1].item()
    ([0.0, 32.0, 32.0, 0.0], 0.0)
    """
    if family not in EDGE_FAMILIES:
        raise UnknownNameError(f"no edge kernels called {family!r}; there are {', '.join(EDGE_FAMILIES)}")
    image = as_image(picture)

    def along(axis: str) -> NDArray[np.float32]:
        return convolve(
            image,
            f"{family}-{axis}",
            stride_px=stride_px,
            dilation=dilation,
            border=border,
            mode="correlation",  # as written, so that brighter to the right is positive
        )

    return Edges(along("x"), along("y"))
