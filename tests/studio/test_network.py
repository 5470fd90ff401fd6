"""Inside a whole network: layout and numbers of the page against the lab, ONNX Runtime and numpy."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from szem.media.samples import read_sample
from szem.serve.handlers.lab import LAB_LIMITS, pack_maps
from szem.tasks.explain.attribution import find_class_map, find_occlusion
from szem.tasks.explain.explain import Explorer
from szem.tasks.explain.neuron import explain_neuron

from .seeing import canvas_of, settle, until

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
Lab = Callable[..., Any]


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return Explorer()


@pytest.fixture(scope="module")
def own_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network of one's own: strided, atrous, and side by side, made without torch."""
    rng = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> Any:
        return numpy_helper.from_array(rng.normal(0, 0.4, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "a.weight", "a.bias"], ["a"], strides=[2, 2], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["ar"]),
        helper.make_node("Conv", ["ar", "left.weight"], ["l"], pads=[2] * 4, dilations=[2, 2]),
        helper.make_node("Conv", ["ar", "right.weight"], ["r"]),
        helper.make_node("Concat", ["l", "r"], ["y"], axis=1),
    ]
    weights = [weight("a.weight", 6, 3, 3, 3), weight("a.bias", 6), weight("left.weight", 4, 6, 3, 3)]
    weights.append(weight("right.weight", 3, 6, 1, 1))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 40, 40])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "own", [x], [y], weights)
    path = tmp_path_factory.mktemp("own") / "own.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


# --- pure functions ---------------------------------------------------------------------------------------------------


def test_layers_stand_in_columns_and_rows_and_links_join_them(lab: Lab) -> None:
    layers = [
        {"index": 0, "block": "stem", "inputs": [-1], "output_shape": [8, 16, 16], "kind": "convolution"},
        {"index": 1, "block": "mixed", "inputs": [0], "output_shape": [4, 16, 16], "kind": "pointwise"},
        {"index": 2, "block": "mixed", "inputs": [0], "output_shape": [4, 16, 16], "kind": "pointwise"},
        {"index": 3, "block": "mixed", "inputs": [2], "output_shape": [6, 16, 16], "kind": "convolution"},
        {"index": 4, "block": "mixed", "inputs": [1, 3], "output_shape": [10, 16, 16], "kind": "concat"},
        {"index": 5, "block": "end", "inputs": [4], "output_shape": [10, 8, 8], "kind": "max-pool"},
    ]
    body = "const b = m.arrange(a); return [b, m.stagesOf(b).map((s) => [s.key, s.blocks.map((x) => x.name)])]"
    blocks, stages = lab("network/layout.js", body, layers)
    mixed = blocks[1]
    assert (mixed["kind"], mixed["columns"], mixed["lanes"]) == ("parallel", 3, 2)
    places = {p["layer"]["index"]: (p["column"], p["lane"]) for p in mixed["layers"]}
    assert places == {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (2, 0)}
    assert mixed["links"] == [[2, 3], [1, 4], [3, 4]]
    assert stages == [["16×16", ["stem", "mixed"]], ["8×8", ["end"]]]


def test_the_field_drawn_while_hovering_is_the_one_the_lab_finds(lab: Lab, explorer: Explorer) -> None:
    prepared = explorer.prepare(read_sample("cat"))
    rng = np.random.default_rng(3)
    asked, expected = [], []
    for row in explorer.rows[:58]:
        y, x = (int(rng.integers(n)) for n in row.output_shape[1:])
        plain = {k: getattr(row, k) for k in ("field_px", "field_stride_px", "centre_px", "sees_all")}
        asked.append([plain, y, x])
        expected.append(explain_neuron(explorer, prepared, row.index, map=0, row=y, column=x).input_xyxy)
    found = lab("network/layout.js", "return a.map(([layer, y, x]) => m.fieldOf(layer, y, x, [224, 224]))", asked)
    assert [tuple(f[k] for k in ("x0", "y0", "x1", "y1")) for f in found] == expected


