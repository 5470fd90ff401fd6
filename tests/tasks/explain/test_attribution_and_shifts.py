"""Occlusion, class maps, strongest patches, moved pictures, locality."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from szem.errors import FormatError, RangeError, UnknownNameError, UnsupportedError
from szem.media.pictures import write_picture
from szem.media.samples import read_gallery, read_sample
from szem.results.explanation import draw_maps
from szem.runtime.graph import read_graph
from szem.tasks.explain import receptive_field
from szem.tasks.explain.attribution import find_class_map, find_occlusion
from szem.tasks.explain.explain import Explorer
from szem.tasks.explain.preprocess import prepare_cut
from szem.tasks.explain.receptive_field import StackLayer, build_stack, measure_stack, pixels_seen
from szem.tasks.explain.shift_invariance import measure_shift
from szem.tasks.explain.top_activations import SHIPPED, cut_patch, find_strongest

File = Callable[[str], Path]


@pytest.fixture(scope="module")
def residual(network_file: File) -> Explorer:
    return Explorer(network_file("residual"), threads=1)


def test_the_mean_of_a_class_map_and_the_bias_are_the_score(residual: Explorer, network_file: File) -> None:
    prepared = residual.prepare(read_sample("cat"))
    session = ort.InferenceSession(network_file("residual"), providers=["CPUExecutionProvider"])
    scores = session.run(None, {residual.layout.name: prepared.values})[0][0]
    for index in range(5):
        found = find_class_map(residual, prepared, class_index=index)
        assert found.evidence.shape == (16, 16)
        assert float(found.evidence.mean()) + found.bias == pytest.approx(float(scores[index]), abs=1e-4)
    assert find_class_map(residual, prepared).class_index == int(scores.argmax())


def test_a_class_map_needs_average_pooling_and_a_dense_layer(network_file: File) -> None:
    explorer = Explorer(network_file("inception"), threads=1)
    with pytest.raises(UnsupportedError, match="average pooling"):
        find_class_map(explorer, explorer.prepare(read_sample("cat")))


def test_an_occlusion_map_is_the_fall_of_the_probability(residual: Explorer) -> None:
    prepared = residual.prepare(read_sample("coffee"))
    found = find_occlusion(residual, prepared, class_index=2, window_px=8, step_px=8)
    assert found.drop.shape == (4, 4)
    hidden = prepared.picture.copy()
    hidden[8:16, 16:24] = 127
    values = prepare_cut(hidden, residual.layout, residual.rules)
    expected = residual.answer(prepared.values)[2] - residual.answer(values)[2]
    assert float(found.drop[1, 2]) == pytest.approx(float(expected), abs=1e-6)


def test_hiding_what_the_class_looks_at_costs_most(tmp_path: Path, save_network: Callable[..., Path]) -> None:
    """A network made by hand that counts red: the square over the red spot must matter most, and only it."""
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 2, 1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(2, 2),
    )
    with torch.no_grad():
        net[0].weight[:] = torch.tensor([[1.0, -0.5, -0.5], [0, 0, 0]])[..., None, None]  # type: ignore[index, operator]
        net[0].bias[:] = torch.tensor([-0.2, 0.0])  # type: ignore[index, operator]
        net[4].weight[:] = torch.tensor([[50.0, 0], [0, 0]])  # type: ignore[index, operator]
        net[4].bias[:] = 0  # type: ignore[index, operator]
    explorer = Explorer(save_network(net.eval(), tmp_path / "red.onnx"), threads=1)
    picture = np.full((32, 32, 3), 40, np.uint8)
    picture[4:12, 20:28] = (255, 20, 20)
    prepared = explorer.prepare(picture)
    drop = find_occlusion(explorer, prepared, class_index=0, window_px=8, step_px=4).drop
    assert np.unravel_index(int(drop.argmax()), drop.shape) == (1, 5)
    assert float(drop[5:, :3].max()) == pytest.approx(0, abs=1e-6)
    evidence = find_class_map(explorer, prepared, class_index=0).evidence
    assert (evidence[4:12, 20:28] > 0).all()
    assert (evidence[16:] == 0).all()


def test_a_square_that_does_not_fit_is_refused(residual: Explorer) -> None:
    prepared = residual.prepare(read_sample("cat"))
    with pytest.raises(RangeError, match="must fit"):
        find_occlusion(residual, prepared, window_px=64)
    with pytest.raises(RangeError, match="classes 0 to 4"):
        find_occlusion(residual, prepared, class_index=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("pictures")
    files = [write_picture(home / f"{name}.png", read_sample(name)) for name in ("cat", "coffee", "rocket", "coins")]
    broken = home / "broken.png"
    broken.write_bytes(b"\x89PNG no more")
    return [*files, broken]


def test_the_strongest_places_are_those_of_the_maps_themselves(
    residual: Explorer, folder: list[Path], tmp_path: Path
) -> None:
    found = find_strongest(residual, folder, keep=3, cache=tmp_path)
    assert [Path(file).name for file, _ in found.skipped] == ["broken.png"]
    layer = residual.layer("a")
    tops = []
    for index, name in enumerate(("cat", "coffee", "rocket", "coins")):
        maps = residual.maps(residual.prepare(read_sample(name)).values, [layer])["a"]
        tops.append((float(maps[5].max()), index, np.unravel_index(int(maps[5].argmax()), maps[5].shape)))
    tops.sort(key=lambda entry: -entry[0])
    np.testing.assert_allclose(found.scores["a"][5], [entry[0] for entry in tops[:3]], rtol=1e-5)
    assert found.pictures["a"][5].tolist() == [entry[1] for entry in tops[:3]]
    assert [tuple(place) for place in found.places["a"][5]] == [entry[2] for entry in tops[:3]]


def test_what_was_found_is_kept_on_disk_and_found_anew_after_a_change(
    residual: Explorer, folder: list[Path], tmp_path: Path
) -> None:
    files = [tmp_path / f.name for f in folder[:2]]
    for file, original in zip(files, folder, strict=False):
        file.write_bytes(original.read_bytes())
    cache = tmp_path / "cache"
    first = find_strongest(residual, files, keep=2, cache=cache)
    kept = list(cache.glob("*.npz"))
    assert len(kept) == 1
    again = find_strongest(residual, files, keep=2, cache=cache)
    assert again.files == first.files
    np.testing.assert_array_equal(again.scores["stem"], first.scores["stem"])
    write_picture(files[0], read_sample("coins"))
    changed = find_strongest(residual, files, keep=2, cache=cache)
    assert len(list(cache.glob("*.npz"))) == 2
    assert not np.array_equal(changed.scores["stem"], first.scores["stem"])
    kept[0].write_bytes(b"damaged")
    find_strongest(residual, files, keep=2, cache=cache)  # a damaged cache is searched again


def test_the_shipped_table_is_of_the_default_network_and_the_bundled_gallery(tmp_path: Path) -> None:
    explorer, gallery = Explorer(), read_gallery()
    assert SHIPPED.is_file()
    found = find_strongest(explorer, gallery, keep=6, cache=tmp_path)
    assert not list(tmp_path.iterdir()), "searched anew: run docs/tools/gallery.py strongest"
    layer = explorer.layers[8]
    for rank in range(2):  # what it says is what the network answers
        picture, (row, column) = (
            gallery[found.pictures[layer.row.name][3, rank]],
            found.places[layer.row.name][3, rank],
        )
        maps = explorer.maps(explorer.prepare(picture).values, [layer])[layer.row.name]
        assert maps[3, row, column] == pytest.approx(found.scores[layer.row.name][3, rank], rel=1e-3)
        assert maps[3].max() == maps[3, row, column]


def test_a_patch_is_what_the_neuron_sees(residual: Explorer) -> None:
    picture = read_sample("cat")  # the middle 300 × 300 goes in at 32 × 32
    patch = cut_patch(residual, picture, "stem", row=10, column=20)
    step = 300 / 32
    np.testing.assert_array_equal(
        patch, picture[int(9 * step) : round(12 * step), int(75 + 19 * step) : round(75 + 22 * step)]
    )
    assert cut_patch(residual, picture, "head", row=0, column=0).shape == (300, 300, 3)


def test_a_moved_picture_changes_pooled_maps_less(residual: Explorer) -> None:
    curve = measure_shift(residual, read_sample("cat"), shifts_px=(0, 1, 2, 4), layer="a")
    none, all_ = curve.window_names.index("none"), curve.window_names.index("all")
    assert curve.max_change[none][0] == 0
    for shift in (1, 2, 3):
        assert curve.mean_change[all_][shift] < curve.mean_change[none][shift]
    assert curve.pooled_distance[0] == curve.single_distance[0] == 0
    assert len(curve.single_probability) == 4
    with pytest.raises(RangeError, match="two shifts"):
        measure_shift(residual, read_sample("cat"), shifts_px=(0,))
    with pytest.raises(UnknownNameError):
        measure_shift(residual, read_sample("cat"), layer="nowhere")


def test_a_shift_by_the_networks_own_stride_moves_the_maps_and_nothing_else(network_file: File) -> None:
    """Convolution follows the picture: moved by 2 pixels under stride 2, inner neurons move by exactly one."""
    explorer = Explorer(network_file("inception"), threads=1)
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (32, 34, 3)).astype(np.uint8)
    layer = explorer.layer("stem")
    a, b = (
        explorer.maps(prepare_cut(np.ascontiguousarray(w), explorer.layout, explorer.rules), [layer])["stem"]
        for w in (wide[:, :32], wide[:, 2:])
    )
    np.testing.assert_allclose(a[:, :, 3:-2], b[:, :, 2:-3], atol=1e-4)


def test_a_stack_sees_what_the_dots_say(tmp_path: Path) -> None:
    layers = [StackLayer(3, dilation=2), StackLayer(3, stride=2), StackLayer(3, dilation=3)]
    counts = pixels_seen(layers)
    path = tmp_path / "stack.onnx"
    path.write_bytes(build_stack(layers, channels=1, side_px=48))
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    middle = session.run(None, {"x": np.zeros((1, 1, 48, 48), np.float32)})[0].shape[2] // 2
    seen = []
    for column in range(48):
        picture = np.zeros((1, 1, 48, 48), np.float32)
        picture[..., column] = 1
        seen.append(abs(float(session.run(None, {"x": picture})[0][0, 0, middle, middle])) > 1e-7)
    first, last = seen.index(True), 47 - seen[::-1].index(True)
    assert last - first + 1 == len(counts)
    assert [bool(c) for c in counts] == seen[first : last + 1]


def test_a_stack_is_described_and_measured() -> None:
    report = measure_stack([StackLayer(3), StackLayer(3, dilation=2)], channels=4, side_px=16, runs=2)
    assert (report.field_px, report.seen_px, report.gaps_px) == (7, 7, 0)
    assert report.parameters == 2 * (4 * 4 * 9 + 4)
    assert report.multiplications == 2 * 16 * 16 * 16 * 9
    assert report.time_ms is not None
    assert report.time_ms > 0
    gappy = measure_stack([StackLayer(3, dilation=4)] * 2, channels=4, side_px=16, timed=False)
    assert (gappy.field_px, gappy.seen_px, gappy.gaps_px) == (17, 5, 12)
    assert gappy.time_ms is None
    with pytest.raises(RangeError, match="odd"):
        measure_stack([StackLayer(4)])
    with pytest.raises(RangeError, match="1 to 12 layers"):
        measure_stack([])


def test_a_stack_costs_what_is_known_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest that the routes take is refused; below that, the larger a stack, the fewer runs."""
    ran: list[int] = []
    monkeypatch.setattr(receptive_field, "_time", lambda *given: ran.append(given[-1]) or 1.0)
    with pytest.raises(RangeError, match=r"1.72e\+10 multiplications .* the limit is 5e\+09"):
        measure_stack([StackLayer(1)], channels=256, side_px=512)
    assert ran == []
    for side_px in (64, 128, 256):
        done = measure_stack([StackLayer(1)], channels=256, side_px=side_px)
        assert done.multiplications <= receptive_field.MOST_MULTIPLICATIONS
        assert done.multiplications * ran[-1] <= 2e10
    assert ran == [15, 15, 4]


