"""One block of a transformer decoder: attention to the words so far, attention to the picture, two linear layers.

Source: A. Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3; normalisation before each
part as in R. Xiong et al., 2020, arXiv:2002.04745. This file does not know about words, pictures or beams.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.nn.attention import MultiHeadAttention

__all__ = ["DecoderBlock"]


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward; each with a residual and normalised before.

    Args:
        width: Channels D of the words; a multiple of `heads`.
        heads: Attention heads.
        dropout: Fraction of values dropped after each part while training.
    Raises:
        ShapeError: `width` is not a multiple of `heads`.

    >>> block = DecoderBlock(8, heads=2).eval()
    >>> keys, values = block.cross.memory(torch.zeros(1, 5, 8))
    >>> past = torch.zeros(3, 2, 0, 4)
    >>> words, _, weights = block.step(torch.zeros(1, 3, 8), keys, values, (past, past))
    >>> tuple(words.shape), tuple(weights.shape)
    ((1, 3, 8), (1, 3, 5))
    """

    def __init__(self, width: int, *, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm_own, self.norm_cross, self.norm_feed = (nn.LayerNorm(width) for _ in range(3))
        self.own = MultiHeadAttention(width, heads=heads)
        self.cross = MultiHeadAttention(width, heads=heads)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, words: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """All words at once.

        Args:
            words: (B, T, D).
            keys: (B, heads, S, D / heads), from `cross.memory`.
            values: As `keys`.
            mask: (B, 1, T, T) bool, True where a word (third axis) may look at another (fourth).
        Returns:
            (B, T, D).
        """
        own = self.norm_own(words)
        words = words + self.dropout(self.own(own, *self.own.memory(own), mask))
        words = words + self.dropout(self.cross(self.norm_cross(words), keys, values))
        return self._feed(words)

    def step(
        self, words: Tensor, keys: Tensor, values: Tensor, past: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """One more word of R sentences of each picture, with what earlier words left behind.

        Args:
            words: (B, R, D).
            keys: (B, heads, S, d), from `cross.memory`.
            values: As `keys`.
            past: Keys and values of the t words before, each (B * R, heads, t, d).
        Returns:
            The words (B, R, D), the past with them, and where they looked: (B, R, S), sums to 1 (mean of the heads).
        """
        batch, beams, width = words.shape
        own = self.norm_own(words).reshape(batch * beams, 1, width)
        k, v = self.own.memory(own)
        k, v = torch.cat((past[0], k), dim=2), torch.cat((past[1], v), dim=2)
        words = words + self.own.look(own, k, v)[0].reshape(batch, beams, width)
        seen, weights = self.cross.look(self.norm_cross(words), keys, values)
        return self._feed(words + seen), (k, v), weights.mean(1)

    def _feed(self, x: Tensor) -> Tensor:
        wide = self.dropout(F.gelu(self.widen(self.norm_feed(x))))
        fed: Tensor = x + self.dropout(self.narrow(wide))
        return fed
