"""Networks that write a sentence for the feature maps of a picture, one word at a time.

Two with the same methods, so that training, export and beam search do not ask which it is:

- `LstmDecoder`: one vector of the picture starts a recurrent network. O. Vinyals et al., Show and Tell, 2015,
  arXiv:1411.4555, section 3.
- `TransformerDecoder`: a small transformer that looks at all places of the maps for each word, as K. Xu et al., Show,
  Attend and Tell, 2015, arXiv:1502.03044 did with a recurrent one.

Both take the last maps of a classification network, as `models.encoder` gives them. While training, the sentences of
a picture lie in one row, one after the other: `tokens` (B, T) with `at` (B, T), the place of each word in its
sentence, 0 at a start. So the picture is worked out once for all its sentences, and nothing is padded between them.
This file does not know the words.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.nn.decoder import DecoderBlock

__all__ = ["CAPTIONERS", "CaptionDecoder", "CaptionNetwork", "LstmDecoder", "TransformerDecoder", "sentence_mask"]


class CaptionDecoder(nn.Module, ABC):
    """What both have: see `TransformerDecoder` for the shapes."""

    @abstractmethod
    def forward(self, maps: Tensor, tokens: Tensor, at: Tensor) -> Tensor:
        """Scores of the next word after each word.

        Args:
            maps: (B, S, C), the places of the last maps.
            tokens: (B, T) integers, the sentences of a picture one after the other.
            at: (B, T) integers, the place of each word in its sentence.
        Returns:
            (B, T, words), before softmax.
        """

    @abstractmethod
    def memory(self, maps: Tensor) -> Tensor:
        """What every step needs of the picture: (B, S, C) to (B, ...)."""

    @abstractmethod
    def start(self, memory: Tensor, beams: int) -> Tensor:
        """The state before the first word of so many sentences to a picture: (B, beams, ...)."""

    @abstractmethod
    def step(self, tokens: Tensor, memory: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One more word.

        Args:
            tokens: (B, R) integers, the last word of R sentences to a picture.
            memory: (B, ...), from `memory`.
            state: (B, R, ...), from `start` or the last step.
        Returns:
            Scores of the next word (B, R, words), where the network looked (B, R, S), the new state.
        """


