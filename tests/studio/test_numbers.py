"""The studio's arithmetic against szem.kernels: the same picture and kernel, the same numbers."""

import itertools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from szem.kernels import (
    BORDERS,
    KERNELS,
    Kernel,
    average_pool,
    border_index,
    convolve,
    edges,
    max_pool,
    output_size,
    parse_kernel,
    view,
)

pytestmark = pytest.mark.browser

Lab = Callable[..., Any]

PLANE = """
  const plane = (rows) => ({ data: Float32Array.from(rows.flat()), height: rows.length, width: rows[0].length });
  const rowsOf = ({ data, height, width }) =>
    Array.from({ length: height }, (_, y) => Array.from(data.subarray(y * width, (y + 1) * width)));
"""


def grey_image(height: int, width: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def rgba(image: np.ndarray) -> list[int]:
    full = np.full((*image.shape[:2], 4), 255, np.uint8)
    full[..., :3] = image if image.ndim == 3 else image[..., None]
    return full.ravel().tolist()


def convolution_cases() -> list[dict[str, Any]]:
    rng = np.random.default_rng(11)
    shapes = [(1, 1), (3, 3), (2, 2), (3, 1), (1, 4), (4, 3), (5, 5), (9, 9)]
    cases = []
    for border, operation in itertools.product(BORDERS, ("correlation", "convolution")):
        for shape in shapes:
            stride, dilation = int(rng.integers(1, 4)), int(rng.integers(1, 4))
            weights = rng.integers(-4, 5, shape) / 2
            cases.append(
                {
                    "rows": weights.tolist(),
                    "options": {"border": border, "operation": operation, "stride": stride, "dilation": dilation},
                }
            )
    # what a separable path, a kernel of zeros and a reach beyond the whole picture do
    for rows, options in (
        ([[1 / 9] * 3] * 3, {"border": "reflect", "stride": 2}),
        ([[1 / 81] * 9] * 9, {"border": "wrap", "dilation": 2}),
        ([[0, 0], [0, 0]], {"border": "replicate"}),
        ([[1, 2, 1]], {"border": "reflect", "dilation": 8, "stride": 3}),
        ([[1], [2], [1]], {"border": "wrap", "dilation": 7}),
        (parse_kernel("gabor:30").weights.tolist(), {"border": "reflect"}),
        (parse_kernel("log").weights.tolist(), {"border": "constant", "stride": 2}),
    ):
        cases.append({"rows": rows, "options": options})
    return cases


def python_options(options: dict[str, Any]) -> dict[str, Any]:
    names = {"border": "border", "stride": "stride_px", "dilation": "dilation", "operation": "mode"}
    return {"mode": "correlation"} | {names[name]: value for name, value in options.items()}


def test_convolution_gives_the_numbers_of_szem_kernels(lab: Lab) -> None:
    image = grey_image(13, 17)
    cases = convolution_cases()
    body = (
        PLANE + "return a.cases.map(({ rows, options }) => rowsOf(m.convolvePlane(plane(a.image), rows, options)));"
    )
    found = lab("kernels/convolve.js", body, {"image": image.tolist(), "cases": cases})
    compared = 0
    for case, answer in zip(cases, found, strict=True):
        options = python_options(case["options"])
        span = (np.array(np.shape(case["rows"])) - 1) * options.get("dilation", 1) + 1
        if options["border"] == "valid" and (span > image.shape).any():
            assert answer == [], case  # the page says so instead of failing
            continue
        wanted = convolve(image, Kernel(case["rows"]), **options)
        assert np.shape(answer) == wanted.shape, case
        np.testing.assert_allclose(answer, wanted, atol=2e-3, err_msg=str(case))
        compared += 1
    assert compared > 70


def test_every_named_kernel_comes_from_the_one_table_with_its_weights(lab: Lab) -> None:
    served = lab("server.js", "return m.fetchKernels();")
    assert [entry["name"] for entry in served] == list(KERNELS)
    for entry in served:
        np.testing.assert_allclose(entry["weights"], parse_kernel(entry["name"]).weights, atol=1e-12)
        assert entry["text"]
        assert entry["family"]


def test_borders_are_those_of_szem_kernels(lab: Lab) -> None:
    at = list(range(-23, 30))
    for size, border in itertools.product((1, 2, 5), [b for b in BORDERS if b != "valid"]):
        body = "return a.at.map((i) => m.borderIndex(i, a.size, a.border));"
        found = lab("kernels/borders.js", body, {"at": at, "size": size, "border": border})
        assert found == border_index(np.array(at), size, border).tolist(), (size, border)


def test_output_size_is_that_of_szem_kernels(lab: Lab) -> None:
    cases = [
        {"size": size, "taps": taps, "stride": stride, "dilation": dilation, "border": border}
        for size, taps, stride, dilation, border in itertools.product(
            (7, 16, 33), (1, 2, 3, 9), (1, 2, 3), (1, 3), ("reflect", "valid")
        )
        if border != "valid" or (taps - 1) * dilation + 1 <= size
    ]
    found = lab("kernels/sizes.js", "return a.map((c) => m.convolvedSide(c.size, c.taps, c));", cases)
    for case, side in zip(cases, found, strict=True):
        wanted = output_size(
            (case["size"], case["size"]),
            (case["taps"], case["taps"]),
            stride_px=case["stride"],
            dilation=case["dilation"],
            border=case["border"],
        )
        assert side == wanted[0], case


@pytest.mark.parametrize("window", [2, 3, 4])
def test_pooling_gives_the_numbers_of_szem_kernels(lab: Lab, window: int) -> None:
    image = grey_image(13, 18).astype(np.float32) - 128
    body = (
        PLANE
        + "return ['max', 'average'].map((pool) => rowsOf(m.poolPlane(plane(a.image), { pool, window: a.window })));"
    )
    strongest, mean = lab("kernels/pool.js", body, {"image": image.tolist(), "window": window})
    np.testing.assert_allclose(strongest, max_pool(image, window))
    np.testing.assert_allclose(mean, average_pool(image, window), atol=1e-4)


@pytest.mark.parametrize("family", ["sobel", "prewitt", "scharr"])
def test_edges_in_both_directions_are_those_of_szem_kernels(lab: Lab, family: str) -> None:
    image = grey_image(12, 15)
    plan = {
        "colour": "grey",
        "mode": "edges",
        "kernels": [parse_kernel(f"{family}-x").weights.tolist(), parse_kernel(f"{family}-y").weights.tolist()],
        "operation": "correlation",
        "stride": 1,
        "dilation": 1,
        "border": "reflect",
        "pool": "none",
        "window": 2,
    }
    body = PLANE + "return m.runPlan(Uint8ClampedArray.from(a.rgba), 12, 15, a.plan).map(rowsOf);"
    strength, across, down = lab("kernels/plan.js", body, {"rgba": rgba(image), "plan": plan})
    wanted = edges(image, family)
    np.testing.assert_allclose(strength, wanted.magnitude, atol=1e-3)
    np.testing.assert_allclose(
        np.arctan2(down, across)[wanted.magnitude > 1], wanted.angle[wanted.magnitude > 1], atol=1e-4
    )


def test_grey_is_that_of_opencv_to_the_bit(lab: Lab) -> None:
    image = np.random.default_rng(3).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    body = PLANE + "return rowsOf(m.greyPlane(Uint8ClampedArray.from(a), 40, 50));"
    found = np.array(lab("kernels/planes.js", body, rgba(image)))
    assert (found == cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)).all()


