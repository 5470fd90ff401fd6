"""GoogLeNet's weights and multiplications, row by row of the paper's table 1."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from szem.models.googlenet import WIDTHS, GoogLeNet

TABLE = {  # row: (thousands of weights in units of 1024, millions of multiplications)
    "conv1": (2.7, 34),
    "conv2": (112, 360),
    "inception3a": (159, 128),
    "inception3b": (380, 304),
    "inception4a": (364, 73),
    "inception4b": (437, 88),
    "inception4c": (498, 100),  # the paper prints 463 K, but its 100 M at 14×14 places are 498 K
    "inception4d": (580, 119),
    "inception4e": (840, 170),
    "inception5a": (1018, 51),  # the paper prints 1072 K and 54 M; its own widths give these
    "inception5b": (1388, 71),
    "classifier": (1000, 1),
}


def rows(net: GoogLeNet) -> Iterator[tuple[str, nn.Module]]:
    yield from (("conv1", net.conv1), ("conv2", net.conv2))
    yield from net.blocks.items()
    yield "classifier", net.classifier


@pytest.fixture(scope="module")
def counted() -> dict[str, tuple[int, int]]:
    """Weights (as the paper, without biases and normalisation) and multiplications of each row at 224 pixels."""
    net = GoogLeNet(separable_stem=True).eval()
    multiplications: dict[nn.Module, int] = {}

    def note(module: nn.Module, _: tuple[Tensor, ...], out: Tensor) -> None:
        places = out.shape[2] * out.shape[3] if out.dim() == 4 else 1
        weight = module.weight
        assert isinstance(weight, Tensor)
        multiplications[module] = places * weight.numel()

    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    # ConvNorm may call the convolution's function on its weight, so count from its own output
    for block in net.modules():
        if type(block).__name__ == "ConvNorm":
            conv = block.conv
            assert isinstance(conv, nn.Conv2d)
            block.register_forward_hook(lambda m, i, o, conv=conv: note(conv, i, o))
    net.classifier.register_forward_hook(note)
    with torch.no_grad():
        net(torch.zeros(1, 3, 224, 224))
    assert set(multiplications) == set(layers)
    out = {}
    for name, part in rows(net):
        inside = [m for m in part.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        out[name] = (sum(m.weight.numel() for m in inside), sum(multiplications[m] for m in inside))
    return out


@pytest.mark.parametrize("row", TABLE)
def test_each_row_has_the_weights_and_multiplications_of_the_paper(
    row: str, counted: dict[str, tuple[int, int]]
) -> None:
    weights, multiplications = counted[row]
    assert weights / 1024 == pytest.approx(TABLE[row][0], rel=0.02)
    assert multiplications / 1e6 == pytest.approx(TABLE[row][1], rel=0.025)


def test_depths_are_those_of_the_paper() -> None:
    assert [w.out for w in WIDTHS.values()] == [256, 480, 512, 512, 512, 528, 832, 832, 1024]


def test_a_dense_first_layer_is_larger_than_the_paper_counts() -> None:
    dense = GoogLeNet(classes=2).conv1
    assert sum(p.numel() for n, p in dense.named_parameters() if n == "conv.weight") == 7 * 7 * 3 * 64
