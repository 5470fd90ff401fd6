"""Convolutions taken apart: depthwise (each channel alone, in space) then pointwise (across channels).

A 3×3 convolution of C into C channels costs 9·C·C multiplications a pixel; taken apart it costs 9·C + C·C. This file
does not know about whole networks.
"""

import torch
from torch import Tensor, nn

from szem.errors import RangeError
from szem.nn.conv import ConvNorm

__all__ = ["DropPath", "MBConv", "SeparableConv"]


class DropPath(nn.Module):
    """While training, drops a sample's whole branch with probability `rate` and scales what is kept.

    Source: G. Huang et al., Deep Networks with Stochastic Depth, 2016, arXiv:1603.09382, section 3.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise RangeError(f"drop-path rate must be in [0, 1), got {rate}")
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(B, …) to the same shape; unchanged outside training."""
        if not self.training or self.rate == 0:
            return x
        keep = torch.rand(x.shape[0], *[1] * (x.dim() - 1), device=x.device) >= self.rate
        return x * keep.to(x.dtype) / (1 - self.rate)


class SeparableConv(nn.Module):
    """Depthwise convolution in space (it may be atrous), then 1×1 across channels, both normalised and activated.

    Source: L.-C. Chen et al., Encoder-Decoder with Atrous Separable Convolution, 2018, arXiv:1802.02611, section 3.1.

    >>> SeparableConv(4, 6, dilation=3)(torch.zeros(1, 4, 9, 9)).shape
    torch.Size([1, 6, 9, 9])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 3,
        stride_px: int = 1,
        dilation: int = 1,
        activation: str = "relu6",
        norm_momentum: float = 0.01,
    ) -> None:
        super().__init__()
        self.depthwise = ConvNorm(
            in_channels,
            in_channels,
            kernel=kernel,
            stride_px=stride_px,
            dilation=dilation,
            groups=in_channels,
            activation=activation,
            norm_momentum=norm_momentum,
        )
        self.pointwise = ConvNorm(
            in_channels, out_channels, kernel=1, activation=activation, norm_momentum=norm_momentum
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ceil(H / s), ceil(W / s))."""
        out: Tensor = self.pointwise(self.depthwise(x))
        return out


class MBConv(nn.Module):
    """Inverted residual: widen by 1×1, filter depthwise, narrow by 1×1 without activation; added to its input.

    The input is added only where its shape is kept. `stride_px` decides that, not the dilation, so a stride taken out
    to keep resolution must be told by `residual=False`, as the trained block had none there.

    Source: M. Sandler et al., MobileNetV2, 2018, arXiv:1801.04381, section 3.3.

    >>> MBConv(8, 8, expand=6)(torch.zeros(1, 8, 5, 5)).shape
    torch.Size([1, 8, 5, 5])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        expand: int,
        kernel: int = 3,
        stride_px: int = 1,
        dilation: int = 1,
        residual: bool = True,
        drop_path: float = 0.0,
        norm_momentum: float = 0.01,
    ) -> None:
        super().__init__()
        wide = in_channels * expand
        self.expand: ConvNorm | None = None
        if expand != 1:
            self.expand = ConvNorm(in_channels, wide, kernel=1, norm_momentum=norm_momentum)
        self.depthwise = ConvNorm(
            wide,
            wide,
            kernel=kernel,
            stride_px=stride_px,
            dilation=dilation,
            groups=wide,
            norm_momentum=norm_momentum,
        )
        self.project = ConvNorm(wide, out_channels, kernel=1, activation="none", norm_momentum=norm_momentum)
        self.is_residual = residual and stride_px == 1 and in_channels == out_channels
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ceil(H / s), ceil(W / s))."""
        wide = x if self.expand is None else self.expand(x)
        out: Tensor = self.project(self.depthwise(wide))
        return x + self.drop_path(out) if self.is_residual else out