class TransformerDecoder(CaptionDecoder):
    """A transformer decoder over the places of the maps.

    Args:
        words: Length of the vocabulary.
        channels: Channels of the maps.
        places: Height times width of the maps; None where their number is open and the maps themselves tell places.
        width: Channels of a word.
        blocks: Decoder blocks.
        heads: Attention heads of a block.
        longest: Most words of a sentence, the start included.
        dropout: While training.

    >>> net = TransformerDecoder(10, channels=6, places=4, width=8, blocks=2, heads=2).eval()
    >>> tuple(net(torch.zeros(2, 4, 6), torch.ones(2, 5, dtype=torch.long), torch.arange(5).expand(2, 5)).shape)
    (2, 5, 10)
    >>> memory = net.memory(torch.zeros(2, 4, 6))
    >>> scores, looked, state = net.step(torch.ones(2, 3, dtype=torch.long), memory, net.start(memory, 3))
    >>> tuple(scores.shape), tuple(looked.shape), tuple(state.shape)
    ((2, 3, 10), (2, 3, 4), (2, 3, 4, 2, 1, 4))
    """

    def __init__(
        self,
        words: int,
        *,
        channels: int = 1280,
        places: int | None = 81,
        width: int = 256,
        blocks: int = 2,
        heads: int = 8,
        longest: int = 32,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.width = width
        self.reduce = nn.Sequential(nn.LayerNorm(channels), nn.Dropout(dropout), nn.Linear(channels, width))
        self.place = None if places is None else nn.Parameter(torch.randn(places, width) * 0.02)
        self.norm_picture = nn.LayerNorm(width)
        self.word = nn.Embedding(words, width)
        nn.init.normal_(self.word.weight, std=width**-0.5)
        self.position = nn.Parameter(torch.randn(longest, width) * 0.02)
        self.blocks = nn.ModuleList(DecoderBlock(width, heads=heads, dropout=dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(words))
        self.dropout = nn.Dropout(dropout)

    def forward(self, maps: Tensor, tokens: Tensor, at: Tensor) -> Tensor:
        """As `CaptionDecoder.forward`."""
        picture = self._picture(maps)
        mask = sentence_mask(at)
        x = self.dropout(self._embed(tokens) + self.position[at])
        for block in self._blocks():
            x = block(x, *block.cross.memory(picture), mask)
        return self._scores(x)

    def memory(self, maps: Tensor) -> Tensor:
        """Keys and values of each block: (B, S, C) to (B, 2 * blocks, heads, S, d)."""
        picture = self._picture(maps)
        return torch.stack([part for block in self._blocks() for part in block.cross.memory(picture)], dim=1)

    def start(self, memory: Tensor, beams: int) -> Tensor:
        """Nothing yet: (B, beams, 2 * blocks, heads, 0, d)."""
        batch, layers, heads, _, d = memory.shape
        return memory.new_zeros(batch, beams, layers, heads, 0, d)

    def step(self, tokens: Tensor, memory: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `CaptionDecoder.step`, with the state (B, R, 2 * blocks, heads, t, d) of the t words before."""
        batch, beams, _, _, at, _ = state.shape
        past = state.flatten(0, 1)
        x = self._embed(tokens) + self.position.index_select(
            0, torch.arange(at, at + 1, device=tokens.device)
        )  # (B, R, D)
        kept: list[Tensor] = []
        looked = []
        for index, block in enumerate(self._blocks()):
            i, j = 2 * index, 2 * index + 1
            x, new, weights = block.step(x, memory[:, i], memory[:, j], (past[:, i], past[:, j]))
            kept += new
            looked.append(weights)
        stacked = torch.stack(kept, dim=1)
        following = stacked.reshape(batch, beams, *stacked.shape[1:])
        return self._scores(x), torch.stack(looked).mean(0), following

    def _blocks(self) -> list[DecoderBlock]:
        return [block for block in self.blocks if isinstance(block, DecoderBlock)]

    def _picture(self, maps: Tensor) -> Tensor:
        reduced = self.reduce(maps)
        picture: Tensor = self.norm_picture(reduced if self.place is None else reduced + self.place)
        return picture

    def _embed(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.word(tokens) * math.sqrt(self.width)
        return embedded

    def _scores(self, x: Tensor) -> Tensor:
        return F.linear(self.norm(x), self.word.weight, self.bias)


class LstmDecoder(CaptionDecoder):
    """A recurrent network (LSTM) that is shown the picture once, before the first word.

    Args:
        words: Length of the vocabulary.
        channels: Channels of the maps.
        width: Channels of a word and of the network's state.
        dropout: While training.

    >>> net = LstmDecoder(10, channels=6, width=8).eval()
    >>> tuple(net(torch.zeros(2, 4, 6), torch.ones(2, 5, dtype=torch.long), torch.arange(5).expand(2, 5)).shape)
    (2, 5, 10)
    """

    def __init__(
        self,
        words: int,
        *,
        channels: int = 1280,
        width: int = 512,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        self.show = nn.Linear(channels, width)
        self.norm_picture = nn.LayerNorm(width)
        self.word = nn.Embedding(words, width)
        nn.init.normal_(self.word.weight, std=width**-0.5)
        self.cell = nn.LSTM(width, width, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(words))
        self.dropout = nn.Dropout(dropout)

    def forward(self, maps: Tensor, tokens: Tensor, at: Tensor) -> Tensor:
        """As `CaptionDecoder.forward`; each sentence gets a row of its own on the way."""
        batch = tokens.shape[0]
        sentence = (at == 0).cumsum(1) - 1  # (B, T), which of its row's sentences a word is of
        rows, longest = int(sentence.max()) + 1, int(at.max()) + 1
        picture = torch.arange(batch, device=at.device)[:, None].expand_as(at)
        apart = tokens.new_zeros(batch, rows, longest)
        apart[picture, sentence, at] = tokens
        first = self._picture(maps).repeat_interleave(rows, dim=0)
        x = torch.cat((first[:, None], self.word(apart.reshape(batch * rows, longest))), dim=1)
        y, _ = self.cell(self.dropout(x))
        y = y[:, 1:].reshape(batch, rows, longest, -1)[picture, sentence, at]
        return self._scores(self.dropout(y))

    def memory(self, maps: Tensor) -> Tensor:
        """The network's state after it was shown the picture: (B, S, C) to (B, 2, D)."""
        _, (h, c) = self.cell(self._picture(maps)[:, None])
        return torch.stack((h[0], c[0]), dim=1)

    def start(self, memory: Tensor, beams: int) -> Tensor:
        """The memory itself, for each sentence: (B, beams, 2, D)."""
        return memory[:, None].expand(-1, beams, -1, -1).contiguous()

    def step(self, tokens: Tensor, memory: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `CaptionDecoder.step`, with a state (B, R, 2, D); it looks nowhere, so evenly at one place."""
        batch, beams = tokens.shape
        h, c = (state[:, :, i].reshape(1, batch * beams, -1) for i in range(2))
        y, (h, c) = self.cell(self.word(tokens.reshape(batch * beams, 1)), (h, c))
        looked = torch.ones_like(memory[:, :1, :1]).expand(batch, beams, 1)
        following = torch.stack((h[0], c[0]), dim=1).reshape(batch, beams, 2, -1)
        return self._scores(y.reshape(batch, beams, -1)), looked, following

    def _picture(self, maps: Tensor) -> Tensor:
        shown: Tensor = self.norm_picture(self.show(maps.mean(1)))
        return shown

    def _scores(self, x: Tensor) -> Tensor:
        return F.linear(x, self.word.weight, self.bias)


class CaptionNetwork(nn.Module):
    """The part of the encoder that learns, and what writes the sentence.

    Args:
        tail: (B, C, h, w), the maps kept on disk, to (B, S, 1280).
        captioner: Writes.
    """

    def __init__(self, tail: nn.Module, captioner: CaptionDecoder) -> None:
        super().__init__()
        self.tail, self.captioner = tail, captioner

    def forward(self, maps: Tensor, tokens: Tensor, at: Tensor) -> Tensor:
        """As `CaptionDecoder.forward`, with maps (B, C, h, w) of the encoder's trunk."""
        scores: Tensor = self.captioner(self.tail(maps), tokens, at)
        return scores

    def memory(self, maps: Tensor) -> Tensor:
        """As `CaptionDecoder.memory`, with maps (B, C, h, w) of the encoder's trunk."""
        return self.captioner.memory(self.tail(maps))


def sentence_mask(at: Tensor) -> Tensor:
    """Which words see which: those of their own sentence up to themselves.

    Args:
        at: (B, T) integers, the place of each word in its sentence.
    Returns:
        (B, 1, T, T) bool.

    >>> sentence_mask(torch.tensor([[0, 1, 0]]))[0, 0].int().tolist()
    [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    """
    sentence = (at == 0).cumsum(1)
    same = sentence[:, :, None] == sentence[:, None]
    order = torch.arange(at.shape[1], device=at.device)
    return (same & (order[:, None] >= order))[:, None]


# Name -> builder from the length of the vocabulary.
CAPTIONERS: dict[str, Callable[..., CaptionDecoder]] = {"attender": TransformerDecoder, "teller": LstmDecoder}
