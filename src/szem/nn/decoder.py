"""One block of a transformer decoder: attention to the words so far, attention to the picture, two linear layers.

Source: A. Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3; normalisation before each
part as in R. Xiong et al., 2020, arXiv:2002.04745. This file does not know about words, pictures or beams.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.errors import ShapeError

__all__ = ["DecoderBlock"]


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward; each with a residual and normalised before.

    Args:
        width: Channels D of the words; a multiple of `heads`.
        heads: Attention heads.
        dropout: Share of values dropped after each part while training.

    >>> block = DecoderBlock(8, heads=2).eval()
    >>> keys, values = block.memory(torch.zeros(1, 5, 8))
    >>> words, _, weights = block.step(torch.zeros(3, 1, 8), keys.repeat(3, 1, 1, 1), values.repeat(3, 1, 1, 1), None)
    >>> tuple(words.shape), tuple(weights.shape)
    ((3, 1, 8), (3, 5))
    """

    def __init__(self, width: int, *, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ShapeError(f"width must be a multiple of heads, got {width} and {heads}")
        self.heads = heads
        self.norm_self, self.norm_cross, self.norm_feed = (nn.LayerNorm(width) for _ in range(3))
        self.qkv = nn.Linear(width, 3 * width)
        self.out_self = nn.Linear(width, width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out_cross = nn.Linear(width, width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def memory(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the picture, computed once: (B, S, D) to two of (B, heads, S, D / heads)."""
        keys, values = self.key_value(picture).chunk(2, dim=-1)
        return self._split(keys), self._split(values)

    def forward(self, words: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """All words at once, none seeing a later one.

        Args:
            words: (B * R, T, D), R sentences to a picture, those of one picture together.
            keys: (B, heads, S, D / heads), from `memory`.
            values: As `keys`.
        Returns:
            (B * R, T, D).
        """
        q, k, v = (self._split(x) for x in self.qkv(self.norm_self(words)).chunk(3, dim=-1))
        words = words + self.dropout(self.out_self(_merge(F.scaled_dot_product_attention(q, k, v, is_causal=True))))
        q = self._split(self.query(self.norm_cross(words)))  # (B * R, heads, T, d)
        batch, heads, _, d = keys.shape
        sentences, _, length, _ = q.shape
        per_picture = sentences // batch
        q = q.reshape(batch, per_picture, heads, length, d).transpose(1, 2).reshape(batch, heads, -1, d)
        seen = F.scaled_dot_product_attention(q, keys, values)  # (B, heads, R * T, d)
        seen = seen.reshape(batch, heads, per_picture, length, d).transpose(1, 2).reshape(sentences, heads, length, d)
        return self._feed(words + self.dropout(self.out_cross(_merge(seen))))

    def step(
        self, word: Tensor, keys: Tensor, values: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """One more word, with what earlier words left behind.

        Args:
            word: (N, 1, D).
            keys: (N, heads, S, d), from `memory`.
            values: As `keys`.
            past: Keys and values of the words before, each (N, heads, t, d); None for the first.
        Returns:
            The word (N, 1, D), the past with it, and where it looked: (N, S), sums to 1 (mean of the heads).
        """
        q, k, v = (self._split(x) for x in self.qkv(self.norm_self(word)).chunk(3, dim=-1))
        if past is not None:
            k, v = torch.cat((past[0], k), dim=2), torch.cat((past[1], v), dim=2)
        word = word + self.out_self(_merge(_weights(q, k) @ v))
        weights = _weights(self._split(self.query(self.norm_cross(word))), keys)  # (N, heads, 1, S)
        word = self._feed(word + self.out_cross(_merge(weights @ values)))
        return word, (k, v), weights.mean(1).squeeze(1)

    def _feed(self, x: Tensor) -> Tensor:
        wide = self.dropout(F.gelu(self.widen(self.norm_feed(x))))
        fed: Tensor = x + self.dropout(self.narrow(wide))
        return fed

    def _split(self, x: Tensor) -> Tensor:
        """(B, T, D) to (B, heads, T, D / heads)."""
        batch, length, width = x.shape
        return x.reshape(batch, length, self.heads, width // self.heads).transpose(1, 2)


def _weights(q: Tensor, k: Tensor) -> Tensor:
    return torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, dim=-1)


def _merge(x: Tensor) -> Tensor:
    """(B, heads, T, d) to (B, T, heads * d)."""
    batch, heads, length, d = x.shape
    return x.transpose(1, 2).reshape(batch, length, heads * d)
