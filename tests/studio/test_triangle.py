"""Three edges make a triangle: the little network's arithmetic against numpy, what it claims, and the page."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
Lab = Callable[..., Any]

# A random network and a random picture, with all that was computed and the gradients of the loss.
WHOLE = """
  const { forward, backward, emptyNet, randomNet, shapeOf, lossOf } = m;
  const { seededRandom } = await import("/js/triangle/shapes.js");
  const random = seededRandom(a.seed);
  const net = randomNet(shapeOf({ side: 20, kernel2: 5, maps1: 3, maps2: 4 }), random);
  for (const k of ["b1", "b2", "b3"]) net.weights[k].forEach((_, i) => (net.weights[k][i] = random() * 0.2 - 0.05));
  const picture = Float32Array.from({ length: 400 }, random);
  const state = forward(net, picture);
  const grads = emptyNet(net.shape).weights;
  backward(net, state, a.label, grads);
  const plain = (o) => Object.fromEntries(Object.entries(o).map(([k, v]) => [k, Array.from(v)]));
  return { weights: plain(net.weights), grads: plain(grads), loss: lossOf(state, a.label),
           picture: Array.from(picture), a1: Array.from(state.a1),
           sum2: Array.from(state.sum2), scores: Array.from(state.scores) };
"""


def _loss(weights: dict[str, np.ndarray], picture: np.ndarray, label: int) -> tuple[float, dict[str, np.ndarray]]:
    """The same network in numpy, float64."""
    w1, w2 = weights["w1"].reshape(3, 5, 5), weights["w2"].reshape(4, 3, 5, 5)
    windows = sliding_window_view(picture.reshape(20, 20), (5, 5))  # (16, 16, 5, 5)
    a1 = np.maximum(np.einsum("yxij,kij->kyx", windows, w1) + weights["b1"][:, None, None], 0)
    pooled = a1.reshape(3, 8, 2, 8, 2).max(axis=(2, 4))
    windows = sliding_window_view(pooled, (5, 5), axis=(1, 2))  # (3, 4, 4, 5, 5)
    sum2 = np.einsum("cyxij,mcij->myx", windows, w2) + weights["b2"][:, None, None]
    strongest = np.maximum(sum2.max(axis=(1, 2)), 0)
    scores = weights["w3"].reshape(3, 4) @ strongest + weights["b3"]
    odds = np.exp(scores - scores.max())
    return float(-np.log(odds[label] / odds.sum())), {"a1": a1, "sum2": sum2, "scores": scores}


@pytest.mark.parametrize(("seed", "label"), [(1, 0), (2, 1), (3, 2)])
def test_forward_equals_numpy_and_backward_equals_differences(lab: Lab, seed: int, label: int) -> None:
    found = lab("triangle/net.js", WHOLE, {"seed": seed, "label": label})
    weights = {name: np.array(values, np.float64) for name, values in found["weights"].items()}
    picture = np.array(found["picture"], np.float64)
    loss, parts = _loss(weights, picture, label)
    assert found["loss"] == pytest.approx(loss, abs=1e-5)
    for name, expected in parts.items():
        np.testing.assert_allclose(found[name], expected.ravel(), atol=1e-5)
    rng = np.random.default_rng(seed)
    for name, values in weights.items():
        for i in rng.choice(values.size, min(values.size, 12), replace=False):
            kept, step = values[i], 1e-5
            values[i] = kept + step
            up = _loss(weights, picture, label)[0]
            values[i] = kept - step
            down = _loss(weights, picture, label)[0]
            values[i] = kept
            assert found["grads"][name][i] == pytest.approx((up - down) / (2 * step), abs=2e-4), (name, i)


def test_adam_with_decay_takes_the_steps_of_the_paper(lab: Lab) -> None:
    body = """
      const { createAdam, adamStep } = m;
      const net = { shape: { maps1: 1, kernel1: 1, maps2: 1, kernel2: 1, classes: 1 },
        weights: {} };
      const start = { w1: 1, b1: 1, w2: -2, b2: 0, w3: 0.5, b3: 0 };
      for (const [k, v] of Object.entries(start)) net.weights[k] = Float32Array.of(v);
      const adam = createAdam(net, { rate: 0.1, decay: 0.5 });
      for (const g of [0.3, -0.2, 0.1]) {
        adamStep(net, Object.fromEntries(Object.keys(start).map((k) => [k, Float32Array.of(g)])), adam);
      }
      return Object.fromEntries(Object.entries(net.weights).map(([k, v]) => [k, v[0]]));
    """
    found = lab("triangle/train.js", body)
    for name, start in {"w1": 1.0, "b1": 1.0, "w2": -2.0}.items():
        w, m, v = start, 0.0, 0.0
        for t, g in enumerate((0.3, -0.2, 0.1), start=1):
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            decay = 0.5 if name.startswith("w") else 0.0
            w -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8) + 0.1 * decay * w
        assert found[name] == pytest.approx(w, abs=1e-5)


# The answer of the network built by hand: its sum less what is needed.
BY_HAND = """
  const { forward } = await import("/js/triangle/net.js");
  const { drawShape, drawStroke } = await import("/js/triangle/shapes.js");
  const net = m.buildByHand();
  const best = (picture) => Math.max(...forward(net, picture).sum2);
  const board = () => new Float32Array(1600);
  return { shapes: a.shapes.map(([kind, options]) => best(drawShape(board(), 40, kind, options))),
           strokes: a.strokes.map((lines) =>
             best(lines.reduce((p, [from, to]) => drawStroke(p, 40, from, to), board()))) };