def test_packed_maps_read_back_within_half_a_step(lab: Lab) -> None:
    maps = np.random.default_rng(1).normal(size=(5, 3, 4)).astype(np.float32)
    maps[2] = 1.5  # one that is flat
    body = """const { numberAt } = await import("/js/network/layout.js");
      const p = m.unpackMaps(Uint8Array.from(a).buffer);
      return { shape: [p.maps, p.rows, p.columns],
        numbers: Array.from({ length: 60 }, (_, i) =>
          numberAt(p, Math.floor(i / 12), Math.floor((i % 12) / 4), i % 4)) }"""
    found = lab("lab/server.js", body, list(pack_maps(maps)))
    assert found["shape"] == [5, 3, 4]
    step = (maps.max(axis=(1, 2)) - maps.min(axis=(1, 2))).max() / 255
    np.testing.assert_allclose(np.reshape(found["numbers"], maps.shape), maps, atol=step * 0.51)


def test_maps_are_ordered_by_strength_and_by_likeness(lab: Lab) -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(size=(2, 6, 6))
    maps = np.stack([base[0], base[1], base[0] * 0.5 + 0.01, base[1] * 2]).astype(np.float32)
    body = """const { orderOf } = await import("/js/network/layout.js");
      const p = m.unpackMaps(Uint8Array.from(a).buffer);
      return ["", "strength", "likeness"].map((how) => orderOf(p, how))"""
    given, strength, likeness = lab("lab/server.js", body, list(pack_maps(maps)))
    assert given == [0, 1, 2, 3]
    assert strength == sorted(range(4), key=lambda k: -maps[k].max())
    assert sorted(likeness) == [0, 1, 2, 3]
    assert {frozenset(likeness[:2]), frozenset(likeness[2:])} == {frozenset((0, 2)), frozenset((1, 3))}


def test_parts_of_a_sum_add_up_and_come_largest_first(lab: Lab) -> None:
    rng = np.random.default_rng(0)
    inputs, weights = rng.normal(size=(2, 7, 3, 3)).round(3)
    body = "return m.partsOf(a).map((p) => [p.map, p.sum])"
    found = lab("network/sum.js", body, {"inputs": inputs.tolist(), "weights": weights.tolist(), "first": [4, 0, 0]})
    expected = (inputs * weights).sum(axis=(1, 2))
    assert [m for m, _ in found] == [4 + int(k) for k in np.argsort(-np.abs(expected))]
    assert sum(s for _, s in found) == pytest.approx(expected.sum())


def test_the_fraction_of_places_in_which_a_kind_answers_is_numpys(lab: Lab) -> None:
    maps = np.random.default_rng(4).normal(size=(6, 9, 7)).astype(np.float32)
    maps[1] = np.maximum(maps[1], 0)  # as after a rectifier
    maps[2] = 0
    maps[3] = np.abs(maps[3]) + 0.1  # everywhere
    body = """const { awakeShare } = await import("/js/network/layout.js");
      const p = m.unpackMaps(Uint8Array.from(a).buffer);
      return Array.from({ length: p.maps }, (_, k) => awakeShare(p, k))"""
    found = lab("lab/server.js", body, list(pack_maps(maps)))
    step = np.ptp(maps, axis=(1, 2)) / 255
    np.testing.assert_allclose(found, [(m > s / 2).mean() for m, s in zip(maps, step, strict=True)], atol=1 / 63)
    assert (found[2], found[3]) == (0, 1)


def test_depth_counts_the_layers_that_make_kinds_and_every_doubling_is_one_step(lab: Lab) -> None:
    layers = [
        {"index": 0, "kind": "shape", "kernel": None, "output_shape": [3, 8, 8]},
        {"index": 1, "kind": "convolution", "kernel": [7, 7], "output_shape": [64, 8, 8]},
        {"index": 2, "kind": "max-pool", "kernel": [3, 3], "output_shape": [64, 4, 4]},
        {"index": 3, "kind": "atrous", "kernel": [3, 3], "output_shape": [192, 4, 4]},
        {"index": 4, "kind": "add", "kernel": None, "output_shape": [192, 4, 4]},
        {"index": 5, "kind": "concat", "kernel": None, "output_shape": [256, 4, 4]},
    ]
    body = "return [m.kindsOf(a), [0, 1, 3, 7].map((count) => m.heightOf(count, 7))]"
    kinds, heights = lab("network/depth.js", body, layers)
    assert [(k["index"], k["count"]) for k in kinds] == [(1, 64), (3, 192), (5, 256)]
    np.testing.assert_allclose(heights, [0, 1 / 3, 2 / 3, 1])


