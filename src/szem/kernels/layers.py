"""Arithmetic of layers: sizes, receptive fields, parameters and multiplications, without computing a pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Value
from szem.errors import RangeError
from szem.kernels.borders import check_border

__all__ = ["Cost", "Layer", "ReceptiveField", "layer_cost", "output_size", "receptive_field"]

_MAX_LAYERS = 1_000
_MAX_FIELD_PX = 100_000  # on one axis; no network sees further, and each pixel has a weight to be computed


def output_size(
    size: tuple[int, int], kernel: tuple[int, int], *, stride_px: int = 1, dilation: int = 1, border: str = "reflect"
) -> tuple[int, int]:
    """How large the result of a convolution is.

    Args:
        size: (H, W) of the picture.
        kernel: (kh, kw) of the kernel, in taps.
        stride_px: Pixels between outputs.
        dilation: Pixels between taps.
        border: As for `convolve`.
    Returns:
        (ceil(H / s), ceil(W / s)); for "valid" ceil((H - (kh - 1) * d) / s) and likewise, 0 where it does not fit.
    Raises:
        RangeError: a number below 1.
        UnknownNameError: no such border.

    >>> output_size((512, 512), (3, 3), stride_px=2)
    (256, 256)
    >>> output_size((7, 4), (3, 3), dilation=2, border="valid")
    (3, 0)
    """
    if min(*size, *kernel, stride_px, dilation) < 1:
        raise RangeError(
            f"sides, stride and dilation must be at least 1, got {size}, {kernel}, {stride_px} and {dilation}"
        )
    lost = (0, 0)
    if check_border(border) == "valid":
        lost = (kernel[0] - 1) * dilation, (kernel[1] - 1) * dilation
    return max(0, -((lost[0] - size[0]) // stride_px)), max(0, -((lost[1] - size[1]) // stride_px))


@dataclass(frozen=True)
class Layer:
    """One convolution or pooling, as far as the receptive field goes; the same along both axes.

    Args:
        kernel: Taps (of a pooling: its window).
        stride_px: Pixels of its input between outputs.
        dilation: Pixels of its input between taps.
        padding_px: Pixels put before the first one; None for half of the kernel's span, which keeps things centred.
    """

    kernel: int
    stride_px: int = 1
    dilation: int = 1
    padding_px: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class ReceptiveField(Value):
    """What one output of a stack of layers sees of the picture, along one axis.

    Args:
        size: Pixels from the first seen to the last, both counted.
        stride_px: Pixels of the picture between neighbouring outputs.
        offset: Pixel on which the middle of output 0's field lies (a half lies between two pixels).
        worth: (size,) float64, sums to 1: the weight of each pixel in the output if all weights are equal. Zeros are
            gaps that atrous layers leave.
    """

    size: int
    stride_px: int
    offset: float
    worth: NDArray[np.float64]

    def summary(self) -> str:
        """Its size and the distance of neighbouring outputs' fields."""
        return f"{self.size} pixels, stride {self.stride_px}, offset {self.offset:g}, {self.gaps} gaps"

    @property
    def gaps(self) -> int:
        """Pixels inside the field that nothing sees."""
        return int(np.count_nonzero(self.worth == 0))