def test_stacks_read_as_networks(tmp_path: Path) -> None:
    graph = read_graph(build_stack([StackLayer(5, stride=2)], channels=3, side_px=16))
    explorer = Explorer(graph.proto.SerializeToString(), threads=1)
    assert explorer.rows[0].field_px == (5, 5)


def test_maps_are_drawn_as_a_grid_in_the_two_scales() -> None:
    maps = np.zeros((3, 2, 2), np.float32)
    maps[0, 0, 0] = 5
    drawn = draw_maps(maps, columns=3, tile_px=2, gap_px=1)
    assert drawn.shape == (4, 10, 3)
    assert drawn[1, 1].tolist() == [255, 250, 215]  # the strongest of a map without negative numbers
    assert drawn[1, 4].tolist() == [13, 14, 28]
    signed = draw_maps(np.array([[[-1.0, 0.0, 1.0]]]), columns=1, tile_px=3, gap_px=0)
    assert signed[0].tolist() == [[0, 92, 175], [250, 250, 250], [214, 96, 0]]
    with pytest.raises(RangeError, match="draw fewer"):
        draw_maps(np.zeros((40_000, 60, 60), np.float32), tile_px=60)


def _open_sided(tmp_path: Path, nodes: list[Any], weights: list[Any]) -> Path:
    """A network whose input is 1 × 3 × rows × columns, both open."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "rows", "columns"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "open", [x], [y], weights)
    path = tmp_path / "open.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_a_network_that_runs_at_one_size_only_finds_it(tmp_path: Path) -> None:
    weights = [
        numpy_helper.from_array(np.full((4, 3, 1, 1), 0.1, np.float32), "w"),
        numpy_helper.from_array(np.array([1, 4 * 48 * 320], np.int64), "flat"),  # as readers of lines of text have it
    ]
    nodes = [helper.make_node("Conv", ["x", "w"], ["a"]), helper.make_node("Reshape", ["a", "flat"], ["y"])]
    path = _open_sided(tmp_path, nodes, weights)
    assert Explorer(path).size == (48, 320)
    with pytest.raises(FormatError, match=r"leaves its sides open.*--size"):
        Explorer(path, size=(224, 224))  # what is asked for is not changed


def test_values_whose_rank_the_runtime_does_not_know_are_measured(tmp_path: Path) -> None:
    weights = [
        numpy_helper.from_array(np.full((4, 3, 1, 1), 0.1, np.float32), "w"),
        numpy_helper.from_array(np.full((4, 5), 0.2, np.float32), "dense.weight"),
        numpy_helper.from_array(np.array([True, True, False, False]), "first"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("GlobalAveragePool", ["a"], ["m"]),  # 1 × 4 × 1 × 1
        helper.make_node("Shape", ["m"], ["s"]),
        helper.make_node("Compress", ["s", "first"], ["two"], axis=0),  # how many are left shows when it runs
        helper.make_node("Reshape", ["m", "two"], ["v"]),
        helper.make_node("MatMul", ["v", "dense.weight"], ["y"]),
    ]
    explorer = Explorer(_open_sided(tmp_path, nodes, weights))
    row = explorer.layer("dense").row
    assert (row.output_shape, row.multiplications) == ((5, 1, 1), 20)
