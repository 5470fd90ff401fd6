"""The recognise page: what it shows is what the server answers, and the lines it gives run."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import szem
from szem.media.samples import read_sample, sample_path

from .seeing import canvas_of, in_address, set_slider, until

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
ANSWER_PROBLEM = "[data-name=answer-problem] .message"


def rows_of(page: Any) -> list[tuple[str, float]]:
    rows = page.locator(".label-row").evaluate_all(
        "all => all.map((e) => [e.dataset.label, Number(e.dataset.score)])"
    )
    return [(name, score) for name, score in rows]


def test_labels_bars_map_colours_crops_and_json_are_the_servers(visit: Visit) -> None:
    page = visit("recognise", picture="cat")
    page.wait_for_selector(".label-row")
    wanted = szem.classify(read_sample("cat"), top=10, maps=True)
    shown = rows_of(page)
    assert [name for name, _ in shown] == list(wanted.names[: len(shown)])
    assert [score for _, score in shown] == pytest.approx(wanted.scores[: len(shown)].tolist(), abs=0.02)
    widths = page.locator(".label-row").evaluate_all(
        "all => all.map((e) => Number(e.style.getPropertyValue('--share')))"
    )
    assert widths == [score for _, score in shown]

    height, width = wanted.maps[wanted[0].index].values.shape
    assert page.locator("canvas.heat").get_attribute("data-cells") == f"{width}x{height}"
    x0, _, x1, _ = wanted.maps[wanted[0].index].box_xyxy
    box, frame = (page.locator(s).bounding_box() for s in ("canvas.heat", "[data-name=picture] canvas:first-child"))
    assert box is not None
    assert frame is not None
    assert box["width"] / frame["width"] == pytest.approx((x1 - x0) / 451, abs=0.01)
    first = canvas_of(page, "canvas.heat")
    page.locator(".label-row").nth(2).click()
    assert page.locator(".label-row[aria-pressed=true]").get_attribute("data-label") == shown[2][0]
    assert (canvas_of(page, "canvas.heat") != first).any()
    set_slider(page, "opacity", 20)
    assert page.locator("canvas.heat").evaluate("e => getComputedStyle(e).opacity") == "0.2"

    raw = json.loads(page.locator("[data-name=raw]").inner_text())
    one = raw["responses"][0]
    # Words for several classes, such as "cat", stand between the classes.
    names = [label["description"] for label in one["labelAnnotations"]]
    likely = [name for name, score in shown if score >= 0.05]
    assert [name for name in names if name in likely] == likely
    colours = one["imagePropertiesAnnotation"]["dominantColors"]["colors"]
    assert page.locator(".colour").count() == len(colours)
    widest = max(colours, key=lambda c: c.get("pixelFraction", 0))["color"]
    assert page.locator(".colour").first.get_attribute("data-hex") == "#" + "".join(
        f"{round(widest.get(c, 0)):02x}" for c in ("red", "green", "blue")
    )
    hints = one["cropHintsAnnotation"]["cropHints"]
    for k, hint in enumerate(hints):
        choice = page.locator(".crop-choice").nth(k)
        corner = hint["boundingPoly"]["vertices"]
        x, y, w, h = (float(v) for v in (choice.get_attribute("data-box") or "").split(","))
        assert (x, y) == (corner[0].get("x", 0), corner[0].get("y", 0))
        assert (x + w, y + h) == (corner[2]["x"], corner[2]["y"])
    page.locator(".crop-choice").nth(3).click()
    assert page.locator(".crop-choice[aria-pressed=true]").get_attribute("data-ratio") == "9 : 16"
    assert page.locator(".crop-marks .crop").is_visible()
    assert not page.locator("canvas.heat").is_visible()
    in_address(page, "picture=cat", "over=crop", "ratio=3", "label=2", "opacity=20")


def test_lines_to_copy_run_and_name_the_same_objects(visit: Visit, tmp_path: Path) -> None:
    page = visit("recognise", picture="coffee")
    page.wait_for_selector(".label-row")
    best = rows_of(page)[0][0]
    (tmp_path / "coffee.png").write_bytes(sample_path("coffee").read_bytes())

    def code(version: int) -> str:
        page.locator("[data-name=code-version] label").nth(version).click()
        return page.locator("[data-name=code]").inner_text()

    def run(command: list[str]) -> str:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    if shutil.which("curl") and shutil.which("bash"):
        answer = json.loads(run(["bash", "-c", code(0)]))
        assert best in [label["description"] for label in answer["responses"][0]["labelAnnotations"]]
        assert answer["responses"][0]["cropHintsAnnotation"]["cropHints"]
    assert run([sys.executable, "-c", code(2)]).splitlines()[0].endswith(best)
    assert (tmp_path / "where-it-looked.png").is_file()
    pytest.importorskip("google.cloud.vision", reason="the line for Google's client needs google-cloud-vision")
    assert run([sys.executable, "-W", "ignore", "-c", code(1)]).splitlines()[0].endswith(("food", best))


def test_camera_is_recognised_again_and_again(visit: Visit) -> None:
    page = visit("recognise", fresh=True)
    page.wait_for_selector(".label-row")
    page.click("[data-name=camera]")
    until(page, "document.querySelector('[data-name=camera].active')")
    for _ in range(3):
        with page.expect_request("**/v1/images:annotate"):
            pass
    page.click("[data-name=camera]")
    until(page, "!document.querySelector('[data-name=camera].active')")
    assert page.locator(".label-row").count() > 0


@pytest.mark.parametrize(
    ("status", "headers", "language", "said"),
    [
        (429, {"Retry-After": "7"}, "en", "The server is busy. Try again in 7 s."),
        (413, {}, "hu", "A kép túl nagy a szervernek."),
        (503, {}, "en", "The server failed (503)."),
        (501, {}, "hu", "Ez a szerver ezt még nem tudja."),
        (400, {}, "en", "The server did not take the picture. Try another one. (a reason)"),
        (0, {}, "hu", "A szerver nem válaszol."),
    ],
)
def test_what_goes_wrong_is_said_beside_the_labels(
    visit: Visit, status: int, headers: dict[str, str], language: str, said: str
) -> None:
    page = visit("recognise", lang=language, expect=("Failed to load resource", "net::ERR"))
    page.wait_for_selector(".label-row")

    def answer(route: Any) -> None:
        if status == 0:
            route.abort()
        else:
            route.fulfill(status=status, headers=headers, json={"error": {"code": status, "message": "a reason"}})

    page.route("**/v1/images:annotate", answer)
    try:
        page.locator(".thumb").nth(3).click()
        page.wait_for_selector(ANSWER_PROBLEM)
        assert said in page.locator(ANSWER_PROBLEM).inner_text()
    finally:
        page.unroute("**/v1/images:annotate")
    page.locator(".thumb").nth(4).click()
    until(page, f"!document.querySelector('{ANSWER_PROBLEM}')")


def test_heat_and_crop_read_any_answer(lab: Callable[..., Any]) -> None:
    body = """return [m.boxOf({ vertices: [{}, { x: 9 }, { x: 9, y: 4 }, { y: 4 }] }), m.boxOf(undefined), m.boxOf({}),
      m.coloursOf({}), m.cropsOf({}), m.ownLabels({}),
      m.ownLabels({ labels: [{ name: 'a', score: 0.5, map: [[-1, 2], [0, 4]], map_box_xyxy: [1, 2, 5, 8] }] })]"""
    assert lab("recognise/answer.js", body) == [
        {"x": 0, "y": 0, "width": 9, "height": 4},
        None,
        None,
        [],
        [],
        [],
        [
            {
                "name": "a",
                "score": 0.5,
                "map": {"rows": [[0, 0.5], [0, 1]], "box": {"x": 1, "y": 2, "width": 4, "height": 6}},
            }
        ],
    ]


def test_heat_grows_lighter_all_the_way(lab: Callable[..., Any]) -> None:
    colours = np.array(lab("colours.js", "return Array.from({ length: 64 }, (_, k) => m.heatColour(k / 63));"))
    light = colours @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) > 0).all()