def receptive_field(layers: Sequence[Layer]) -> ReceptiveField:
    """Follow one output back through a stack of layers to the pixels it sees.

    Args:
        layers: From the picture upward, at most 1,000.
    Raises:
        RangeError: a kernel, stride or dilation below 1, a negative padding, too many layers, or a field of more than
            100,000 pixels.
    Source: A. Araujo, W. Norris, J. Sim, Computing receptive fields of convolutional neural networks, Distill, 2019,
        equations 2 to 4; the worth of a pixel as in W. Luo et al., 2016, arXiv:1701.04128, section 2.2.

    >>> field = receptive_field([Layer(3), Layer(3, stride_px=2), Layer(3)])
    >>> field.size, field.stride_px
    (9, 2)
    >>> receptive_field([Layer(3, dilation=2)]).worth.round(2).tolist()
    [0.33, 0.0, 0.33, 0.0, 0.33]
    """
    if len(layers) > _MAX_LAYERS:
        raise RangeError(f"a stack has at most {_MAX_LAYERS} layers, got {len(layers)}; give fewer")
    size, stride_px, start = 1, 1, 0
    worth = np.ones(1)
    for layer in layers:
        span = (layer.kernel - 1) * layer.dilation + 1
        padding = (span - 1) // 2 if layer.padding_px is None else layer.padding_px
        if min(layer.kernel, layer.stride_px, layer.dilation) < 1 or padding < 0:
            raise RangeError(f"kernel, stride and dilation must be at least 1 and padding at least 0, got {layer}")
        wider = size + (span - 1) * stride_px
        if wider > _MAX_FIELD_PX:
            raise RangeError(
                f"a receptive field has at most {_MAX_FIELD_PX} pixels, got {wider} after {layer}; "
                "give smaller kernels, strides or dilations"
            )
        spread = np.zeros(wider)
        for tap in range(layer.kernel):
            first = tap * layer.dilation * stride_px
            spread[first : first + size] += worth / layer.kernel
        worth, size = spread, wider
        start -= padding * stride_px
        stride_px *= layer.stride_px
    return ReceptiveField(size=size, stride_px=stride_px, offset=start + (size - 1) / 2, worth=worth)


@dataclass(frozen=True)
class Cost:
    """Parameters and multiplications of a layer, beside those of a layer in which every neuron has its own weights.

    Args:
        output: (H, W, channels) of the result.
        parameters: With weights shared over the picture, biases included.
        multiplications: For one picture; the same whether weights are shared or not.
        unshared_parameters: Locally connected: each place of the result has a kernel of its own.
        dense_parameters: Fully connected: each number of the result sees each number of the picture.
        dense_multiplications: Of the fully connected layer.
    """

    output: tuple[int, int, int]
    parameters: int
    multiplications: int
    unshared_parameters: int
    dense_parameters: int
    dense_multiplications: int


def layer_cost(
    size: tuple[int, int],
    *,
    in_channels: int,
    out_channels: int,
    kernel: int = 3,
    stride_px: int = 1,
    groups: int = 1,
    bias: bool = True,
) -> Cost:
    """Count what a convolutional layer costs on a picture, beside a fully connected one with as many outputs.

    Args:
        size: (H, W) of the picture; the border is filled, so the result has (ceil(H / s), ceil(W / s)) places.
        in_channels: Channels that come in.
        out_channels: Channels that go out: the depth, how many kinds of feature are looked for.
        kernel: Side of the square kernels.
        stride_px: Pixels between outputs.
        groups: Channels are connected only within a group; `in_channels` of them make the layer depthwise.
        bias: Whether each output channel has one.
    Raises:
        RangeError: a number below 1, or channels that the groups do not divide.

    >>> cost = layer_cost((224, 224), in_channels=3, out_channels=64, kernel=7, stride_px=2)
    >>> cost.output, cost.parameters, cost.multiplications
    ((112, 112, 64), 9472, 118013952)
    """
    if min(in_channels, out_channels, groups) < 1 or in_channels % groups or out_channels % groups:
        raise RangeError(
            f"channels must be at least 1 and multiples of groups, got {in_channels}, {out_channels} and {groups}"
        )
    H, W = output_size(size, (kernel, kernel), stride_px=stride_px)
    weights = kernel * kernel * (in_channels // groups) * out_channels
    biases = out_channels if bias else 0
    outputs = H * W * out_channels
    inputs = size[0] * size[1] * in_channels
    return Cost(
        output=(H, W, out_channels),
        parameters=weights + biases,
        multiplications=weights * H * W,
        unshared_parameters=weights * H * W + (outputs if bias else 0),
        dense_parameters=inputs * outputs + (outputs if bias else 0),
        dense_multiplications=inputs * outputs,
    )
