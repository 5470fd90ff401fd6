"""An exported file takes pictures of any sides, and pixels as they are; what cannot be opened is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from szem.errors import ModelError
from szem.runtime.sessions import OnnxFile
from szem.train.open_sides import open_sides, take_pixels
from szem.train.quantize import last_convolutions


def traced(path: Path, *, grow: int = 2, listed: tuple[int, ...] = (-1, 3, 96)) -> Path:
    """Halve 16×24 pictures, enlarge them to a fixed size, filter, list the places: as torch traces such a network."""
    weight = np.random.default_rng(0).normal(size=(3, 3, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["picture"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("AveragePool", ["half"], ["quarter"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node(
            "Resize", ["quarter", "", "", "sides"], ["grown"], mode="nearest", nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        ),
        helper.make_node("Conv", ["grown", "weight"], ["maps"]),
        helper.make_node("Reshape", ["maps", "shape"], ["flat"], allowzero=1),
        helper.make_node("Transpose", ["flat"], ["scores"], perm=[0, 2, 1]),
    ]  # fmt: skip
    constants = [
        numpy_helper.from_array(weight, "weight"),
        numpy_helper.from_array(np.array([1, 3, 4 * grow, 6 * grow]), "sides"),
        numpy_helper.from_array(np.array(listed), "shape"),
    ]
    graph = helper.make_graph(
        nodes,
        "traced",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 16, 24])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, None, 3])],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def test_any_sides_are_taken_and_the_numbers_stay(tmp_path: Path) -> None:
    file = traced(tmp_path / "m.onnx")
    picture = np.random.default_rng(1).normal(size=(1, 3, 16, 24)).astype(np.float32)
    (before,) = OnnxFile(file, threads=1).run({"picture": picture}, ["scores"])
    open_sides(file, step_px=8)
    opened = OnnxFile(file, threads=1)
    assert opened.inputs[0].shape == (1, 3, None, None)
    np.testing.assert_array_equal(opened.run({"picture": picture}, ["scores"])[0], before)
    wide = np.concatenate([picture, picture], 3)  # twice the same side by side
    (after,) = opened.run({"picture": wide}, ["scores"])
    np.testing.assert_array_equal(after.reshape(8, 24, 3)[:, 12:], before.reshape(8, 12, 3))
    assert last_convolutions(file) == ("maps",)


def test_pixels_are_normalised_inside(tmp_path: Path) -> None:
    file = traced(tmp_path / "m.onnx")
    open_sides(file, step_px=8)
    pixels = np.random.default_rng(1).integers(0, 256, (1, 24, 16, 3)).astype(np.uint8)
    plain = np.ascontiguousarray(((pixels.astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2))
    (before,) = OnnxFile(file, threads=1).run({"picture": plain}, ["scores"])
    take_pixels(file, mean=127, scale=128)
    opened = OnnxFile(file, threads=1)
    assert opened.inputs[0].shape == (1, None, None, 3)
    assert opened.input_types == ("tensor(uint8)",)
    np.testing.assert_allclose(opened.run({"picture": pixels}, ["scores"])[0], before, atol=1e-6)


@pytest.mark.parametrize(("changes", "match"), [({"grow": 3}, "double"), ({"listed": (1, 12, 24)}, "list places")])
def test_what_depends_on_the_sides_otherwise_is_refused(
    changes: dict[str, object], match: str, tmp_path: Path
) -> None:
    file = traced(tmp_path / "m.onnx", **changes)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=match):
        open_sides(file, step_px=8)
