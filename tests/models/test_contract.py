"""One contract for every architecture: sides, independence, modes, gradients, and ONNX as a twin."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from szem.models.deeplab import DeepLab, build_deeplab, freeze_backbone
from szem.models.efficientnet_lite import EfficientNetLite
from szem.models.googlenet import GoogLeNet
from szem.models.ssd_mobilenet import SsdMobileNet
from szem.tasks.detection.anchors import anchor_boxes
from szem.train.export import export_onnx

Build = Callable[[], nn.Module]
Shape = Callable[[int, int], tuple[int, ...]]  # of the output for one picture of this height and width


def frozen_deeplab() -> nn.Module:
    net = build_deeplab(classes=4, output_stride=8, rates=(1, 2), width=16)
    freeze_backbone(net, stages=0)
    return net


class Joined(nn.Module):
    """A detector's two outputs as one: (B, P, classes + 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.network = SsdMobileNet(classes=4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(self.network(x), 2)


def per_picture(height: int, width: int) -> tuple[int, ...]:
    return (1, 4)


def per_pixel(height: int, width: int) -> tuple[int, ...]:
    return (1, 4, height, width)


def per_anchor(height: int, width: int) -> tuple[int, ...]:
    return (1, len(anchor_boxes(height, width)), 8)


ARCHITECTURES: dict[str, tuple[Build, Shape]] = {  # name -> builder, the output's shape
    "efficientnet-lite0": (lambda: EfficientNetLite("lite0", classes=4), per_picture),
    "googlenet, separable stem": (lambda: GoogLeNet(classes=4, separable_stem=True), per_picture),
    "deeplab, stride 32": (lambda: DeepLab(classes=4, output_stride=32, rates=(1, 2), width=16), per_pixel),
    "deeplab, stride 8": (lambda: DeepLab(classes=4, output_stride=8, rates=(1, 2), width=16), per_pixel),
    "deeplab, frozen": (frozen_deeplab, per_pixel),
    "ssd": (Joined, per_anchor),
}
EVERY = pytest.mark.parametrize("name", ARCHITECTURES)


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return ARCHITECTURES[name][0]()


def pictures(count: int, height: int, width: int) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


@EVERY
@pytest.mark.parametrize(("height", "width"), [(33, 47), (64, 32)])
def test_odd_sides_are_taken(name: str, height: int, width: int) -> None:
    with torch.no_grad():
        out = build(name).eval()(pictures(1, height, width))
    assert out.shape == ARCHITECTURES[name][1](height, width)


@EVERY
def test_a_sample_does_not_depend_on_its_batch(name: str) -> None:
    net = build(name).eval()
    x = pictures(3, 40, 56)
    with torch.no_grad():
        torch.testing.assert_close(net(x)[1:2], net(x[1:2]), atol=1e-4, rtol=1e-3)


@EVERY
def test_evaluation_repeats_itself_and_training_mode_runs(name: str) -> None:
    net = build(name)
    x = pictures(2, 48, 48)
    with torch.no_grad():
        net.train()(x)
        net.eval()
        torch.testing.assert_close(net(x), net(x), atol=0, rtol=0)


@EVERY
def test_gradients_reach_every_parameter(name: str) -> None:
    net = build(name).train()
    out = net(pictures(2, 64, 64))
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    learning = [(n, p) for n, p in net.named_parameters() if p.requires_grad]
    silent = [n for n, p in learning if p.grad is None or not torch.isfinite(p.grad).all()]
    still = [n for n, p in learning if p.grad is not None and not p.grad.any()]
    assert not silent, f"no or broken gradient: {silent}"
    assert not still, f"gradient is nothing but zeros: {still}"


# One of each kind; what else would be exported has the same blocks. SSD, also with open sides: test_ssd_mobilenet.py;
# EfficientNet-Lite: tests/train/classification/test_recipe_classify.py.
@pytest.mark.parametrize("name", ["googlenet, separable stem", "deeplab, frozen"])
@pytest.mark.slow
def test_onnx_gives_what_torch_gives(name: str, tmp_path: Path) -> None:
    difference = export_onnx(
        build(name), tmp_path / "net.onnx", examples=[pictures(2, 64, 64)], inputs=["x"], outputs=["y"]
    )
    assert difference <= 1e-3