def test_views_paint_the_colours_of_szem_kernels(lab: Lab) -> None:
    numbers = np.random.default_rng(4).normal(60, 200, (20, 30)).astype(np.float32)
    numbers[:3, :5] = 0
    body = (
        PLANE
        + """
      const planes = [plane(a)];
      const paint = (how) => { const to = new Uint8ClampedArray(20 * 30 * 4); how(planes, to); return Array.from(to); };
      return [paint(m.paintClipped), paint(m.paintSigned), paint(m.markZeros)];"""
    )
    clipped, signed, marked = (
        np.array(p).reshape(20, 30, 4) for p in lab("kernels/planes.js", body, numbers.tolist())
    )
    assert (clipped[..., 3] == 255).all()
    assert np.abs(clipped[..., :3] - view(numbers).astype(int)).max() <= 1
    assert np.abs(signed[..., :3] - view(numbers, how="signed", scale=255).astype(int)).max() <= 1
    assert ((marked[..., :3] == (255, 196, 0)).all(axis=2) == (numbers == 0)).all()


def test_statistics_count_zeros_and_what_a_screen_cuts_off(lab: Lab) -> None:
    body = PLANE + "return m.statisticsOf([plane([[-3, 0, 0, 255], [256, 1000, 0.2, 0]])]);"
    assert lab("kernels/planes.js", body) == {
        "least": -3,
        "greatest": 1000,
        "zeros": 3 / 8,
        "below": 1 / 8,
        "above": 2 / 8,
    }


