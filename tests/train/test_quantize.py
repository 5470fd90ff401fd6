"""train/export.py, quantize.py, class_maps.py on a small network: the same numbers, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from scripts.models.class_maps import MAPS_SWITCH, add_class_maps  # noqa: E402
from szem.errors import ModelError, RangeError  # noqa: E402
from szem.nn.conv import ConvNorm  # noqa: E402
from szem.nn.pixels import FromPixels  # noqa: E402
from szem.nn.separable import SeparableConv  # noqa: E402
from szem.runtime.sessions import OnnxFile  # noqa: E402
from szem.train.export import export_onnx  # noqa: E402
from szem.train.quantize import quantize_onnx, safe_weight_scales  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow]


class Tiny(nn.Module):
    """Stem, one separable block, average, linear: the ending of a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(3, 8, stride_px=2), SeparableConv(8, 16))
        self.classifier = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.body(x).mean((2, 3)))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path, list[np.ndarray]]:
    torch.manual_seed(4)
    net = FromPixels(Tiny(), mean=127, scale=128).eval()
    rng = np.random.default_rng(4)
    samples = [rng.integers(0, 256, (1, 16, 16, 3)).astype(np.uint8) for _ in range(12)]
    file = tmp_path_factory.mktemp("export") / "tiny.onnx"
    examples = [torch.from_numpy(np.concatenate(samples[:2]))]
    worst = export_onnx(net, file, examples=examples, inputs=["pictures"], outputs=["logits"])
    assert worst < 1e-4
    return net, file, samples


def run(file: Path, sample: np.ndarray) -> np.ndarray:
    return OnnxFile(file).run({"pictures": sample}, ["logits"])[0]


def test_the_exported_file_gives_torchs_numbers(exported: tuple[nn.Module, Path, list[np.ndarray]]) -> None:
    net, file, samples = exported
    with torch.no_grad():
        want = net(torch.from_numpy(samples[-1])).numpy()
    np.testing.assert_allclose(run(file, samples[-1]), want, atol=1e-4)
    assert b"/src/szem" not in file.read_bytes()  # nothing of this machine


def test_an_export_leaves_gradients_and_operations_in_place_as_they_were(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU(inplace=True), nn.Linear(2, 2), nn.ReLU())
    net[0].bias.requires_grad_(False)
    export_onnx(net, tmp_path / "n.onnx", examples=[torch.ones(2, 3)], inputs=["x"], outputs=["y"])
    assert [parameter.requires_grad for parameter in net.parameters()] == [True, False, True, True]
    assert (net[1].inplace, net[3].inplace) == (True, False)


def test_an_export_that_differs_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    class Random(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.rand_like(x)

    with pytest.raises(ModelError, match="differ by"):
        export_onnx(Random(), tmp_path / "r.onnx", examples=[torch.ones(2, 3)], inputs=["x"], outputs=["y"])
    assert list(tmp_path.iterdir()) == []


def test_int8_stays_close_takes_raw_pixels_and_is_smaller_inside(
    exported: tuple[nn.Module, Path, list[np.ndarray]], tmp_path: Path
) -> None:
    _, file, samples = exported
    small = tmp_path / "tiny8.onnx"
    quantize_onnx(file, small, samples=samples[:8])
    for sample in samples[8:]:
        want, got = run(file, sample), run(small, sample)
        assert np.abs(want - got).max() < 0.05 * np.abs(want).max()
    graph = onnx.load(small).graph
    kinds = [node.op_type for node in graph.node]
    assert not {"Cast", "Sub", "Div", "QuantizeLinear"} & set(kinds[: kinds.index("Conv")])  # pixels go straight in
    weights = [i for i in graph.initializer if i.data_type == onnx.TensorProto.INT8 and len(i.dims) > 1]
    assert len(weights) == 4  # three convolutions and the linear layer


def test_a_first_convolution_that_stays_float_keeps_its_arithmetic_of_pixels(
    exported: tuple[nn.Module, Path, list[np.ndarray]], tmp_path: Path
) -> None:
    _, file, samples = exported
    first = next(node.output[0] for node in onnx.load(file).graph.node if node.op_type == "Conv")
    quantize_onnx(file, tmp_path / "int8.onnx", samples=samples[:8], keep_float=[first])
    want, found = run(file, samples[-1]), run(tmp_path / "int8.onnx", samples[-1])
    assert np.abs(found - want).max() < 0.2 * np.abs(want).max()


def test_class_maps_are_exact_before_and_after_quantising(
    exported: tuple[nn.Module, Path, list[np.ndarray]], tmp_path: Path
) -> None:
    _, file, samples = exported
    whole, small = tmp_path / "whole.onnx", tmp_path / "small.onnx"
    whole.write_bytes(file.read_bytes())
    quantize_onnx(file, small, samples=samples[:8])
    for path in (whole, small):
        before = run(path, samples[0])
        add_class_maps(path)
        session = OnnxFile(path)
        assert session.switches == {MAPS_SWITCH}
        logits, maps = session.run({"pictures": samples[0], MAPS_SWITCH: np.array(True)}, ["logits", "maps"])
        assert maps.shape == (1, 4, 8, 8)
        np.testing.assert_allclose(maps.mean((2, 3)), logits, atol=1e-5)
        np.testing.assert_array_equal(logits, before)
        assert session.run({"pictures": samples[0]}, ["maps"])[0].size == 0


def test_a_network_without_averaging_gets_no_maps(tmp_path: Path) -> None:
    export_onnx(nn.Linear(3, 2), tmp_path / "l.onnx", examples=[torch.ones(2, 3)], inputs=["x"], outputs=["logits"])
    with pytest.raises(ModelError, match="ends otherwise"):
        add_class_maps(tmp_path / "l.onnx")


def test_quantising_without_samples_or_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RangeError, match="real inputs"):
        quantize_onnx(tmp_path / "x.onnx", tmp_path / "y.onnx", samples=[])
    (tmp_path / "x.onnx").write_bytes(b"\x00no")
    with pytest.raises(ModelError, match=r"x\.onnx"):
        quantize_onnx(tmp_path / "x.onnx", tmp_path / "y.onnx", samples=[np.zeros((1, 3))])


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), channels=st.integers(1, 7), kernel=st.sampled_from([1, 3]))
def test_no_two_neighbouring_products_can_saturate(seed: int, channels: int, kernel: int) -> None:
    weight = np.random.default_rng(seed).standard_t(2, (5, channels, kernel, kernel)).astype(np.float32)
    steps = safe_weight_scales(weight)
    small = np.round(weight / steps[:, None, None, None])
    assert np.abs(small).max() <= 127
    rows = small.transpose(0, 2, 3, 1).reshape(5, -1)
    for sign in (1, -1):
        part = np.maximum(sign * rows, 0)
        if part.shape[1] > 1:
            assert (255 * (part[:, :-1] + part[:, 1:])).max() <= 32767
