"""One space for pictures and sentences: what belongs together points the same way.

Source: the loss is that of A. Radford et al., Learning Transferable Visual Models From Natural Language Supervision,
2021, arXiv:2103.00020, section 2.3; sentences and maps of an ImageNet network in one space: F. Faghri et al., VSE++,
2018, arXiv:1707.05612. This file does not know the words.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.nn.attention import MultiHeadAttention

__all__ = ["ImageTower", "TextImageEncoder", "TextTower", "matching_loss"]


class ImageTower(nn.Module):
    """The mean over all places, and means that attend to some, brought to the common width.

    Args:
        channels: Of the maps.
        width: Of the common space.
        looks: How many attended means.
        dropout: While training.

    >>> tuple(ImageTower(channels=6, width=4)(torch.zeros(2, 5, 6)).shape)
    (2, 4)
    """

    def __init__(self, *, channels: int = 1280, width: int = 256, looks: int = 2, dropout: float = 0.3) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.where = nn.Linear(channels, looks)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(channels * (1 + looks), width)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, S, C) to (B, width), of length 1."""
        x = self.norm(maps)
        weights = torch.softmax(self.where(x), dim=1)  # (B, S, looks)
        seen = torch.cat((x.mean(1, keepdim=True), weights.transpose(1, 2) @ x), dim=1)  # (B, 1 + looks, C)
        return F.normalize(self.out(self.dropout(seen.flatten(1))), dim=-1)


class TextTower(nn.Module):
    """Words that look at one another once, then their mean.

    Args:
        words: Length of the vocabulary; number 0 is padding.
        width: Of a word and of the common space.
        heads: Attention heads.
        longest: Most words of a sentence.
        dropout: While training.
        near: Words on which a convolution looks together before that, odd; with 0 there is none. It tells "yellow
            petals, white centre" from "white petals, yellow centre".

    >>> tuple(TextTower(10, width=4, heads=2)(torch.ones(2, 5, dtype=torch.long)).shape)
    (2, 4)
    """

    def __init__(
        self, words: int, *, width: int = 256, heads: int = 4, longest: int = 32, dropout: float = 0.3, near: int = 0
    ) -> None:
        super().__init__()
        self.word = nn.Embedding(words, width)
        nn.init.normal_(self.word.weight, std=width**-0.5)
        self.position = nn.Parameter(torch.randn(longest, width) * 0.02)
        self.norm_own, self.norm_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.near = nn.Conv1d(width, 2 * width, near, padding=near // 2) if near else None
        self.own = MultiHeadAttention(width, heads=heads)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T) integers to (N, width), of length 1."""
        there = tokens != 0
        x = self.word(tokens) * math.sqrt(self.word.embedding_dim) + self.position[: tokens.shape[1]]
        x = self.dropout(x)
        if self.near is not None:
            x = x + F.glu(self.near((x * there[..., None]).transpose(1, 2)), dim=1).transpose(1, 2)
        own = self.norm_own(x)
        x = x + self.dropout(self.own(own, *self.own.memory(own), there[:, None, None]))
        weights = there[..., None].to(x.dtype)
        mean = (self.norm_out(x) * weights).sum(1) / weights.sum(1).clamp(min=1)
        return F.normalize(self.out(self.dropout(mean)), dim=-1)


class TextImageEncoder(nn.Module):
    """Both sides and the temperature that sharpens their products."""

    def __init__(
        self,
        words: int,
        *,
        channels: int = 1280,
        width: int = 256,
        dropout: float = 0.3,
        looks: int = 2,
        near: int = 0,
        longest: int = 32,
    ) -> None:
        super().__init__()
        self.picture = ImageTower(channels=channels, width=width, dropout=dropout, looks=looks)
        self.sentence = TextTower(words, width=width, dropout=dropout, near=near, longest=longest)
        self.sharp = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, maps: Tensor, tokens: Tensor) -> Tensor:
        """Fit of each sentence to each picture: (B, S, C) and (N, T) to (N, B)."""
        return self.sharp.exp().clamp(max=100) * self.sentence(tokens) @ self.picture(maps).T


def matching_loss(fit: Tensor, owner: Tensor) -> Tensor:
    """How badly sentences find their picture, and pictures their sentences.

    Args:
        fit: (N, B), of `TextImageEncoder`.
        owner: (N,), the picture of each sentence.

    >>> right, wrong = torch.eye(2) * 9, torch.eye(2).flip(0) * 9
    >>> bool(matching_loss(right, torch.arange(2)) < 0.01 < matching_loss(wrong, torch.arange(2)))
    True
    """
    to_picture = F.cross_entropy(fit, owner)
    own = torch.arange(fit.shape[1], device=fit.device)[:, None] == owner  # (B, N)
    logs = fit.T.log_softmax(-1)
    to_sentence = -(logs * own).sum(1) / own.sum(1).clamp(min=1)
    return (to_picture + to_sentence.mean()) / 2
