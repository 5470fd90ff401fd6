"""A network that reads sentences from moving lips, from their sound, or from both: watch, listen, attend and spell.

Both channels are brought to one time axis, 25 moments a second. Two outputs share one memory: at each moment a word
or silence (which gives words with their times, and the sum over all alignments, CTC), and a decoder that looks at the
moments and spells the sentence letter by letter. This file does not know words, letters, videos or sound files.

Source: J. S. Chung et al., Lip Reading Sentences in the Wild, 2017, arXiv:1611.05358; Y. Assael et al., LipNet, 2016,
arXiv:1611.01599; CTC beside attention: S. Watanabe et al., Hybrid CTC/Attention Architecture, 2017.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.models.captioner import TransformerDecoder
from szem.nn.frame_stage import FrameStage, surroundings

__all__ = ["AudioEncoder", "FusionEncoder", "LipReaderNetwork", "VisualEncoder"]

_SPAN = 5  # frames seen at a time by the first layer


class VisualEncoder(nn.Module):
    """Mouth crops to one vector a frame.

    Args:
        width: Channels of a vector.
        channels: Of the stem and the three stages after it.
        dropout: While training.

    >>> tuple(VisualEncoder(8, channels=(4, 4, 4, 4)).eval()(torch.zeros(2, 6, 48, 80)).shape)
    (2, 6, 8)
    """

    def __init__(
        self, width: int = 224, *, channels: tuple[int, int, int, int] = (16, 32, 64, 128), dropout: float = 0.3
    ) -> None:
        super().__init__()
        first, *rest = channels
        self.stem = nn.Conv2d(_SPAN, first, 5, stride=2, padding=2, bias=False)
        self.norm = nn.BatchNorm2d(first)
        self.stages = nn.Sequential(*(FrameStage(a, b) for a, b in zip(channels, rest, strict=False)))
        self.out = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(rest[-1] * 15, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout)
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Crops (B, T, 48, 80), of any brightness and contrast, to (B, T, width)."""
        batch, frames, height, width = crops.shape
        crops = crops - crops.mean(dim=(1, 2, 3), keepdim=True)
        crops = crops / (crops.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-3).sqrt()
        x = surroundings(crops, _SPAN).reshape(batch * frames, _SPAN, height, width)
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.stages(F.relu(self.norm(self.stem(x))))
        out: Tensor = self.out(x.flatten(1)).reshape(batch, frames, -1)
        return out


class AudioEncoder(nn.Module):
    """Bands of sound, four moments a frame, to one vector a frame.

    Args:
        bands: Of pitch.
        width: Channels of a vector.
        channels: Inside.
        dropout: While training.

    >>> tuple(AudioEncoder(6, width=8, channels=4).eval()(torch.zeros(2, 24, 6)).shape)
    (2, 6, 8)
    """

    def __init__(self, bands: int = 64, *, width: int = 224, channels: int = 160, dropout: float = 0.2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(bands if i == 0 else channels, channels, 5, stride=stride, padding=2, bias=False)
            for i, stride in enumerate((1, 2, 1, 2, 1))
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in self.layers)
        self.out = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(channels, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout)
        )

    def forward(self, mel: Tensor) -> Tensor:
        """Logarithms of power (B, 4 T, bands), of any loudness, to (B, T, width)."""
        mel = mel - mel.mean(dim=(1, 2), keepdim=True)
        x = (mel / 4.0).transpose(1, 2)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = F.relu(norm(layer(x)))
        out: Tensor = self.out(x.transpose(1, 2))
        return out


class FusionEncoder(nn.Module):
    """What was seen and heard, on one time axis, to a memory of it and to a word or silence at each moment.

    Args:
        classes: Silence and the words.
        width: Channels of what is seen and of what is heard.
        hidden: Channels of the recurrent network, in each direction.
        dropout: While training.
    """

    def __init__(self, classes: int, *, width: int = 224, hidden: int = 192, dropout: float = 0.4) -> None:
        super().__init__()
        self.unseen = nn.Parameter(torch.randn(width) * 0.02)
        self.unheard = nn.Parameter(torch.randn(width) * 0.02)
        self.mix = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Dropout(dropout / 2))
        self.first = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
        self.second = nn.GRU(2 * hidden, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.words = nn.Linear(2 * hidden, classes)

    def forward(self, seen: Tensor, heard: Tensor, is_seen: Tensor, is_heard: Tensor) -> tuple[Tensor, Tensor]:
        """Join.

        Args:
            seen: (B, T, width).
            heard: (B, T, width).
            is_seen: (B,) 1 where what is seen counts, 0 where it is passed over.
            is_heard: (B,), likewise.
        Returns:
            The memory (B, T, 2 * hidden), and scores of silence and the words (B, T, classes), before softmax.
        """
        looks, listens = is_seen[:, None, None], is_heard[:, None, None]
        both = torch.cat(
            (seen * looks + self.unseen * (1 - looks), heard * listens + self.unheard * (1 - listens)), dim=-1
        )
        x, _ = self.first(self.mix(both))
        x, _ = self.second(self.dropout(x))
        x = self.dropout(x)
        return x, self.words(x)


class LipReaderNetwork(nn.Module):
    """The parts together, as they are trained.

    Args:
        classes: Silence and the words.
        letters: Marks and letters of the speller.
        sounds: Nothing and the speech sounds, which are asked for only while training.
        width: Channels of what is seen and of what is heard.
        hidden: Of the joiner.
        dropout: Of the joiner, while training; the others take a fraction of it.
    """

    def __init__(
        self, classes: int, letters: int, *, sounds: int, width: int = 224, hidden: int = 192, dropout: float = 0.4
    ) -> None:
        super().__init__()
        self.watcher = VisualEncoder(width, dropout=dropout * 0.75)
        self.listener = AudioEncoder(width=width, dropout=dropout / 2)
        self.joiner = FusionEncoder(classes, width=width, hidden=hidden, dropout=dropout)
        self.sounds = nn.Linear(2 * hidden, sounds)
        self.speller = TransformerDecoder(
            letters, channels=2 * hidden, places=None, width=128, blocks=2, heads=4, longest=64, dropout=dropout / 2
        )

    def forward(
        self, crops: Tensor, mel: Tensor, is_seen: Tensor, is_heard: Tensor, letters: Tensor, at: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Read each clip in K ways.

        Args:
            crops: (B, T, H, W).
            mel: (B, 4 T, bands).
            is_seen: (K, B) 1 or 0, whether the lips count.
            is_heard: (K, B), whether the sound counts.
            letters: (B, L), given to the speller.
            at: (B, L), their places.
        Returns:
            Scores of the words (K * B, T, classes), of the next letters (K * B, L, letters) and of the speech sounds
            (K * B, T, sounds).
        """
        ways = len(is_seen)
        seen, heard = self.watcher(crops).float(), self.listener(mel).float()
        with torch.autocast(seen.device.type, enabled=False):
            memory, words = self.joiner(
                seen.repeat(ways, 1, 1), heard.repeat(ways, 1, 1), is_seen.flatten(), is_heard.flatten()
            )
            sounds = self.sounds(memory)
        return words, self.speller(memory, letters.repeat(ways, 1), at.repeat(ways, 1)), sounds