# --- the page ---------------------------------------------------------------------------------------------------------


def _ready(page: Any) -> None:
    page.wait_for_selector("main[data-looked]")
    page.wait_for_selector("[data-name=runtime]")


def _number(text: str) -> float:
    found = re.search(r"-?\d[\d.,]*(?:[eE][+-]?\d+)?", text.replace("−", "-"))
    assert found, text
    return float(found[0].replace(",", ""))


def test_the_map_holds_every_layer_and_the_answer_is_the_networks(visit: Visit, explorer: Explorer) -> None:
    page = visit("network", picture="coffee")
    _ready(page)
    assert page.locator("[data-name=map] .layer-tile").count() == len(explorer.rows)
    page.wait_for_selector("[data-name=map][data-thumbs]")
    top = explorer.top(explorer.prepare(read_sample("coffee")).values)
    names = page.locator("[data-name=answer] li span:first-child").all_inner_texts()
    assert names == [name for _, name, _ in top]
    shares = [_number(t) for t in page.locator("[data-name=answer] output").all_inner_texts()]
    assert shares == pytest.approx([100 * p for _, _, p in top], abs=0.06)
    assert f"{sum(row.parameters for row in explorer.rows):,}" in page.locator("[data-name=summary]").inner_text()


def test_a_neurons_sum_equals_onnx_runtime_and_numpy(visit: Visit, explorer: Explorer) -> None:
    index = explorer.layer("stages.0.0.depthwise").row.index
    page = visit("network", picture="cat", layer=index, map=5, at="40,60")
    _ready(page)
    runtime = page.locator("[data-name=runtime]")
    prepared = explorer.prepare(read_sample("cat"))
    layer = explorer.layers[index]
    maps = explorer.maps(prepared.values, [layer, *(explorer.layers[i] for i in layer.row.inputs)])
    measured = float(maps[layer.row.name][5, 40, 60])
    assert float(runtime.get_attribute("data-measured")) == pytest.approx(measured, abs=1e-4)
    assert float(runtime.get_attribute("data-difference")) < 1e-4
    # the patch on show is the patch of the map before, and the products add up to the first step
    before = maps[explorer.layers[layer.row.inputs[0]].row.name][5, 39:42, 59:62]
    grids = page.locator("[data-name=sum] .patch-grid")
    inputs = [_number(t) for t in grids.nth(0).locator(".num").all_inner_texts()]
    np.testing.assert_allclose(inputs, before.ravel(), atol=0.006)
    weights = [_number(t) for t in grids.nth(1).locator(".num").all_inner_texts()]
    products = float(page.locator("[data-step=products]").get_attribute("data-value"))
    total = sum(i * w for i, w in zip(inputs, weights, strict=True))
    assert total == pytest.approx(products, abs=0.05 + 0.01 * abs(products))
    last = float(page.locator("[data-name=sum] .steps li:last-child output").get_attribute("data-value"))
    assert last == pytest.approx(measured, abs=1e-4)


