"""SSD on MobileNetV3: kept maps give the same, what is frozen stays, scales fold, torch and ONNX agree."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from szem.models.ssd_mobilenet import FirstBlocks, SsdMobileNet
from szem.tasks.detection.anchors import anchor_boxes
from szem.train.export import export_onnx, largest_difference
from szem.train.open_sides import open_sides


def build() -> SsdMobileNet:
    torch.manual_seed(0)
    return SsdMobileNet(classes=4)


def pictures(count: int, height: int, width: int) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_kept_maps_give_the_same_and_untrained_every_class_is_unlikely() -> None:
    net = build().eval()
    x = pictures(2, 64, 96)
    with torch.no_grad():
        scores, encodings = net(x)
        raw = net.from_maps(FirstBlocks(net)(x))
    torch.testing.assert_close(raw[0].sigmoid(), scores)
    torch.testing.assert_close(raw[1], encodings)
    assert scores.shape == (2, len(anchor_boxes(64, 96)), 4)
    assert float(scores.mean()) == pytest.approx(0.01, abs=0.01)


def test_gradients_reach_all_but_the_first_blocks() -> None:
    net = build()
    for part in net.first_blocks():
        part.requires_grad_(False)
    scores, encodings = net.train().forward_raw(pictures(2, 128, 128))
    (scores.square().sum() + encodings.square().sum()).backward()
    first = ("stem.", *(f"blocks.{n}." for n in range(6)))
    for name, parameter in net.named_parameters():
        assert (parameter.grad is None) == name.startswith(first), name


def test_folded_and_parted_again_it_computes_the_same() -> None:
    net = build().eval()
    x = pictures(1, 64, 64)
    with torch.no_grad():
        before = net.forward_raw(x)
        net.fold_scales()
        folded = net.forward_raw(x)
        net.unfold_scales()
        after = net.forward_raw(x)
    for one, two, three in zip(before, folded, after, strict=True):
        torch.testing.assert_close(two, one, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(three, one, atol=1e-4, rtol=1e-3)


@pytest.mark.slow
def test_onnx_gives_what_torch_gives_also_for_sides_it_was_not_traced_with(tmp_path: Path) -> None:
    net, file = build().eval(), tmp_path / "net.onnx"
    net.fold_scales()
    names = ["scores", "encodings"]
    export_onnx(net, file, examples=[pictures(2, 64, 96)], inputs=["picture"], outputs=names)
    open_sides(file, step_px=32)
    for sides in ((64, 96), (96, 64), (160, 320), (288, 384)):  # levels with odd and with even sides
        assert largest_difference(net, file, [pictures(2, *sides)], inputs=["picture"], outputs=names) < 1e-3