def test_kernel_text_is_read_as_szem_reads_it(lab: Lab) -> None:
    texts = ["0 -1 0; -1 5 -1; 0 -1 0", "1/4 1/2 1/4", ".5 -.5", "1e-3 2", "1\n2\n3"]
    found = lab("kernels/kernel.js", "return a.map((text) => m.parseRows(text));", texts)
    for text, rows in zip(texts, found, strict=True):
        np.testing.assert_allclose(rows, parse_kernel(text).weights)
    wrong = ["1 2; 3", "a b", "", "1/0", "1 NaN", "--1", "0x10"]
    assert lab("kernels/kernel.js", "return a.map((text) => m.parseRows(text));", wrong) == [None] * len(wrong)
    written = lab("kernels/kernel.js", "return m.rowsText([[1 / 9, -0, 0.1 + 0.2], [-2, 1e-7, 12345.678]]);")
    np.testing.assert_allclose(parse_kernel(written).weights, [[1 / 9, 0, 0.3], [-2, 1e-7, 12345.678]], rtol=1e-8)


def test_numbers_are_read_as_people_type_them(lab: Lab) -> None:
    typed = {"1": 1, " −2 ": -2, "0,5": 0.5, ".5": 0.5, "1/3": 1 / 3, "-1/4": -0.25, "+3": 3, "2.": 2}
    found = lab("kernels/kernel.js", "return a.map(m.parseNumber);", list(typed))
    assert found == pytest.approx(list(typed.values()))
    assert all(
        np.isnan(
            lab("kernels/kernel.js", "return a.map(m.parseNumber);", ["", "-", "x", "1 2", "1/0", "1e", "Infinity"])
        )
    )


def test_normalise_compose_and_take_apart_agree_with_szem(lab: Lab) -> None:
    for name in KERNELS:
        k = parse_kernel(name)
        rows = k.weights.tolist()
        parts = lab("kernels/kernel.js", "return m.separated(a);", rows)
        rebuilt = sum((np.outer(p["down"], p["across"]) for p in parts), np.zeros(k.shape))
        np.testing.assert_allclose(rebuilt, k.weights, atol=1e-6 * np.abs(k.weights).max())
        assert len(parts) <= k.rank() + 1  # numerical rank counts differ by dust at most
    assert (
        lab("kernels/kernel.js", "return m.normalised([[1, 2], [3, 4]]);")
        == parse_kernel("1 2; 3 4").normalize().weights.tolist()
    )
    assert lab("kernels/kernel.js", "return m.normalised([[-1, 0, 1]]);") is None
    first, second = parse_kernel("sobel-x"), parse_kernel("1 2; 3 4")
    found = lab(
        "kernels/kernel.js", "return m.composed(a[0], a[1]);", [first.weights.tolist(), second.weights.tolist()]
    )
    np.testing.assert_allclose(found, first.compose(second).weights)


