"""A network that tells which word or phrase a mouth said, from one clip brought to a fixed number of frames.

Every frame is seen with its two neighbours and with what differs from the clip's mean, which takes away most of how a
mouth looks and leaves how it moves. This file does not know the words.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.nn.frame_stage import FrameStage, surroundings

__all__ = ["LipWords"]


class LipWords(nn.Module):
    """Clips to scores of the words.

    Args:
        words: How many.
        channels: Of the stem and the stages after it.
        width: Of a frame's vector.
        dropout: While training.

    >>> net = LipWords(5, channels=(4, 4, 4), width=8).eval()
    >>> tuple(net(torch.zeros(2, 6, 32, 48), torch.ones(2, 1)).shape)
    (2, 5)
    """

    def __init__(
        self, words: int, *, channels: tuple[int, ...] = (24, 40, 64, 96), width: int = 128, dropout: float = 0.4
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4, channels[0], 5, stride=2, padding=2, bias=False)
        self.norm = nn.BatchNorm2d(channels[0])
        self.stages = nn.Sequential(
            *(FrameStage(a, b) for a, b in pairwise(channels)),
        )
        cells = (32 >> len(channels)) * (48 >> len(channels))
        self.flat = nn.Sequential(
            nn.Dropout(dropout / 2), nn.Linear(channels[-1] * cells, width), nn.LayerNorm(width), nn.GELU()
        )
        self.moves = nn.ModuleList(nn.Conv1d(width, width, 5, padding=2, bias=False) for _ in range(2))
        self.move_norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in self.moves)
        self.order = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)
        self.weigh = nn.Linear(width, 1)
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(2 * width + 1, words)

    def forward(self, crops: Tensor, seconds: Tensor) -> Tensor:
        """Scores before softmax.

        Args:
            crops: (B, T, 32, 48) of any brightness and contrast.
            seconds: (B, 1) how long the clip took.
        Returns:
            (B, words).
        """
        batch, frames, height, width = crops.shape
        crops = crops - crops.mean(dim=(1, 2, 3), keepdim=True)
        crops = crops / (crops.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-3).sqrt()
        moving = crops - crops.mean(dim=1, keepdim=True)
        x = torch.cat([surroundings(crops, 3), moving[:, :, None]], dim=2).reshape(batch * frames, 4, height, width)
        x = self.stages(F.relu(self.norm(self.stem(x.contiguous(memory_format=torch.channels_last)))))
        x = self.flat(x.flatten(1)).reshape(batch, frames, -1)
        for move, norm in zip(self.moves, self.move_norms, strict=True):
            x = x + F.relu(norm(move(x.transpose(1, 2)))).transpose(1, 2)
        x, _ = self.order(self.dropout(x))
        weights = self.weigh(x).softmax(dim=1)
        pooled = torch.cat([(x * weights).sum(dim=1), x.mean(dim=1), seconds - 0.8], dim=-1)
        out: Tensor = self.last(self.dropout(pooled))
        return out
