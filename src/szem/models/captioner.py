"""Networks that write a sentence for the feature maps of a picture, one word at a time.

Two with the same four methods, so that training, export and beam search do not ask which it is:

- `Teller`: one vector of the picture starts a recurrent network. O. Vinyals et al., Show and Tell, 2015,
  arXiv:1411.4555, section 3.
- `Attender`: a small transformer that looks at all places of the maps for each word, as K. Xu et al., Show, Attend
  and Tell, 2015, arXiv:1502.03044 did with a recurrent one.

The encoder is not here: both take the last maps of a classification network. This file does not know the words.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.nn.decoder import DecoderBlock

__all__ = ["CAPTIONERS", "Attender", "Teller"]


class Attender(nn.Module):
    """A transformer decoder over the places of the maps.

    Args:
        words: Length of the vocabulary.
        channels: Channels of the maps.
        places: Height times width of the maps.
        width: Channels of a word.
        blocks: Decoder blocks.
        heads: Attention heads of a block.
        longest: Most words of a sentence, start and end included.
        dropout: While training.

    >>> net = Attender(10, channels=6, places=4, width=8, blocks=2, heads=2).eval()
    >>> tuple(net(torch.zeros(2, 4, 6), torch.ones(4, 5, dtype=torch.long)).shape)
    (4, 5, 10)
    """

    def __init__(
        self,
        words: int,
        *,
        channels: int = 1280,
        places: int = 49,
        width: int = 320,
        blocks: int = 3,
        heads: int = 5,
        longest: int = 24,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        self.width = width
        self.reduce = nn.Sequential(nn.LayerNorm(channels), nn.Dropout(dropout), nn.Linear(channels, width))
        self.place = nn.Parameter(torch.randn(places, width) * 0.02)
        self.norm_picture = nn.LayerNorm(width)
        self.word = nn.Embedding(words, width)
        nn.init.normal_(self.word.weight, std=width**-0.5)
        self.position = nn.Parameter(torch.randn(longest, width) * 0.02)
        self.blocks = nn.ModuleList(DecoderBlock(width, heads=heads, dropout=dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(words))
        self.dropout = nn.Dropout(dropout)

    def forward(self, maps: Tensor, tokens: Tensor) -> Tensor:
        """Scores of the next word after each word.

        Args:
            maps: (B, S, C), the places of the last maps.
            tokens: (B * R, T) integers, R sentences to a picture, those of one picture together.
        Returns:
            (B * R, T, words), before softmax.
        """
        picture = self._picture(maps)
        x = self.dropout(self._embed(tokens) + self.position[: tokens.shape[1]])
        for block in self.blocks:
            x = block(x, *block.memory(picture))  # type: ignore[operator]
        return self._scores(x)

    def memory(self, maps: Tensor) -> Tensor:
        """What every step needs of the picture: (B, S, C) to (B, 2 * blocks, heads, S, d)."""
        picture = self._picture(maps)
        return torch.stack([part for block in self.blocks for part in block.memory(picture)], dim=1)  # type: ignore[operator]

    def start(self, memory: Tensor) -> Tensor:
        """The state before the first word: (N, 2 * blocks, heads, 0, d)."""
        return memory[:, :, :, :0]

    def step(self, token: Tensor, memory: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One more word.

        Args:
            token: (N,) integers, the last word.
            memory: (N, 2 * blocks, heads, S, d).
            state: (N, 2 * blocks, heads, t, d), of the t words before.
        Returns:
            Scores of the next word (N, words), where the network looked (N, S), the new state.
        """
        at = state.shape[3]
        x = self._embed(token[:, None]) + self.position[at : at + 1]  # (N, 1, D)
        kept: list[Tensor] = []
        looked = []
        for index, block in enumerate(self.blocks):
            i, j = 2 * index, 2 * index + 1
            x, new, weights = block.step(x, memory[:, i], memory[:, j], (state[:, i], state[:, j]))  # type: ignore[operator]
            kept += new
            looked.append(weights)
        return self._scores(x)[:, 0], torch.stack(looked).mean(0), torch.stack(kept, dim=1)

    def _picture(self, maps: Tensor) -> Tensor:
        picture: Tensor = self.norm_picture(self.reduce(maps) + self.place)
        return picture

    def _embed(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.word(tokens) * math.sqrt(self.width)
        return embedded

    def _scores(self, x: Tensor) -> Tensor:
        return F.linear(self.norm(x), self.word.weight, self.bias)


class Teller(nn.Module):
    """A recurrent network (LSTM) that is shown the picture once, before the first word.

    Args:
        words: Length of the vocabulary.
        channels: Channels of the maps.
        width: Channels of a word and of the network's state.
        dropout: While training.

    >>> net = Teller(10, channels=6, width=8).eval()
    >>> tuple(net(torch.zeros(2, 4, 6), torch.ones(4, 5, dtype=torch.long)).shape)
    (4, 5, 10)
    """

    def __init__(self, words: int, *, channels: int = 1280, width: int = 512, dropout: float = 0.4) -> None:
        super().__init__()
        self.show = nn.Linear(channels, width)
        self.norm_picture = nn.LayerNorm(width)
        self.word = nn.Embedding(words, width)
        nn.init.normal_(self.word.weight, std=width**-0.5)
        self.cell = nn.LSTM(width, width, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(words))
        self.dropout = nn.Dropout(dropout)

    def forward(self, maps: Tensor, tokens: Tensor) -> Tensor:
        """As `Attender.forward`."""
        per_picture = tokens.shape[0] // maps.shape[0]
        first = self._picture(maps).repeat_interleave(per_picture, dim=0)
        x = torch.cat((first[:, None], self.word(tokens)), dim=1)
        y, _ = self.cell(self.dropout(x))
        return self._scores(self.dropout(y[:, 1:]))

    def memory(self, maps: Tensor) -> Tensor:
        """The network's state after it was shown the picture: (B, S, C) to (B, 2, D)."""
        _, (h, c) = self.cell(self._picture(maps)[:, None])
        return torch.stack((h[0], c[0]), dim=1)

    def start(self, memory: Tensor) -> Tensor:
        """The state before the first word: the memory itself."""
        return memory

    def step(self, token: Tensor, memory: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One more word: as `Attender.step`, with a state (N, 2, D); it looks nowhere, so evenly at one place."""
        h, c = state[:, 0][None].contiguous(), state[:, 1][None].contiguous()
        y, (h, c) = self.cell(self.word(token)[:, None], (h, c))
        looked = torch.ones_like(memory[:, 0, :1])
        return self._scores(y[:, 0]), looked, torch.stack((h[0], c[0]), dim=1)

    def _picture(self, maps: Tensor) -> Tensor:
        shown: Tensor = self.norm_picture(self.show(maps.mean(1)))
        return shown

    def _scores(self, x: Tensor) -> Tensor:
        return F.linear(x, self.word.weight, self.bias)


# Name -> builder from the length of the vocabulary.
CAPTIONERS: dict[str, Callable[[int], nn.Module]] = {"attender": Attender, "teller": Teller}