def test_clicking_goes_from_layer_to_map_to_neuron_and_lights_its_field(visit: Visit, explorer: Explorer) -> None:
    page = visit("network", picture="cat")
    _ready(page)
    index = explorer.layer("stages.3.1.depthwise").row.index
    page.locator(f".layer-tile[data-layer='{index}']").click()
    page.wait_for_selector(f"[data-name=layer][data-layer='{index}']")
    row = explorer.rows[index]
    assert page.locator("[data-fact=parameters]").inner_text() == f"{row.parameters:,}"
    assert f"{row.parameters_unshared:,}" in page.locator("[data-name=facts]").inner_text()
    assert f"{row.output_shape[0]:,} channels" in page.locator("[data-name=kinds]").inner_text()
    page.locator("[data-name=sheet] canvas").click(position={"x": 20, "y": 20})
    page.wait_for_url(re.compile(r"at="))
    neurons = page.locator("[data-name=neurons] canvas")
    box = neurons.bounding_box()
    assert box is not None
    cell = box["width"] / row.output_shape[2]
    neurons.click(position={"x": 4.5 * cell, "y": 6.5 * cell})
    page.wait_for_url(re.compile(r"at=6,4"))
    map_ = int(re.search(r"map=(\d+)", page.url + "&map=0").group(1))  # type: ignore[union-attr]
    expected = explain_neuron(explorer, explorer.prepare(read_sample("cat")), index, map=map_, row=6, column=4)
    text = ",".join(str(v) for v in expected.input_xyxy or ())
    page.wait_for_selector(f".seen .overlay[data-field='{text}']", state="attached")
    page.locator("[data-name=neurons]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile(r"at=6,5"))


def test_depth_has_a_bar_for_every_kind_making_layer_and_opens_it(visit: Visit, explorer: Explorer) -> None:
    page = visit("network", picture="cat")
    _ready(page)
    bars = page.locator("[data-name=depth] .depth-bar")
    counted = {int(b.get_attribute("data-layer")): int(b.get_attribute("data-count")) for b in bars.all()}
    makes = {row.index: row.output_shape[0] for row in explorer.rows if row.kernel or row.kind == "dense"}
    assert counted == makes
    index = explorer.layer("stages.2.0.depthwise").row.index
    page.locator(f".depth-bar[data-layer='{index}']").click()
    page.wait_for_selector(f"[data-name=layer][data-layer='{index}']")
    # what sets this kind apart, in words
    said = page.locator("[data-name=kind-note]").inner_text()
    map_ = int(_number(said.split(":")[0]))
    assert page.locator(".one-map h3").inner_text() == f"Map {map_} of {explorer.rows[index].output_shape[0]}"
    maps = explorer.maps(explorer.prepare(read_sample("cat")).values, [explorer.layers[index]])
    one = next(iter(maps.values()))[map_]
    assert _number(said.split("active in")[1].split("%")[0]) == pytest.approx(100 * (one > 0).mean(), abs=1)


def test_a_neurons_field_is_enlarged_from_the_picture_itself(visit: Visit, explorer: Explorer) -> None:
    index = explorer.layer("stages.0.0.depthwise").row.index
    page = visit("network", fresh=True, picture="cat", layer=index, map=5, at="40,60")
    _ready(page)
    prepared = explorer.prepare(read_sample("cat"))
    box = explain_neuron(explorer, prepared, index, map=5, row=40, column=60).input_xyxy
    assert box is not None
    wanted = ",".join(str(v) for v in box)
    page.wait_for_selector(f".seen .overlay[data-field='{wanted}']", state="attached")
    seen = canvas_of(page, ".field-zoom")
    cut = prepared.picture[box[1] : box[3] + 1, box[0] : box[2] + 1]
    places = [int((k + 0.5) * 64 / 7) for k in range(7)]  # the middle of each of the field's 7 × 7 pixels
    np.testing.assert_allclose(seen[np.ix_(places, places)], cut, atol=1)


def test_hovering_asks_the_server_nothing(visit: Visit) -> None:
    page = visit("network", picture="cat", layer=3)
    _ready(page)
    page.wait_for_selector("[data-fact=time]")
    page.locator("[data-name=neurons]").scroll_into_view_if_needed()
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url))
    box = page.locator("[data-name=neurons] canvas").bounding_box()
    assert box is not None
    seen = set()
    for k in range(20):
        page.mouse.move(box["x"] + box["width"] * (k + 0.5) / 20, box["y"] + box["height"] * (k + 0.5) / 20)
        seen.add(page.locator(".seen .overlay").get_attribute("data-field"))
    assert len(seen) == 20
    assert asked == []
    assert float(page.locator("main").get_attribute("data-hover-ms")) >= 0  # the page's own measurement


