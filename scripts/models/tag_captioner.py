"""The captioner's decoder with tags beside the picture, as torch modules, and its weights from the shipped files.

The encoder stays as it is: the decoder reads the places it gives (`places` on the card of `caption`), so what other
models learned on them stays true.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from szem.models.captioner import TransformerDecoder, sentence_mask

__all__ = ["PLACES", "SLOTS", "TagDecoder", "TagEncoder", "read_decoder"]

PLACES, SLOTS, WIDTH, BLOCKS = 81, 8, 256, 2
_NUMBERS = 4  # log odds, count, side, whether there is a box


class TagEncoder(nn.Module):
    """Tags to vectors that the decoder looks at like places.

    Args:
        names: How many.
        colors: How many.
        styles: Origins of sentences: the decoder is told whose style it writes.
    """

    def __init__(self, names: int, colors: int, styles: int) -> None:
        super().__init__()
        self.name = nn.Embedding(names + 1, WIDTH)
        self.color = nn.Embedding(colors + 1, WIDTH)
        self.style = nn.Embedding(styles, WIDTH)
        self.number = nn.Linear(_NUMBERS, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        nn.init.normal_(self.color.weight, std=0.02)
        nn.init.normal_(self.style.weight, std=0.5)

    def forward(self, tags: Tensor, numbers: Tensor, colors: Tensor, style: Tensor) -> Tensor:
        """(B, T) names and colours from 1 (0: none), (B, T, 4) numbers, (B,) styles to (B, T + 1, WIDTH)."""
        there = (tags > 0)[..., None]
        each = self.norm(self.name(tags) + there * (self.color(colors) + self.number(numbers)))
        return torch.cat((each, self.norm(self.style(style))[:, None]), dim=1)


class TagDecoder(nn.Module):
    """A transformer decoder over places and tags."""

    def __init__(self, words: int, tags: TagEncoder, *, dropout: float) -> None:
        super().__init__()
        self.captioner = TransformerDecoder(
            words, channels=8, places=PLACES, width=WIDTH, blocks=BLOCKS, dropout=dropout
        )
        for part in (self.captioner.reduce, self.captioner.norm_picture):
            part.requires_grad_(False)
        assert self.captioner.place is not None
        self.captioner.place.requires_grad_(False)
        self.tags = tags
        self.nothing = nn.Parameter(torch.randn(1, 1, WIDTH) * 0.02)  # instead of a picture

    def look_at(self, places: Tensor, shown: Tensor, tags: Sequence[Tensor]) -> Tensor:
        """What the decoder looks at: (B, PLACES + SLOTS + 1, WIDTH)."""
        pictures = torch.where(shown[:, None, None], places, self.nothing)
        return torch.cat((pictures, self.tags(*tags)), dim=1)

    def forward(self, source: Tensor, tokens: Tensor, at: Tensor) -> Tensor:
        """Features (B, T, WIDTH) before the words' scores, for sentences in rows as `CaptionDecoder.forward`."""
        net, mask = self.captioner, sentence_mask(at)
        x = net.dropout(net._embed(tokens) + net.position[at])
        for block in net._blocks():
            x = block(x, *block.cross.memory(source), mask)
        return net.norm(x)

    def scores(self, features: Tensor) -> Tensor:
        """Of each word of the vocabulary."""
        return F.linear(features, self.captioner.word.weight, self.captioner.bias)

    def memory(self, source: Tensor) -> Tensor:
        """As `CaptionDecoder.memory`, of what `look_at` gives."""
        return torch.stack([part for block in self.captioner._blocks() for part in block.cross.memory(source)], dim=1)


def read_decoder(folder: Path) -> dict[str, Tensor]:
    """The decoder's weights from `step.onnx` and `encoder.onnx` of a captioning model without tags."""
    step, encoder = (onnx.load(folder / f"{name}.onnx") for name in ("step", "encoder"))
    values = {i.name: numpy_helper.to_array(i).astype(np.float32) for i in step.graph.initializer}
    out: dict[str, NDArray[np.float32]] = {}
    for name, value in values.items():
        plain = name.removesuffix("_float16").removeprefix("captioner.")
        if name.startswith("captioner."):
            out[plain] = value
    # The matrices have lost their names; their order is that of `DecoderBlock.step`.
    matrices = [v for k, v in values.items() if k.startswith("val_") and v.ndim == 2]
    order = ("own.key_value", "own.query", "own.out", "cross.query", "cross.out", "widen", "narrow")
    assert len(matrices) == BLOCKS * len(order)
    for place, matrix in enumerate(matrices):
        block, part = divmod(place, len(order))
        out[f"blocks.{block}.{order[part]}.weight"] = matrix.T
    constants = {i.name: numpy_helper.to_array(i) for i in encoder.graph.initializer}
    made = {name: node for node in encoder.graph.node for name in node.output}

    def value_of(name: str) -> NDArray[np.float32]:
        if name in constants:
            return constants[name].astype(np.float32)
        node = made[name]
        inputs = [constants[i] for i in node.input]
        if node.op_type == "Cast":
            return inputs[0].astype(np.float32)
        assert node.op_type == "DequantizeLinear"
        return (inputs[0].astype(np.float32) - inputs[2].astype(np.float32)) * inputs[1]

    for block in range(BLOCKS):
        bias = f"net.captioner.blocks.{block}.cross.key_value.bias"
        add = next(node for node in encoder.graph.node if node.op_type == "Add" and node.input[1].startswith(bias))
        product = made[made[made[add.input[0]].input[0]].input[0]]
        assert product.op_type == "MatMul"
        out[f"blocks.{block}.cross.key_value.weight"] = value_of(product.input[1]).T
        out[f"blocks.{block}.cross.key_value.bias"] = value_of(add.input[1])
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in out.items()}
