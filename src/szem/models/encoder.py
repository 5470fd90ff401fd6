"""EfficientNet-Lite in two parts: a trunk whose maps can be kept on disk, and a tail that may go on learning.

The trunk is all but the last stage: it does not learn, so its maps are computed once for each picture. The tail, the
last stage and the 1x1 head, costs little and can be trained with what stands on it. This file does not know about
files or sentences.
"""

import torch  # noqa: F401  the examples need it
from torch import Tensor, nn

from szem.models.efficientnet_lite import EfficientNetLite, build_efficientnet_lite
from szem.nn.frozen import freeze_norms

__all__ = ["Tail", "Trunk", "build_encoder"]


class Trunk(nn.Module):
    """Stem and all stages but the last.

    >>> trunk, tail = build_encoder("lite0")
    >>> tuple(trunk(torch.zeros(1, 3, 64, 96)).shape)
    (1, 192, 2, 3)
    """

    def __init__(self, net: EfficientNetLite) -> None:
        super().__init__()
        self.stem, self.stages = net.stem, net.stages[:-1]

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) RGB, `(value - 127) / 128`, to (B, C, H / 32, W / 32)."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return x


class Tail(nn.Module):
    """The last stage and the head.

    Args:
        net: The whole network.
        frozen: Its normalisation does not learn: for training.

    >>> trunk, tail = build_encoder("lite0")
    >>> tuple(tail(torch.zeros(1, 192, 2, 3)).shape)
    (1, 6, 1280)
    """

    def __init__(self, net: EfficientNetLite, *, frozen: bool = True) -> None:
        super().__init__()
        self.stage, self.head = net.stages[-1], net.head
        if frozen:
            freeze_norms(self)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) to (B, h * w, 1280), row by row."""
        out: Tensor = self.head(self.stage(maps)).flatten(2).transpose(1, 2)
        return out


def build_encoder(variant: str, *, pretrained: bool = False, frozen: bool = True) -> tuple[Trunk, Tail]:
    """Make both parts; with `pretrained` their weights are those of ImageNet.

    Raises:
        As `build_efficientnet_lite`.
    """
    net = build_efficientnet_lite(variant, pretrained=pretrained).eval()
    return Trunk(net).eval(), Tail(net, frozen=frozen).eval()