def test_a_layer_of_a_thousand_maps_shows_them_all(visit: Visit, explorer: Explorer) -> None:
    index = explorer.layer("head.conv").row.index
    page = visit("network", picture="cat", layer=index, order="likeness")
    _ready(page)
    assert explorer.rows[index].output_shape[0] == 1280
    size = page.locator("[data-name=sheet] canvas").evaluate("c => [c.width, c.height, c.clientWidth]")
    columns = (size[0] - 2) // 30  # tiles of 28 pixels and gaps of 2
    assert columns * ((size[1] - 2) // 30) >= 1280
    assert float(page.locator("[data-name=layer]").get_attribute("data-opened-ms")) > 0
    page.locator("[data-name=order] label").nth(1).click()
    tile = "c => Array.from(c.getContext('2d').getImageData(2, 2, 28, 28).data)"
    assert max(page.locator("[data-name=sheet] canvas").evaluate(tile)[:3]) > 0


def test_occlusion_and_class_map_stand_side_by_side(visit: Visit, explorer: Explorer) -> None:
    page = visit("network", picture="cat")
    _ready(page)
    page.locator("[data-name=heat]").scroll_into_view_if_needed()  # the likeliest class is asked for by itself
    page.wait_for_selector("[data-name=heat][data-class]")
    prepared = explorer.prepare(read_sample("cat"))
    best = int(page.locator("[data-name=heat]").get_attribute("data-class"))
    assert best == explorer.top(prepared.values)[0][0]
    figures = page.locator("[data-name=heat] figure")
    assert figures.count() == 2
    drop = find_occlusion(explorer, prepared, class_index=best).drop
    assert f"{100 * float(drop.max()):.1f}%" in figures.nth(0).inner_text()
    evidence = find_class_map(explorer, prepared, class_index=best).evidence
    # the drawing is brightest where the evidence is
    y, x = (int(v) for v in np.unravel_index(int(evidence.argmax()), evidence.shape))
    red = """(c, [y, x]) => { const s = c.width / 7;
      const d = c.getContext('2d').getImageData((x + .3) * s, (y + .3) * s, s * .4, s * .4).data;
      let r = 0; for (let i = 0; i < d.length; i += 4) r += d[i] - d[i + 2]; return r; }"""
    assert figures.nth(1).locator("canvas").evaluate(red, [y, x]) > 0


def test_the_strongest_pictures_are_shown_with_their_patches(visit: Visit) -> None:
    page = visit("network", picture="cat", layer=8, map=2)
    _ready(page)
    page.click("[data-name=find-strongest]")
    page.wait_for_selector(".patches li")
    values = [_number(t) for t in page.locator(".patches output").all_inner_texts()]
    assert len(values) >= 3
    assert values == sorted(values, reverse=True)
    assert page.locator(".patches img").first.get_attribute("src").startswith("data:image/jpeg")


def test_ones_own_onnx_file_is_opened_and_its_numbers_are_right(visit: Visit, own_network: Path) -> None:
    page = visit("network", picture="rocket")
    _ready(page)
    page.locator("[data-name=onnx]").set_input_files(str(own_network))
    page.wait_for_url(re.compile("network=sent-"))
    page.wait_for_function("() => document.querySelectorAll('.layer-tile').length === 4")
    page.wait_for_selector("[data-name=runtime]")
    assert page.locator(".layer-tile[data-kind=atrous]").count() == 1
    page.locator(".layer-tile[data-kind=atrous]").click()
    page.wait_for_selector("[data-name=layer][data-layer='1']")
    page.wait_for_selector("[data-name=sum][data-layer=left]")
    explorer = Explorer(own_network)
    prepared = explorer.prepare(read_sample("rocket"))
    session = ort.InferenceSession(own_network, providers=["CPUExecutionProvider"])
    whole = session.run(None, {"x": prepared.values})[0][0]  # (7, 20, 20); the first 4 are the atrous ones
    place = tuple(int(v) for v in page.locator("[data-name=sum]").get_attribute("data-place").split(","))
    runtime = page.locator("[data-name=runtime]")
    assert float(runtime.get_attribute("data-measured")) == pytest.approx(float(whole[place]), abs=1e-4)
    assert float(runtime.get_attribute("data-difference")) < 1e-4
    until(page, "!document.querySelector('[data-name=heat-class]')")  # no classes, no heat


def test_a_broken_network_file_is_reported_where_it_was_chosen(visit: Visit, tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"\x00\xff" * 500)
    page = visit("network", lang="hu", expect=("Failed to load resource",))
    _ready(page)
    page.locator("[data-name=onnx]").set_input_files(str(bad))
    page.wait_for_selector("[data-name=network-problem] .message")
    said = page.locator("[data-name=network-problem]").inner_text()
    assert "ONNX" in said
    assert bad.name in said
    assert page.locator("[data-name=map] .layer-tile").count() > 50  # what was there stays


def test_a_network_can_be_dropped_on_the_page_and_its_limits_are_reported(visit: Visit, own_network: Path) -> None:
    page = visit("network", fresh=True)
    _ready(page)
    limits = page.locator("[data-name=limits]").inner_text()
    for number in (LAB_LIMITS.max_bytes / 1e6, LAB_LIMITS.max_nodes, LAB_LIMITS.max_multiplications / 1e9):
        assert f"{number:,.0f}" in limits
    drop = """(bytes) => { const files = new DataTransfer();
      files.items.add(new File([Uint8Array.from(bytes)], "Mine.ONNX"));
      window.dispatchEvent(new DragEvent("drop", { dataTransfer: files, cancelable: true })); }"""
    page.evaluate(drop, list(own_network.read_bytes()))
    page.wait_for_url(re.compile("network=sent-"))
    page.wait_for_function("() => document.querySelectorAll('.layer-tile').length === 4")
    assert "Mine.ONNX" in page.locator("[data-name=network] select option:checked").inner_text()


def test_a_picture_the_server_has_forgotten_is_reported(visit: Visit) -> None:
    page = visit("network", fresh=True, expect=("Failed to load resource",))
    _ready(page)
    gone = '{"error": {"code": 404, "message": "this picture has been forgotten since; send it again"}}'
    page.route("**/layers/*/maps", lambda r: r.fulfill(status=404, body=gone, content_type="application/json"))
    page.locator(".layer-tile").nth(6).click()
    page.wait_for_selector("[data-name=layer-problem] .message")
    assert "forgotten" in page.locator("[data-name=layer-problem]").inner_text()


def test_a_picture_the_server_forgot_once_is_sent_again(visit: Visit) -> None:
    page = visit("network", fresh=True, expect=("Failed to load resource",))
    _ready(page)
    gone = '{"error": {"code": 404, "message": "this picture has been forgotten since; send it again"}}'
    page.route(
        "**/layers/*/maps", lambda r: r.fulfill(status=404, body=gone, content_type="application/json"), times=1
    )
    page.locator(".layer-tile").nth(6).click()
    page.wait_for_selector("[data-name=layer][data-layer='6']")
    page.wait_for_selector("[data-name=layer-problem] .message", state="detached")


@pytest.mark.parametrize("lang", ["en", "hu"])
def test_the_network_page_fits_every_width(visit: Visit, lang: str) -> None:
    page = visit("network", fresh=True, lang=lang, layer=8)
    _ready(page)
    for width, height in ((1920, 1080), (1280, 800), (768, 1024), (390, 844), (320, 640)):
        page.set_viewport_size({"width": width, "height": height})
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_search_for_the_strongest_says_how_far_it_is(visit: Visit) -> None:
    page = visit("network", fresh=True, layer=8, map=3)
    _ready(page)
    json = "application/json"
    page.route("**/search", lambda r: r.fulfill(body='{"progress": 0.25}', content_type=json))
    page.route("**/strongest?map=3", lambda r: None)  # still at it
    page.click("[data-name=find-strongest]")
    until(page, "document.querySelector('[data-name=strongest] progress')?.value === 0.25")


def test_googlenets_table_is_the_papers_and_opens_beside_the_depths(visit: Visit, lab: Callable[..., Any]) -> None:
    rows = lab("network/googlenet.js", "return m.GOOGLENET")
    assert [row[1:3] for row in rows[:3]] == [[112, 64], [56, 64], [56, 192]]
    assert rows[-2][1:3] == [1, 1024]
    assert sum(row[3] for row in rows) == pytest.approx(6797.7)  # thousands: the 6.8 million of its paper's table
    inception = [row for row in rows if row[0].startswith("inception")]
    assert len(inception) == 9
    assert [row[2] for row in inception] == [256, 480, 512, 512, 512, 528, 832, 832, 1024]
    page = visit("network", picture="cat")
    _ready(page)
    table = page.locator("[data-name=googlenet]")
    assert not table.locator("table").is_visible()
    table.locator("summary").click()
    assert table.locator("tbody tr").count() == len(rows)
    assert table.locator("tbody tr").nth(2).locator("output").inner_text() == "192"
