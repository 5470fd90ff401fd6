"""Convolution, normalisation and activation in one block: what nearly every network here is built of.

Padding is TensorFlow's SAME rule, so weights trained there give the same numbers: the output has ceil(side / stride)
pixels, and an odd zero more goes to the right and below. This file does not know about whole networks.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from szem.errors import UnknownNameError
from szem.nn.depthwise import depthwise_conv, is_slow_depthwise

__all__ = ["ACTIVATIONS", "ConvNorm", "build_activation", "convolve_padded", "same_padding_px"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu6": lambda: nn.ReLU6(inplace=True),
    "relu": lambda: nn.ReLU(inplace=True),
    "silu": lambda: nn.SiLU(inplace=True),
    "none": nn.Identity,
}


def build_activation(name: str) -> nn.Module:
    """Make the activation of that name.

    Raises:
        UnknownNameError: no such activation.

    >>> import torch
    >>> build_activation("relu6")(torch.tensor([-1.0, 9.0])).tolist()
    [0.0, 6.0]
    """
    build = ACTIVATIONS.get(name)
    if build is None:
        raise UnknownNameError(f"no activation called {name!r}; there are {', '.join(ACTIVATIONS)}")
    return build()


def same_padding_px(side_px: int, *, kernel: int, stride_px: int, dilation: int) -> tuple[int, int]:
    """Zeros before and after one axis so that it comes out ceil(side / stride) long.

    Source: the SAME rule of TensorFlow, tf.nn, "Notes on padding", 2015.

    >>> same_padding_px(224, kernel=3, stride_px=2, dilation=1)
    (0, 1)
    >>> same_padding_px(224, kernel=5, stride_px=1, dilation=2)
    (4, 4)
    """
    out_px = -(-side_px // stride_px)
    total = max((out_px - 1) * stride_px + (kernel - 1) * dilation + 1 - side_px, 0)
    return total // 2, total - total // 2


def convolve_padded(
    x: Tensor, weight: Tensor, bias: Tensor | None, conv: nn.Conv2d, padding_px: tuple[int, int], *, fast: bool
) -> Tensor:
    """Convolve as `conv` does, with these weights and zeros; `fast` allows the quicker gradients of `depthwise`.

    They are for training only: an exporter would not know the function.
    """
    stride, dilation = conv.stride[0], conv.dilation[0]
    if fast and is_slow_depthwise(x, weight, groups=conv.groups, stride_px=stride, dilation=dilation):
        return depthwise_conv(x, weight, bias, stride_px=stride, padding_px=padding_px, dilation=dilation)
    return F.conv2d(x, weight, bias, conv.stride, padding_px, conv.dilation, conv.groups)


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalisation, activation.

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that go out.
        kernel: Side of the square kernel.
        stride_px: Distance between the output pixels.
        dilation: Distance between the kernel's taps.
        groups: `in_channels` for a depthwise convolution.
        activation: A name of `ACTIVATIONS`.
        norm_eps: Added to the variance.
        norm_momentum: Fraction of the newest batch in the running statistics.

    >>> import torch
    >>> ConvNorm(3, 8, kernel=3, stride_px=2)(torch.zeros(1, 3, 15, 16)).shape
    torch.Size([1, 8, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 3,
        stride_px: int = 1,
        dilation: int = 1,
        groups: int = 1,
        activation: str = "relu6",
        norm_eps: float = 1e-3,
        norm_momentum: float = 0.01,
    ) -> None:
        super().__init__()
        self.kernel, self.stride_px, self.dilation = kernel, stride_px, dilation
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride_px, 0, dilation=dilation, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(out_channels, eps=norm_eps, momentum=norm_momentum)
        self.activation = build_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ceil(H / s), ceil(W / s))."""
        top, bottom = self._padding(x.shape[2])
        left, right = self._padding(x.shape[3])
        if (top, left) == (bottom, right):  # no copy: the convolution pads by itself
            x = convolve_padded(x, self.conv.weight, None, self.conv, (top, left), fast=self.training)
        else:
            x = F.pad(x, (left, right, top, bottom))
            x = convolve_padded(x, self.conv.weight, None, self.conv, (0, 0), fast=self.training)
        out: Tensor = self.activation(self.norm(x))
        return out

    def _padding(self, side_px: int) -> tuple[int, int]:
        if self.stride_px == 1:  # the same for every side, also for one that a trace leaves open
            total = (self.kernel - 1) * self.dilation
            return total // 2, total - total // 2
        return same_padding_px(side_px, kernel=self.kernel, stride_px=self.stride_px, dilation=self.dilation)
