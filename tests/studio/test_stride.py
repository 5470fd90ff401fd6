"""Stride, pooling, locality: arithmetic against numpy, what the page shows against the server's own numbers."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from szem.media.samples import read_sample
from szem.tasks.explain.explain import Explorer
from szem.tasks.explain.receptive_field import StackLayer, pixels_seen
from szem.tasks.explain.shift_invariance import measure_shift

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
Lab = Callable[..., Any]

REDUCE = """
  const full = { data: Float32Array.from(a.data), height: a.height, width: a.width };
  return m.WAYS.map((way) => {
    const small = m.reducePlane(full, way, a.stride);
    const back = m.restorePlane(small, full, way, a.stride);
    return { way, small: Array.from(small.data), shape: [small.height, small.width], back: Array.from(back.data),
             psnr: m.psnrOf(full.data, back.data) };
  });
"""

READ_COSTS = """() => {
  const cells = (row) => [...row.children].map((cell) => cell.innerText);
  const said = document.querySelector("[data-name=cost-said]");
  return { rows: [...document.querySelectorAll(".cost tbody tr")].map(cells), said: said.innerText,
    times: Number(said.dataset.times), ms: [...document.querySelectorAll("[data-cost]")].map((e) => Number(e.dataset.ms)),
    bars: document.querySelectorAll(".cost .bar").length }; }"""


def _restore(small: np.ndarray, shape: tuple[int, int], stride: int, *, pooled: bool) -> np.ndarray:
    """Linear between the numbers, each at its place; np.interp holds the ends."""
    shift = (stride - 1) / 2 if pooled else 0.0
    rows, columns = (np.arange(n) * stride + shift for n in small.shape)
    wide = np.stack([np.interp(np.arange(shape[1]), columns, row) for row in small])
    return np.stack([np.interp(np.arange(shape[0]), rows, column) for column in wide.T], axis=1)


@pytest.mark.parametrize(("height", "width", "stride"), [(12, 16, 2), (13, 17, 3), (9, 9, 4), (8, 20, 8)])
def test_less_data_and_back_again_equals_numpy(lab: Lab, height: int, width: int, stride: int) -> None:
    plane = np.random.default_rng(height).uniform(0, 255, (height, width)).round(2)
    found = lab(
        "stride/restore.js",
        REDUCE,
        {"data": plane.ravel().tolist(), "height": height, "width": width, "stride": stride},
    )
    h, w = height // stride, width // stride
    tiles = plane[: h * stride, : w * stride].reshape(h, stride, w, stride)
    expected = {"skip": plane[::stride, ::stride], "max": tiles.max(axis=(1, 3)), "average": tiles.mean(axis=(1, 3))}
    for one in found:
        small = expected[one["way"]]
        assert one["shape"] == list(small.shape)
        np.testing.assert_allclose(one["small"], small.ravel(), atol=1e-3)
        back = _restore(small, plane.shape, stride, pooled=one["way"] != "skip")
        np.testing.assert_allclose(one["back"], back.ravel(), atol=1e-3)
        psnr = 10 * np.log10(255**2 / np.mean((plane - back) ** 2))
        assert one["psnr"] == pytest.approx(psnr, abs=1e-3)


def test_nothing_taken_away_is_nothing_lost(lab: Lab) -> None:
    found = lab("stride/restore.js", REDUCE, {"data": [1, 2, 3, 4], "height": 2, "width": 2, "stride": 1})
    assert [one["psnr"] for one in found] == [float("inf")] * 3


def test_pixels_seen_are_those_of_the_python_twin(lab: Lab) -> None:
    stacks = [
        [(3, 1, 1), (3, 1, 1)],
        [(3, 2, 1), (5, 1, 2), (3, 1, 1)],
        [(3, 1, 1), (3, 1, 2), (3, 1, 4), (3, 1, 8)],
        [(7, 1, 1)],
        [(3, 1, 4)] * 3,
    ]
    asked = [[{"kernel": k, "stride": s, "rate": r} for k, s, r in stack] for stack in stacks]
    found = lab("stride/restore.js", "return a.map((layers) => m.pixelsSeen(layers))", asked)
    for stack, counts in zip(stacks, found, strict=True):
        assert counts == pixels_seen([StackLayer(k, s, r) for k, s, r in stack]).tolist()


def test_axes_end_at_round_numbers_and_names_do_not_lie_on_each_other(lab: Lab) -> None:
    body = "return [[0.0731, 0.5, 0.95, 3.9, 12].map(m.niceTop), m.spread([100, 101, 40, 99], 15)]"
    tops, places = lab("stride/curves.js", body)
    assert tops == pytest.approx([0.08, 0.5, 1.0, 4.0, 12.0])
    assert sorted(places) == pytest.approx([40, 99, 114, 129])


def _number(text: str) -> float:
    return float(re.sub(r"[^\d.,\-]", "", text.replace("−", "-")).replace(",", "."))


@pytest.mark.parametrize("stride", [2, 3])
def test_the_page_shows_the_fraction_and_the_loss_of_its_picture(visit: Visit, stride: int) -> None:
    page = visit("stride", picture="coins", stride=stride)
    page.wait_for_selector("[data-name=psnr-skip][data-value]")
    grey = read_sample("coins").astype(np.float64)[..., 0]  # a grey picture: all channels are alike
    small = grey[::stride, ::stride]
    psnr = 10 * np.log10(255**2 / np.mean((grey - _restore(small, grey.shape, stride, pooled=False)) ** 2))
    assert float(page.locator("[data-name=psnr-skip]").get_attribute("data-value")) == pytest.approx(psnr, abs=0.02)
    assert float(page.locator("[data-name=share]").get_attribute("data-share")) == pytest.approx(1 / stride**2)
    text = {2: "A quarter of the data is left.", 3: "A ninth of the data is left."}[stride]
    assert page.locator("[data-name=share]").inner_text() == text
    size = page.locator("[data-name=size-skip]").inner_text()
    assert size.startswith(f"{small.shape[0]} × {small.shape[1]}")


def test_the_curves_are_what_the_network_measured(visit: Visit) -> None:
    page = visit("stride", picture="cat", shift=16)
    page.wait_for_selector("[data-name=said] output")
    explorer = Explorer()
    expected = measure_shift(explorer, read_sample("cat"))
    shown = [_number(t) for t in page.locator("[data-name=said] output").all_inner_texts()]
    assert shown[0] == pytest.approx(100 * expected.pooled_probability[16], abs=0.1)
    assert shown[1] == pytest.approx(100 * expected.single_probability[16], abs=0.1)
    changed = [_number(t) for t in page.locator("[data-name=said] small").all_inner_texts()]
    assert changed[0] == pytest.approx(100 * expected.pooled_distance[16], abs=0.1)
    assert page.locator(".curves path.curve").count() == 7
    page.locator("[data-name=shift] input").fill("0")
    assert _number(page.locator("[data-name=said] small").first.inner_text()) == 0


def test_what_a_neuron_sees_follows_the_controls_and_costs_are_measured(visit: Visit) -> None:
    page = visit("stride", layers=3, rate="4", kernel=3)
    assert page.locator("[data-fact=field]").inner_text() == "25 × 25"
    assert page.locator("[data-fact=seen]").inner_text() == "49"
    assert page.locator("[data-fact=gaps]").inner_text() == "576"
    page.locator("[data-name=stack-rate] label").first.click()
    assert page.locator("[data-fact=field]").inner_text() == "7 × 7"
    assert page.locator("[data-fact=gaps]").inner_text() == "nothing"
    page.wait_for_selector(".locality[data-measured]")
    large = page.locator("tr[data-stack=large] td").all_inner_texts()
    assert large[:3] == ["15 × 15", "225", "230,432"]  # 32 · 32 · 225 + 32
    times = [_number(row.locator("output").inner_text()) for row in page.locator("[data-name=stacks] tbody tr").all()]
    assert len(times) == 5
    assert min(times) > 0


def test_a_server_that_is_gone_is_reported_where_it_matters(visit: Visit) -> None:
    def cut(page: Any) -> None:
        page.route("**/v1/szem/lab/**", lambda route: route.abort())

    page = visit("stride", lang="hu", before=cut, expect=("Failed to load resource", "net::ERR"))
    page.wait_for_selector("[data-name=shift-problem] .message")
    assert "nem válaszol" in page.locator("[data-name=shift-problem]").inner_text()
    page.wait_for_selector("[data-name=psnr-skip][data-value]")  # what needs no server goes on


def test_the_cost_table_measures_three_kernels_and_says_what_the_atrous_one_saves(visit: Visit, lab: Lab) -> None:
    plane = np.random.default_rng(2).uniform(0, 255, (14, 17)).astype(np.float32)
    weights = np.linspace(-1, 1, 9)
    found = lab(
        "stride/cost.js",
        "return Array.from(m.correlate({ ...a.plane, data: Float32Array.from(a.plane.data) }, a.weights, 3, 4))",
        {"plane": {"data": plane.ravel().tolist(), "height": 14, "width": 17}, "weights": weights.tolist()},
    )
    wide = np.zeros((9, 9))
    wide[::4, ::4] = weights.reshape(3, 3)  # the atrous kernel is the dense one with holes
    tall, across = 14 - 8, 17 - 8
    expected = sum(wide[j, i] * plane[j : j + tall, i : i + across].astype(float) for j in range(9) for i in range(9))
    np.testing.assert_allclose(np.reshape(found, (tall, across)), expected, atol=1e-2)

    page = visit("stride")
    page.wait_for_selector("[data-name=cost-said][data-times]", state="attached")
    # read at once: the page measures again when another picture comes
    shown = page.evaluate(READ_COSTS)
    assert [row[1:3] for row in shown["rows"]] == [["3 × 3", "9"], ["9 × 9", "9"], ["9 × 9", "81"]]
    assert shown["bars"] == 3
    _, atrous, same_reach = shown["ms"]
    assert shown["times"] == pytest.approx(same_reach / max(atrous, 0.01))
    assert _number(re.findall(r"\d[\d.,]*", shown["said"])[0]) == pytest.approx(shown["times"], abs=0.051)


def test_times_of_a_slow_machine_fit_their_column(visit: Visit) -> None:
    page = visit("stride", lang="hu", browser={"viewport": {"width": 1366, "height": 768}})
    page.wait_for_selector("[data-name=cost-said][data-times]", state="attached")
    page.wait_for_selector(".locality[data-measured]")
    wide = page.evaluate("""() => [...document.querySelectorAll(".time output")].map((output) => {
      output.textContent = "123 456,7 ms";
      return output.scrollWidth - output.clientWidth; })""")
    assert len(wide) == 8
    assert max(wide) <= 0