"""


def test_the_hand_built_neuron_answers_to_upright_triangles_anywhere_and_to_nothing_else(lab: Lab) -> None:
    places = [(12, 12), (20, 20.4), (21.3, 25.1), (27, 27), (27.3, 15)]
    yes = [["triangle", {"x": x, "y": y, "size": s}] for x, y in places for s in (16, 17, 19)]
    yes += [["triangle", {"x": 20, "y": 20, "size": 17, "turn": t * np.pi / 180}] for t in (-5, 5)]
    no = [
        [k, {"x": 20, "y": 20, "size": s, "turn": t}]
        for k in ("square", "circle")
        for s in (14, 17, 20)
        for t in (0, 0.5)
    ]
    no += [["triangle", {"x": 20, "y": 20, "size": 17, "turn": t * np.pi / 180}] for t in (30, 60, 180)]
    two_sides = [[[11, 27], [29, 27]], [[11, 27], [20, 12]]]
    third = [[29, 27], [20, 12]]
    found = lab("triangle/by-hand.js", BY_HAND, {"shapes": yes + no, "strokes": [two_sides, [*two_sides, third]]})
    assert min(found["shapes"][: len(yes)]) > 0, found["shapes"][: len(yes)]
    assert max(found["shapes"][len(yes) :]) < 0, found["shapes"][len(yes) :]
    assert found["strokes"][0] < 0 < found["strokes"][1]  # two sides are not enough, the third one decides


def test_line_kernels_add_up_to_zero_and_name_their_own_direction(lab: Lab) -> None:
    body = """return [0, 15, 45, 60, 90, 120].map((d) => {
      const k = m.lineKernel(d); return [d, Array.from(k), m.directionOf(k)]; })"""
    for degrees, kernel, found in lab("triangle/by-hand.js", body):
        assert sum(kernel) == pytest.approx(0, abs=1e-6)
        assert found["degrees"] == degrees
        assert found["choosiness"] > 0.8
    blob = lab("triangle/by-hand.js", "return m.directionOf(new Float32Array(25).fill(1))")
    assert blob["choosiness"] < 0.3


def test_shapes_are_what_they_are_called(lab: Lab) -> None:
    body = """const p = (kind, o) => Array.from(m.drawShape(new Float32Array(1600), 40, kind, o));
      return { circle: p("circle", { x: 20, y: 20, size: 16 }), square: p("square", { x: 20, y: 20, size: 16 }),
               corners: m.cornersOf("triangle", { x: 0, y: 0, size: 10 }) }"""
    found = lab("triangle/shapes.js", body)
    circle, square = (np.array(found[k]).reshape(40, 40) for k in ("circle", "square"))
    ys, xs = np.nonzero(circle > 0.6)
    np.testing.assert_allclose(np.hypot(ys - 19.5, xs - 19.5), 8, atol=0.8)
    ys, xs = np.nonzero(square > 0.6)
    np.testing.assert_allclose(np.maximum(abs(ys - 19.5), abs(xs - 19.5)), 8, atol=0.8)
    corners = np.array(found["corners"])
    np.testing.assert_allclose(np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1), 10)


@pytest.mark.slow
def test_a_network_learns_from_nothing_and_its_kernels_become_choosy(lab: Lab) -> None:
    body = """
      const { randomNet, shapeOf } = await import("/js/triangle/net.js");
      const { seededRandom } = await import("/js/triangle/shapes.js");
      const { directionOf } = await import("/js/triangle/by-hand.js");
      const random = seededRandom(7);
      const net = randomNet(shapeOf({ side: 32 }), random);
      const kernel = (k) => net.weights.w1.subarray(k * 25, k * 25 + 25);
      const choosy = () => Array.from({ length: 6 }, (_, k) => directionOf(kernel(k)).choosiness);
      const test = m.drawExamples(120, 32, seededRandom(99));
      const adam = m.createAdam(net);
      const before = m.scoreOn(net, test);
      for (let i = 0; i < 110; i++) m.trainBatch(net, adam, m.drawExamples(24, 32, random));
      return { before, after: m.scoreOn(net, test), choosy: choosy() };
    """
    found = lab("triangle/train.js", body)
    assert found["before"]["right"] < 0.6
    assert found["after"]["right"] > 0.95
    assert found["after"]["loss"] < 0.25 * found["before"]["loss"]
    assert sum(c > 0.35 for c in found["choosy"]) >= 4


def _number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "."))


def test_the_page_shows_a_triangle_and_says_why(visit: Visit) -> None:
    page = visit("triangle")
    assert page.locator("[data-name=verdict]").get_attribute("data-yes") == "true"
    parts = [_number(t) for t in page.locator("[data-name=why] .part output").all_inner_texts()]
    assert len(parts) == 3
    assert all(part > 0.5 for part in parts)
    products, bias, answer = (_number(t) for t in page.locator("[data-name=why] .sum-part output").all_inner_texts())
    assert products == pytest.approx(sum(parts), abs=0.02)
    assert answer == pytest.approx(products - bias, abs=0.011)
    page.locator("[data-name=kind] label").nth(1).click()  # square
    assert page.locator("[data-name=verdict]").get_attribute("data-yes") == "false"
    assert "kind=square" in page.url or page.wait_for_url(re.compile("kind=square")) is None


def test_a_shape_is_dragged_and_turned_and_the_address_follows(visit: Visit) -> None:
    page = visit("triangle")
    canvas = page.locator("[data-name=board] canvas")
    box = canvas.bounding_box()
    assert box is not None
    pixel = box["width"] / 40
    page.mouse.move(box["x"] + 21 * pixel, box["y"] + 20 * pixel)
    page.mouse.down()
    page.mouse.move(box["x"] + 16 * pixel, box["y"] + 24 * pixel, steps=3)
    page.mouse.up()
    page.wait_for_url(re.compile(r"x=160&y=244"))
    assert page.locator("[data-name=verdict]").get_attribute("data-yes") == "true"
    page.locator("[data-name=board]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile(r"x=170"))
    for _ in range(12):
        page.keyboard.press("PageUp")
    page.wait_for_url(re.compile(r"turn=60"))
    assert page.locator("[data-name=verdict]").get_attribute("data-yes") == "false"


def test_one_draws_a_triangle_by_hand(visit: Visit) -> None:
    page = visit("triangle", kind="draw")
    assert page.locator("[data-name=verdict]").get_attribute("data-yes") == "false"
    box = page.locator("[data-name=board] canvas").bounding_box()
    assert box is not None
    pixel = box["width"] / 40
    corners = [(20, 10.2), (28.5, 25), (11.5, 25), (20, 10.2)]
    page.mouse.move(box["x"] + corners[0][0] * pixel, box["y"] + corners[0][1] * pixel)
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(box["x"] + x * pixel, box["y"] + y * pixel, steps=8)
    page.mouse.up()
    assert page.locator("[data-name=verdict]").get_attribute("data-yes") == "true"
    page.click("[data-name=clear]")
    assert page.locator("[data-name=verdict]").get_attribute("data-yes") == "false"


def test_pointing_at_layer_one_shows_25_products_that_add_up(visit: Visit) -> None:
    page = visit("triangle", lang="hu")
    place = page.locator("[data-map='1-0']")
    place.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    grids = page.locator("[data-name=why] .patch-grid")
    inputs, weights = ([_number(t) for t in grids.nth(k).locator(".num").all_inner_texts()] for k in (0, 1))
    assert len(inputs) == len(weights) == 25
    products, bias, answer = (_number(t) for t in page.locator("[data-name=why] .sum-part output").all_inner_texts())
    assert sum(i * w for i, w in zip(inputs, weights, strict=True)) == pytest.approx(products, abs=0.06)
    assert answer == pytest.approx(max(0.0, products - bias), abs=0.011)


@pytest.mark.slow
def test_a_network_trains_on_the_page_and_is_tried_on_the_board(visit: Visit) -> None:
    page = visit("triangle", kernels=4)
    page.click("[data-name=train]")
    page.wait_for_function(
        "() => Number(document.querySelector('[data-name=progress]').dataset.step) >= 4", timeout=60_000
    )
    assert page.locator("[data-name=kernels] canvas").count() == 4
    page.click("[data-name=use]")
    page.click("[data-name=train]")  # stop, long before it is done
    page.wait_for_url(re.compile("net=learned"))
    assert page.locator("[data-name=answer] .class-row").count() == 3
    shares = [_number(t.rstrip("%")) for t in page.locator("[data-name=answer] output").all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=2)
    before = page.locator("[data-name=progress]").get_attribute("data-step")
    page.wait_for_timeout(800)
    assert page.locator("[data-name=progress]").get_attribute("data-step") == before
