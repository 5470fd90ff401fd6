"""Networks from torch opened and read: the table, the maps, the sums, the fields of view."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch

from szem.errors import RangeError, ShapeError, UnknownNameError, UnsupportedError
from szem.media.samples import read_sample
from szem.results.explanation import Explanation
from szem.runtime.graph_fields import trace_back
from szem.tasks.explain.explain import Explorer, explain
from szem.tasks.explain.neuron import explain_neuron

NAMES = ("plain", "residual", "inception", "depthwise", "atrous", "transposed", "shuffle")
File = Callable[[str], Path]


@pytest.fixture(scope="module")
def opened(network_file: File) -> Callable[[str], Explorer]:
    kept: dict[str, Explorer] = {}

    def get(name: str) -> Explorer:
        if name not in kept:
            kept[name] = Explorer(network_file(name), threads=1)
        return kept[name]

    return get


@pytest.mark.parametrize("name", NAMES)
def test_the_last_layer_equals_torch_and_a_plain_session(
    name: str, opened: Callable[[str], Explorer], network_file: File, torch_network: Callable[[str], torch.nn.Module]
) -> None:
    explorer = opened(name)
    prepared = explorer.prepare(read_sample("cat"))
    last = explorer.layers[-1]
    maps = explorer.maps(prepared.values, [last])[last.row.name]
    with torch.no_grad():
        expected = torch_network(name)(torch.from_numpy(prepared.values)).numpy()
    np.testing.assert_allclose(maps.ravel(), expected.ravel(), atol=1e-4)
    session = ort.InferenceSession(network_file(name), providers=["CPUExecutionProvider"])
    plain = session.run(None, {explorer.layout.name: prepared.values})[0]
    np.testing.assert_allclose(maps.ravel(), plain.ravel(), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_neuron_is_the_sum_it_is_said_to_be(name: str, opened: Callable[[str], Explorer]) -> None:
    explorer = opened(name)
    prepared = explorer.prepare(read_sample("cat"))
    rng = np.random.default_rng(5)
    for row in explorer.rows:
        maps, height, width = row.output_shape
        corners = [(0, 0, 0), (maps - 1, height - 1, width - 1)]
        inner = [tuple(int(rng.integers(n)) for n in row.output_shape) for _ in range(4)]
        for m, y, x in (*corners, *inner):
            neuron = explain_neuron(explorer, prepared, row.index, map=m, row=y, column=x)
            assert neuron.value == pytest.approx(neuron.measured, abs=1e-4), (row.name, m, y, x)
            if row.kind not in ("shape", "resize", "softmax"):
                assert neuron.rule != "other", row
            if neuron.weights is not None:  # the first step is what the numbers shown add up to
                products = float((neuron.inputs.astype(np.float64) * neuron.weights).sum())
                assert products == pytest.approx(neuron.steps[0].value, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_neuron_depends_on_its_field_and_on_nothing_else(
    name: str,
    tmp_path: Path,
    torch_network: Callable[[str], torch.nn.Module],
    save_network: Callable[..., Path],
) -> None:
    """With positive weights every pixel of the field moves the neuron, so the borders are exact."""
    explorer = Explorer(save_network(_positive(torch_network(name)), tmp_path / "positive.onnx"), threads=1)
    rng = np.random.default_rng(1)
    base = rng.uniform(0.1, 0.3, (1, 3, 32, 32)).astype(np.float32)
    for layer in explorer.layers:
        if layer.axes is None or layer.row.output_shape[1] == 1:
            continue
        maps, height, width = layer.row.output_shape
        for place in ((0, 0, 0), (maps // 2, height // 2, width // 3), (maps - 1, height - 1, width - 2)):
            full = (0, *place)
            region = trace_back(explorer.probe, layer.output, tuple((i, i) for i in full), to=explorer.layout.name)
            assert region is not None
            (y0, y1), (x0, x1) = region[2:]

            def neuron(values: Any, layer: Any = layer, full: Any = full) -> float:
                return float(explorer.probe.run(explorer.feed(values), [layer.output])[layer.output][full])

            before = neuron(base)
            outside = rng.uniform(0, 5, base.shape).astype(np.float32)
            outside[:, :, y0 : y1 + 1, x0 : x1 + 1] = base[:, :, y0 : y1 + 1, x0 : x1 + 1]
            assert neuron(outside) == before, (layer.row.name, place, region)
            for rows, columns in ((y0, slice(x0, x1 + 1)), (y1, slice(x0, x1 + 1))):
                lit = base.copy()
                lit[:, :, rows, columns] = 50
                assert neuron(lit) != before, (layer.row.name, place, region, "row")
            for column in (x0, x1):
                lit = base.copy()
                lit[:, :, y0 : y1 + 1, column] = 50
                assert neuron(lit) != before, (layer.row.name, place, region, "column")


def _positive(net: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_().mul_(0.2)
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.zero_()  # type: ignore[union-attr, operator]
    for name, part in list(net.named_children()):
        if isinstance(part, torch.nn.ReLU6):
            setattr(net, name, torch.nn.ReLU())
    return net


def test_the_table_holds_the_numbers_worked_out_by_hand(opened: Callable[[str], Explorer]) -> None:
    rows = opened("plain").rows
    first = rows[0]
    assert (first.kind, first.activation) == ("convolution", "Relu")
    assert (first.kernel, first.stride, first.dilation) == ((3, 3), (2, 2), (1, 1))
    assert first.output_shape == (8, 16, 16)
    assert first.parameters == 3 * 3 * 3 * 8 + 8 + 2 * 8  # weights, biases, normalisation
    assert first.parameters_unshared == first.parameters * 16 * 16
    assert first.multiplications == 27 * 8 * 16 * 16 + 8 * 16 * 16  # the second: normalisation
    assert (first.field_px, first.field_stride_px, first.centre_px) == ((3, 3), (2.0, 2.0), (0.0, 0.0))
    second, pool, third = rows[1:4]
    assert (second.field_px, second.field_stride_px, second.activation) == ((7, 7), (2.0, 2.0), "LeakyRelu")
    assert (pool.kind, pool.field_px, pool.field_stride_px, pool.parameters) == ("max-pool", (9, 9), (4.0, 4.0), 0)
    assert (third.kernel, third.field_px) == ((3, 5), (17, 25))
    assert rows[-1].kind == "dense"
    assert rows[-1].parameters == rows[-1].parameters_unshared == 16 * 7 + 7
    assert rows[-1].sees_all


@pytest.mark.parametrize("name", NAMES)
def test_the_table_counts_as_many_parameters_as_torch(
    name: str, opened: Callable[[str], Explorer], torch_network: Callable[[str], torch.nn.Module]
) -> None:
    expected = sum(p.numel() for p in torch_network(name).parameters())
    assert sum(row.parameters for row in opened(name).rows) == expected


def test_kinds_and_geometry_of_special_layers(opened: Callable[[str], Explorer]) -> None:
    kinds = {row.name: row.kind for row in opened("depthwise").rows}
    assert kinds["depth"] == "depthwise"
    assert kinds["project"] == "grouped"
    assert {row.activation for row in opened("depthwise").rows} >= {"Swish", "HardSwish", "Sigmoid", "Relu"}
    atrous = [row for row in opened("atrous").rows if row.kind == "atrous"]
    assert [row.dilation for row in atrous] == [(2, 2), (4, 4)]
    assert [row.field_px for row in atrous] == [(11, 11), (19, 19)]  # 3 + 2·2·rate
    up = opened("transposed")
    first, second = (row for row in up.rows if row.kind == "transposed")
    assert first.field_stride_px == (2.0, 2.0)
    assert second.field_stride_px == (1.0, 1.0)
    assert first.multiplications == 8 * 8 * 8 * 6 * 16
    last = next(row for row in up.rows if row.name == "last")
    assert last.field_stride_px == (0.5, 0.5)


def test_branches_of_one_block_are_together(opened: Callable[[str], Explorer]) -> None:
    rows = opened("inception").rows
    assert rows[0].block != rows[1].block
    assert len({row.block for row in rows[1:]}) == 1
    join = next(row for row in rows if row.kind == "concat")
    assert len(join.inputs) == 4
    residual = opened("residual").rows
    add = next(row for row in residual if row.kind == "add")
    assert {residual[i].kind for i in add.inputs} == {"convolution"}


def test_explain_keeps_all_maps_or_those_asked_for(network_file: File) -> None:
    whole = explain(read_sample("cat"), network_file("plain"))
    assert isinstance(whole, Explanation)
    assert set(whole.activations) == {row.name for row in whole.rows}
    for row in whole.rows:
        assert whole.maps(row.index).shape == row.output_shape
        assert whole.maps(row.index).dtype == np.float32
    assert sum(row.time_fraction or 0 for row in whole.rows) == pytest.approx(1)
    assert whole.total_ms is not None
    assert whole.total_ms > 0
    assert len(whole.answer) == 5
    assert whole.answer[0][2] >= whole.answer[1][2]
    one = explain(read_sample("cat"), network_file("plain"), layers=[1], timed=False)
    assert len(one.activations) == 1
    assert one.total_ms is None
    with pytest.raises(UnknownNameError, match="not kept"):
        one.maps(0)


def test_the_answer_adds_up_to_one_and_is_the_networks(network_file: File) -> None:
    explorer = Explorer(network_file("residual"), threads=1)
    prepared = explorer.prepare(read_sample("cat"))
    answer = explorer.answer(prepared.values)
    session = ort.InferenceSession(network_file("residual"), providers=["CPUExecutionProvider"])
    logits = session.run(None, {explorer.layout.name: prepared.values})[0][0].astype(np.float64)
    odds = np.exp(logits - logits.max())
    np.testing.assert_allclose(answer, odds / odds.sum(), atol=1e-5)


def test_a_layer_is_found_by_name_number_or_part_of_its_name(opened: Callable[[str], Explorer]) -> None:
    explorer = opened("residual")
    assert explorer.layer("stem") is explorer.layer(0) is explorer.layer("0")
    assert explorer.layer(-1).row.name == "head"
    with pytest.raises(UnknownNameError, match="no layer called"):
        explorer.layer("conv99")
    with pytest.raises(UnknownNameError, match="numbered 0 to"):
        explorer.layer(99)
    with pytest.raises(UnknownNameError, match="part of"):
        explorer.layer("d")


def test_a_neuron_that_is_not_there_is_refused(opened: Callable[[str], Explorer]) -> None:
    explorer = opened("plain")
    prepared = explorer.prepare(read_sample("cat"))
    with pytest.raises(ShapeError, match=r"maps 0\.\.7"):
        explain_neuron(explorer, prepared, 0, map=8, row=0, column=0)


def test_the_field_of_a_neuron_is_reported_in_the_pictures_own_pixels(opened: Callable[[str], Explorer]) -> None:
    explorer = opened("plain")
    picture = read_sample("cat")  # 300 × 451: the middle 300 × 300 goes in, at 32 × 32
    prepared = explorer.prepare(picture)
    assert prepared.crop_xyxy == (75.0, 0.0, 375.0, 300.0)
    neuron = explain_neuron(explorer, prepared, 0, map=0, row=4, column=2)
    assert neuron.input_xyxy == (3, 7, 5, 9)
    step = 300 / 32
    assert neuron.field_xyxy == pytest.approx((75 + 3 * step, 7 * step, 75 + 6 * step, 10 * step))


def test_a_size_can_be_chosen_only_where_the_network_is_free(network_file: File) -> None:
    with pytest.raises(RangeError, match="32×32 pixels only"):
        Explorer(network_file("plain"), size=(64, 64))


def test_a_network_that_takes_no_picture_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 10])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(UnsupportedError, match="take a picture"):
        Explorer(model.SerializeToString())
