"""What a frozen ImageNet network sees at four strides: the ground on which drawings are judged and matched.

Source: A. Sauer et al., Projected GANs Converge Faster, 2021, arXiv:2111.01007: a discriminator on the features of a
trained network, here EfficientNet-Lite0 as there. This file does not know losses.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.models.efficientnet_lite import EfficientNetLite
from szem.nn.frozen import freeze_norms

__all__ = ["CHANNELS", "GRID_CHANNELS", "LiteFeatures", "grid_of"]

CHANNELS = (24, 40, 112, 320)
"""Of the maps at strides 4, 8, 16 and 32."""
GRID_CHANNELS = sum(CHANNELS)
_SIDE_PX = 128
_GRID = 8


class LiteFeatures(nn.Module):
    """Maps at strides 4, 8, 16, 32 of pictures brought to 128 pixels; it never learns.

    Args:
        net: With its weights; it is changed in place.

    >>> maps = LiteFeatures(EfficientNetLite("lite0"))(torch.zeros(1, 3, 64, 64))
    >>> [tuple(m.shape[1:]) for m in maps]
    [(24, 32, 32), (40, 16, 16), (112, 8, 8), (320, 4, 4)]
    """

    def __init__(self, net: EfficientNetLite) -> None:
        super().__init__()
        self.stem, self.stages = net.stem, net.stages
        freeze_norms(self)
        for parameter in self.parameters():
            parameter.requires_grad_(False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in -1..1 to four maps."""
        x = pictures
        if x.shape[-1] != _SIDE_PX:
            x = F.interpolate(x, size=(_SIDE_PX, _SIDE_PX), mode="bilinear", align_corners=False)
        x = self.stem((x * 127.5 + 0.5) / 128)
        kept = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in (1, 2, 4, 6):
                kept.append(x)
        return kept


def grid_of(maps: list[Tensor]) -> Tensor:
    """All four maps on one 8×8 grid, each place at about unit size per stride: (B, 64, 496)."""
    out = []
    for one in maps:
        x = one.float()
        if x.shape[-1] > _GRID:
            x = F.adaptive_avg_pool2d(x, _GRID)
        elif x.shape[-1] < _GRID:
            x = F.interpolate(x, size=(_GRID, _GRID), mode="nearest")
        out.append(x / x.square().mean(dim=1, keepdim=True).add(1e-4).sqrt())
    return torch.cat(out, dim=1).flatten(2).transpose(1, 2)
