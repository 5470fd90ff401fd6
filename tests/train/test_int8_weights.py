"""Weights stored in 8 bits give nearly what they gave before, in a quarter of the room."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from szem.runtime.sessions import OnnxFile  # noqa: E402
from szem.train.export import export_onnx, largest_difference  # noqa: E402
from szem.train.float16 import store_as_float16  # noqa: E402
from szem.train.int8_weights import store_as_int8  # noqa: E402


@pytest.mark.parametrize("is_half", [False, True], ids=["float32", "float16"])
def test_large_weights_take_a_quarter_and_the_output_stays(tmp_path: Path, is_half: bool) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(16, 64, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(2304, 32)
    )
    file, example = tmp_path / "a.onnx", torch.randn(2, 16, 8, 8)
    export_onnx(net, file, examples=[example], inputs=["x"], outputs=["y"])
    before = file.stat().st_size
    if is_half:
        store_as_float16(file)
    store_as_int8(file)
    assert file.stat().st_size < before * 0.3
    assert OnnxFile(file).inputs[0].name == "x"
    assert largest_difference(net, file, [example], inputs=["x"], outputs=["y"]) < 0.02
