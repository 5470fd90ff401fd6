"""Attention: what is asked for is mixed from what is there, by how well each fits.

Two kinds: scaled products in several heads, and the additive one of the first captioning and translation networks.
This file does not know about words, pictures or beams.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.errors import ShapeError

__all__ = ["AdditiveAttention", "MultiHeadAttention"]


class MultiHeadAttention(nn.Module):
    """Scaled dot products in several heads; what is looked at is projected once, with `memory`.

    Args:
        width: Channels D of both sides; a multiple of `heads`.
        heads: Attention heads.
    Raises:
        ShapeError: `width` is not a multiple of `heads`.
    Source: A. Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.2.

    >>> attention = MultiHeadAttention(8, heads=2)
    >>> keys, values = attention.memory(torch.zeros(1, 5, 8))
    >>> out, weights = attention.look(torch.zeros(1, 3, 8), keys, values)
    >>> tuple(out.shape), tuple(weights.shape)
    ((1, 3, 8), (1, 2, 3, 5))
    """

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ShapeError(f"width must be a multiple of heads, got {width} and {heads}")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def memory(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of what is looked at: (B, S, D) to two of (B, heads, S, D / heads)."""
        keys, values = self.key_value(source).chunk(2, dim=-1)
        return self._split(keys), self._split(values)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Look, without telling where.

        Args:
            x: (B, T, D).
            keys: (B, heads, S, D / heads), from `memory`.
            values: As `keys`.
            mask: (B, 1, T, S) bool, False where one must not look; None for everywhere.
        Returns:
            (B, T, D).
        """
        mixed = F.scaled_dot_product_attention(self._split(self.query(x)), keys, values, attn_mask=mask)
        out: Tensor = self.out(_merge(mixed))
        return out

    def look(self, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Look, and tell where: (B, T, D) and (B, heads, T, S), whose last axis sums to 1."""
        q = self._split(self.query(x))
        weights = torch.softmax(q @ keys.transpose(-1, -2) * q.shape[-1] ** -0.5, dim=-1)
        return self.out(_merge(weights @ values)), weights

    def _split(self, x: Tensor) -> Tensor:
        """(B, T, D) to (B, heads, T, D / heads)."""
        batch, length, width = x.shape
        return x.reshape(batch, length, self.heads, width // self.heads).transpose(1, 2)


class AdditiveAttention(nn.Module):
    """One layer of tanh says how well a query fits a place.

    Args:
        query: Channels of what asks.
        source: Channels of a place.
        width: Channels in which the two are compared.
    Source: D. Bahdanau et al., Neural Machine Translation by Jointly Learning to Align and Translate, 2015,
        arXiv:1409.0473, section A.1.2; for pictures K. Xu et al., Show, Attend and Tell, 2015, arXiv:1502.03044.

    >>> attention = AdditiveAttention(query=6, source=4, width=8)
    >>> mixed, weights = attention(torch.zeros(2, 6), torch.zeros(2, 5, 4))
    >>> tuple(mixed.shape), weights[0].tolist()
    ((2, 4), [0.20..., 0.20..., 0.20..., 0.20..., 0.20...])
    """

    def __init__(self, *, query: int, source: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query, width)
        self.key = nn.Linear(source, width, bias=False)
        self.fit = nn.Linear(width, 1, bias=False)

    def forward(self, query: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """Mix the places.

        Args:
            query: (B, Q).
            source: (B, S, C).
        Returns:
            (B, C), and the weights (B, S), which sum to 1.
        """
        fit = self.fit(torch.tanh(self.query(query)[:, None] + self.key(source)))[..., 0]  # (B, S)
        weights = torch.softmax(fit, dim=-1)
        return (weights[..., None] * source).sum(1), weights


def _merge(x: Tensor) -> Tensor:
    """(B, heads, T, d) to (B, T, heads * d)."""
    batch, heads, length, d = x.shape
    return x.transpose(1, 2).reshape(batch, length, heads * d)
