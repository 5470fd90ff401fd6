"""The picture tower of the search: from the shipped networks' features to the sentence encoder's space.

Its inputs are what other networks compute anyway: the last maps of the captioner's encoder and their projections, the
classifier's features and logits, the detector's best score of each class.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["PictureTower", "SentenceProjection", "pooled"]

PARTS = 9  # parts of the picture, three by three


def pooled(maps: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Maps (B, 1280, 9, 9) and places (B, 81, C) to means over 3 x 3 parts: (B, 9, 1280), (B, 9, C)."""
    coarse = F.avg_pool2d(maps, 3).flatten(2).transpose(1, 2)
    grid = places.transpose(1, 2).unflatten(2, (9, 9))
    return coarse, F.avg_pool2d(grid, 3).flatten(2).transpose(1, 2)


class PictureTower(nn.Module):
    """Attention over nine parts of the picture, beside a projection of what is known of the whole.

    Args:
        width: Of the space.
        hidden: Of the layers between.
        looks: Weighted means over the parts.
        drop: While training, inside.
        drop_in: While training, of the inputs.
    """

    def __init__(
        self, *, width: int = 384, hidden: int = 512, looks: int = 3, drop: float = 0.45, drop_in: float = 0.4
    ) -> None:
        super().__init__()
        self.maps, self.places = nn.Linear(1280, width), nn.Linear(256, width)
        self.position = nn.Parameter(torch.randn(PARTS, width) * 0.02)
        self.norm_parts, self.where = nn.LayerNorm(width), nn.Linear(width, looks)
        self.whole, self.look = nn.Linear(1280 + 1000 + 80, hidden), nn.Linear(looks * width, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.inner, self.outer, self.skip = (
            nn.Linear(hidden, hidden),
            nn.Linear(hidden, width),
            nn.Linear(hidden, width),
        )
        self.drop, self.drop_in = nn.Dropout(drop), nn.Dropout(drop_in)

    def forward(self, maps: Tensor, places: Tensor, features: Tensor, logits: Tensor, boxes: Tensor) -> Tensor:
        """Standardised inputs (B, 9, 1280), (B, 9, 256), (B, 1280), (B, 1000), (B, 80) to (B, width) of length 1."""
        whole = self.whole(torch.cat([self.drop_in(x) for x in (features, logits, boxes)], 1))
        parts = self.maps(self.drop_in(maps)) + self.places(self.drop_in(places)) + self.position
        parts = F.gelu(self.norm_parts(parts))
        weights = self.where(parts).softmax(1)  # (B, parts, looks)
        seen = (weights.transpose(1, 2) @ parts).flatten(1)
        x = self.drop(F.gelu(self.norm(whole + self.look(self.drop(seen)))))
        return F.normalize(self.skip(x) + self.outer(self.drop(F.gelu(self.inner(x)))), dim=-1)


class SentenceProjection(nn.Module):
    """From the sentence encoder's embedding to the common space: a rotation and a small correction."""

    def __init__(self, *, width: int = 384, hidden: int = 256, drop: float = 0.45) -> None:
        super().__init__()
        self.turn = nn.Linear(384, width)
        nn.init.orthogonal_(self.turn.weight)
        nn.init.zeros_(self.turn.bias)
        self.widen, self.narrow = nn.Linear(384, hidden), nn.Linear(hidden, width)
        nn.init.zeros_(self.narrow.weight)
        self.drop, self.drop_in = nn.Dropout(drop), nn.Dropout(0.1)

    def forward(self, embedding: Tensor) -> Tensor:
        """(N, 384) of length 1 to (N, width) of length 1."""
        x = self.drop_in(embedding * math.sqrt(384) / 4)
        return F.normalize(self.turn(x) + self.narrow(self.drop(F.gelu(self.widen(x)))), dim=-1)