def test_resizing_keeps_the_centre(lab: Lab) -> None:
    rows = lab(
        "kernels/kernel.js",
        "return [m.resized(a, 5), m.resized(m.resized(a, 5), 3), m.resized(a, 4)];",
        [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    )
    assert rows[0] == [[0] * 5, [0, 1, 2, 3, 0], [0, 4, 5, 6, 0], [0, 7, 8, 9, 0], [0] * 5]
    assert rows[1] == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert np.array(rows[2])[2, 2] == 5  # the centre of an even side is n // 2


PLANS = [
    {"mode": "one", "kernels": ["sharpen"]},
    {"mode": "one", "kernels": ["sobel-x"], "stride": 2, "dilation": 3, "border": "constant"},
    {"mode": "one", "kernels": ["emboss"], "operation": "convolution", "border": "valid", "stride": 3},
    {"mode": "one", "kernels": ["1 2; 3 4"], "border": "wrap", "pool": "max"},
    {"mode": "one", "kernels": ["gaussian"], "colour": "colour", "pool": "average", "window": 3},
    {"mode": "two", "kernels": ["box", "laplacian"], "stride": 2, "border": "replicate"},
    {"mode": "two", "kernels": ["emboss", "sobel-y"], "dilation": 2, "border": "valid", "pool": "max"},
    {"mode": "edges", "kernels": ["sobel-x", "sobel-y"]},
    {"mode": "edges", "kernels": ["scharr-x", "scharr-y"], "stride": 2, "pool": "max", "window": 3},
    {"mode": "edges", "kernels": ["prewitt-x", "prewitt-y"], "border": "valid", "pool": "average"},
]


def full_plan(plan: dict[str, Any]) -> dict[str, Any]:
    base = {
        "colour": "grey",
        "operation": "correlation",
        "stride": 1,
        "dilation": 1,
        "border": "reflect",
        "pool": "none",
        "window": 2,
    }
    return base | plan | {"kernels": [parse_kernel(text).weights.tolist() for text in plan["kernels"]]}


def python_answer(image: np.ndarray, plan: dict[str, Any]) -> np.ndarray:
    """What a plan comes to, with szem.kernels alone."""
    options = {"dilation": plan["dilation"], "border": plan["border"], "mode": plan["operation"]}
    picture = image if plan["colour"] == "colour" else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    kernels = [Kernel(rows) for rows in plan["kernels"]]
    if plan["mode"] == "edges":
        x, y = (convolve(picture, k, stride_px=plan["stride"], **options) for k in kernels)
        result = np.hypot(x, y)
    elif plan["mode"] == "two":
        result = convolve(convolve(picture, kernels[0], **options), kernels[1], stride_px=plan["stride"], **options)
    else:
        result = convolve(picture, kernels[0], stride_px=plan["stride"], **options)
    pool = {"none": lambda r, _: r, "max": max_pool, "average": average_pool}[plan["pool"]]
    return pool(result, plan["window"])


@pytest.mark.parametrize("plan", PLANS, ids=lambda p: "-".join(str(v) for v in p.values()))
def test_whole_plan_and_the_sum_at_each_pixel_are_those_of_szem_kernels(lab: Lab, plan: dict[str, Any]) -> None:
    image = np.random.default_rng(8).integers(0, 256, (19, 23, 3), dtype=np.uint8)
    given = full_plan(plan)
    body = (
        PLANE
        + """
      const { layersOf, outputNearest, pictureCentre } = await import('/js/kernels/explain.js');
      const { planesOf } = await import('/js/kernels/planes.js');
      const { lookAt } = await import('/js/kernels/look.js');
      const rgba = Uint8ClampedArray.from(a.rgba);
      const planes = m.runPlan(rgba, 19, 23, a.plan);
      const steps = m.stepsOf(19, 23, a.plan);
      const sources = planesOf(rgba, 19, 23, a.plan.mode === 'edges' ? 'grey' : a.plan.colour);
      const layers = layersOf(sources[0], a.plan);
      const lazy = [], sums = [], back = [];
      for (let y = 0; y < layers.last.height; y++) for (let x = 0; x < layers.last.width; x++) {
        lazy.push(layers.last.at(y, x));
        const centre = pictureCentre(layers, a.plan, y, x);
        const near = outputNearest(layers, a.plan, centre.y, centre.x);
        back.push(near.y === y && near.x === x);
        const seen = lookAt(sources, a.plan, centre, { part: 9, channel: 0 });
        sums.push(seen.explained.cells.reduce((sum, { value, weight }) => sum + value * weight, 0) - seen.explained.sum);
      }
      return { planes: planes.map(rowsOf), last: steps.at(-1), lazy, sums, back: back.every(Boolean) };"""
    )
    found = lab("kernels/plan.js", body, {"rgba": rgba(image), "plan": given})
    wanted = python_answer(image, given)
    planes = np.array(found["planes"])
    answer = np.moveaxis(planes, 0, -1) if given["colour"] == "colour" else planes[0]
    np.testing.assert_allclose(answer, wanted, atol=1e-2)
    assert (found["last"]["height"], found["last"]["width"]) == wanted.shape[:2]
    np.testing.assert_allclose(np.reshape(found["lazy"], wanted.shape[:2]), planes[0], atol=1e-2)
    assert np.abs(found["sums"]).max() < 1e-6
    assert found["back"], "pointing at the answer and back does not come to the same pixel"


def test_graphics_card_and_arrays_give_the_same_numbers_and_colours(lab: Lab) -> None:
    image = np.random.default_rng(9).integers(0, 256, (37, 41, 3), dtype=np.uint8)
    image[:9, :9] = 77  # an area without change, for the zeros
    body = """
      const { createArraysEngine } = await import('/js/kernels/engine-arrays.js');
      const card = m.createWebglEngine();
      if (!card) return null;
      const arrays = createArraysEngine();
      const rgba = Uint8ClampedArray.from(a.rgba);
      const source = { rgba, pixels: new ImageData(rgba, 41, 37), height: 37, width: 41 };
      const canvas = () => document.createElement('canvas');
      const pixels = (engine, view, zeros) => { const to = canvas(); engine.draw(to, view, { zeros });
        return to.getContext('2d').getImageData(0, 0, to.width, to.height).data; };
      const out = [];
      for (const plan of a.plans) {
        card.run(source, plan); arrays.run(source, plan);
        const [one, other] = [card.read(), arrays.read()];
        let worst = one.length === other.length ? 0 : Infinity;
        one.forEach((plane, k) => plane.data.forEach((v, i) => (worst = Math.max(worst, Math.abs(v - other[k].data[i])))));
        let colour = 0, differing = 0;
        const views = plan.mode === 'edges' ? ['strength', 'direction'] : ['clipped', 'signed'];
        for (const view of views) for (const zeros of [false, true]) {
          const [p, q] = [pixels(card, view, zeros), pixels(arrays, view, zeros)];
          if (p.length !== q.length) { colour = Infinity; continue; }
          p.forEach((v, i) => { const d = Math.abs(v - q[i]); colour = Math.max(colour, d); if (d > 2) differing++; });
        }
        out.push({ worst, colour, differing, size: [one[0].height, one[0].width, other[0].height, other[0].width] });
      }
      card.close();
      return out;"""
    found = lab("kernels/engine-webgl.js", body, {"rgba": rgba(image), "plans": [full_plan(plan) for plan in PLANS]})
    if found is None:
        pytest.skip("this Chromium has no WebGL2 with float textures")
    for plan, one in zip(PLANS, found, strict=True):
        assert one["size"][:2] == one["size"][2:], plan
        assert one["worst"] < 1e-2, (plan, one)
        assert one["differing"] == 0, (plan, one)


def test_frame_meter_counts_the_last_second(lab: Lab) -> None:
    body = """const meter = m.createFrameMeter();
      const before = meter.read();
      for (let i = 0; i <= 200; i++) meter.add(i * 20, i < 150 ? 9 : 4);
      return [before, meter.read()];"""
    before, after = lab("kernels/frame-meter.js", body)
    assert before == {"rate": 0, "tookMs": 0, "count": 0}
    assert after["rate"] == pytest.approx(50)
    assert after["tookMs"] == 4
    assert after["count"] == 51


def test_fraction_of_the_data_has_its_everyday_name(lab: Lab) -> None:
    shares = {1: "all", 0.25: "quarter", 0.2505: "quarter", 1 / 9: "ninth", 1 / 16: "sixteenth", 0.3: "", 0.97: ""}
    assert lab("kernels/sizes.js", "return a.map(m.shareName);", list(shares)) == list(shares.values())


def test_software_renderers_are_known_by_name(lab: Lab) -> None:
    names = {
        "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device))": True,
        "llvmpipe (LLVM 15)": True,
        "NVIDIA GeForce RTX 3060": False,
        "Mesa Intel(R) UHD": False,
    }
    assert lab("kernels/engine-webgl.js", "return a.map(m.isSoftware);", list(names)) == list(names.values())
