"""The segment page against szem's own tasks: classes, areas, outlines, live pictures, and the rates of the pyramid."""

import base64
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import szem
from szem.media.samples import read_sample
from szem.media.video_writer import VideoWriter
from szem.runtime.graph_fields import trace_back
from szem.tasks.explain.explain import Explorer

from .seeing import in_address, set_slider, settle, still, until

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
Lab = Callable[..., Any]
ANSWERED = "Number(document.querySelector('main').dataset.answered ?? 0)"
PROBLEM = "[data-name=answer-problem] .message"


def wait_answered(page: Any, count: int = 1) -> None:
    until(page, f"{ANSWERED} >= {count}")
    settle(page)


def shares_of(page: Any) -> dict[str, float]:
    rows = page.locator(".area-row").evaluate_all("all => all.map((e) => [e.dataset.label, e.dataset.share])")
    return {label: float(share) for label, share in rows}


# --- pure functions ---------------------------------------------------------------------------------------------------


def test_only_the_newest_question_waits_and_one_is_asked_at_a_time(lab: Lab) -> None:
    body = """
      const seen = []; let inside = 0, most = 0; const doors = [];
      const asker = m.createAsker(async (n) => { seen.push(n); most = Math.max(most, ++inside);
        await new Promise((open) => doors.push(open)); inside--; });
      for (let n = 0; n < 5; n++) asker.ask(n);
      doors.shift()(); await new Promise((r) => setTimeout(r));
      asker.ask(5); asker.ask(6); doors.shift()(); await new Promise((r) => setTimeout(r));
      asker.ask(7); asker.close(); doors.shift()(); await new Promise((r) => setTimeout(r));
      return [seen, most];"""
    assert lab("asker.js", body) == [[0, 4, 6], 1]


def test_classes_are_painted_in_their_colours_with_a_line_between_them(lab: Lab) -> None:
    body = """
      const map = { width: 4, height: 2, values: Uint8Array.from(a.values) };
      const classes = [{ index: 0, color: '#000000' }, { index: 1, color: '#ff0010' }, { index: 2, color: '#00ff00' }];
      const paint = (how) => { const rgba = new Uint8ClampedArray(32); m.paintClasses(map, rgba, { classes, ...how });
        return Array.from({ length: 8 }, (_, i) => [...rgba.slice(4 * i, 4 * i + 4)]); };
      return [paint({ hidden: [0] }), paint({ hidden: [0], only: 2 }), m.classAt(map, 0.99, 0.99), m.classAt(map, 0, 0)];"""
    all_of_them, only_two, last, first = lab("segment/class-map.js", body, {"values": [0, 0, 1, 1, 0, 0, 1, 2]})
    clear, red, green, line = [0, 0, 0, 0], [255, 0, 16, 255], [0, 255, 0, 255], [22, 22, 15, 255]
    assert all_of_them == [clear, line, red, line, clear, line, line, green]
    assert only_two == [clear, clear, clear, line, clear, clear, line, green]
    assert (last, first) == (2, 0)


def test_a_grey_png_comes_back_byte_for_byte(lab: Lab) -> None:
    values = np.random.default_rng(4).integers(0, 256, (13, 21), dtype=np.uint8)
    body = "const r = await m.readGreyPng(a); return { ...r, values: [...r.values] };"
    data = base64.b64encode(cv2.imencode(".png", values)[1].tobytes()).decode()
    assert lab("segment/class-map.js", body, data) == {"width": 21, "height": 13, "values": values.ravel().tolist()}


def test_a_box_is_cut_to_the_picture_and_a_mere_press_is_none(lab: Lab) -> None:
    cases = [[[50, 40], [10, 5]], [[-9, -9], [30, 30]], [[90, 10], [200, 99]], [[10, 10], [12, 40]]]
    found = lab("segment/class-map.js", "return a.map(([p, q]) => m.boxBetween(p, q, 100, 60))", cases)
    assert found == [[10, 5, 50, 40], [0, 0, 30, 30], [90, 10, 100, 60], None]


@pytest.fixture(scope="module", params=["road", "things"])
def network(request: pytest.FixtureRequest) -> Explorer:
    return Explorer(str(request.param))


def test_the_rates_and_the_places_of_their_taps_are_those_of_the_exported_network(
    lab: Lab, network: Explorer
) -> None:
    """Against the graph itself: walk back from each branch's cell to the maps that the pyramid reads."""
    rows = json.loads(json.dumps([asdict(row) for row in network.rows]))
    body = """return m.pyramidOf(a).map((b) => ({ index: b.layer.index, rate: b.rate,
      cells: [[3, 4], [0, 0]].map(([row, column]) => m.tapsOfCell(b, { row, column })) }))"""
    branches = lab("segment/pyramid.js", body, rows)
    dilated = sorted(
        {max(row.dilation) for row in network.rows if row.dilation and row.kernel and max(row.kernel) > 1} - {1}
    )
    rates = [branch["rate"] for branch in branches]
    assert rates == sorted(rates)
    assert set(dilated) & set(rates), "the atrous layers are in the pyramid"
    for branch in branches:
        layer = network.layers[branch["index"]]
        row = layer.row
        for (y, x), taps in zip(((3, 4), (0, 0)), branch["cells"], strict=True):
            region = ((0, 0), (0, row.output_shape[0] - 1), (y, y), (x, x))
            seen = trace_back(network.probe, layer.output, region, to=layer.sources[0], clip=False)
            assert seen is not None
            assert (seen[2], seen[3]) == (
                (min(t["row"] for t in taps), max(t["row"] for t in taps)),
                (min(t["column"] for t in taps), max(t["column"] for t in taps)),
            )
            middle = taps[len(taps) // 2]
            centre = [(middle["y0"] + middle["y1"]) / 2 - 0.5, (middle["x0"] + middle["x1"]) / 2 - 0.5]
            wanted = [c + p * j for c, p, j in zip(row.centre_px, (y, x), row.field_stride_px, strict=True)]
            assert centre == pytest.approx(wanted)
            assert middle["x1"] - middle["x0"] == pytest.approx(row.field_stride_px[1])
            rows_in, columns_in = row.output_shape[1:]
            inside = [0 <= t["row"] < rows_in and 0 <= t["column"] < columns_in for t in taps]
            assert [t["inside"] for t in taps] == inside


def test_input_and_picture_are_one_place_there_and_back(lab: Lab) -> None:
    body = """const crop = [0, -60, 480, 420], size = [288, 288], picture = { width: 480, height: 360 };
      return [m.pictureToInput(0.5, 0.5, size, crop, picture), m.inputToPicture(0, 36, size, crop, picture),
              m.inputToPicture(...m.pictureToInput(0.3, 0.9, size, crop, picture), size, crop, picture)];"""
    middle, corner, back = lab("segment/pyramid.js", body)
    assert middle == pytest.approx([144, 144])
    assert corner == pytest.approx([0, 0])
    assert back == pytest.approx([0.3, 0.9])


# --- the page ---------------------------------------------------------------------------------------------------------


def test_areas_colours_and_names_are_those_szem_finds(visit: Visit) -> None:
    picture = read_sample("cat")
    wanted = szem.segment(picture, model="things")
    page = visit("segment", picture="cat", opacity=100)
    wait_answered(page)
    assert shares_of(page) == pytest.approx({area.label: area.fraction for area in wanted.areas}, abs=1e-6)
    layer = page.locator(".class-layer").evaluate(
        "(c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    rgba = np.array(layer, np.uint8).reshape(*picture.shape[:2], 4)
    line = (rgba[..., :3] == (22, 22, 15)).all(axis=2)
    background = wanted.class_map == wanted.classes.index("background")
    assert (rgba[background & ~line, 3] == 0).all()
    for area in wanted.areas:
        here = (wanted.class_map == area.index) & ~line
        assert (rgba[here, :3] == area.rgb).all()

    y, x = np.argwhere((wanted.class_map == wanted.classes.index("cat")) & ~line)[1000]
    box = page.locator("[data-name=picture] canvas").first.bounding_box()
    assert box is not None
    height, width = picture.shape[:2]
    page.mouse.move(box["x"] + box["width"] * (x + 0.5) / width, box["y"] + box["height"] * (y + 0.5) / height)
    settle(page)
    cat = next(area for area in wanted.areas if area.label == "cat")
    assert page.locator("[data-name=under-pointer]").inner_text() == f"cat · confidence {cat.confidence:.0%}"
    page.mouse.move(2, 2)
    settle(page)
    assert page.locator("[data-name=under-pointer]").is_hidden()


def test_a_row_shows_its_class_alone_and_the_arrow_keys_name_places_in_hungarian(visit: Visit) -> None:
    page = visit("segment", picture="cat", lang="hu")
    wait_answered(page)
    filled = "(c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 === 3 && v).length"
    row = page.locator(".area-row[data-label=cat]")
    assert "macska" in row.inner_text()
    before = page.locator(".class-layer").evaluate(filled)
    row.click()
    assert row.get_attribute("aria-pressed") == "true"
    settle(page)
    assert 0 < page.locator(".class-layer").evaluate(filled) <= before
    in_address(page, "only=cat")
    row.click()
    assert row.get_attribute("aria-pressed") == "false"
    page.locator("[data-name=picture]").focus()
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert page.locator("[data-name=under-pointer]").inner_text().startswith("macska · konfidencia:")


def test_model_and_opacity_are_chosen_and_travel_in_the_address(visit: Visit) -> None:
    page = visit("segment", picture="coffee")
    wait_answered(page)
    before = page.evaluate(ANSWERED)
    page.locator("[data-name=model] label", has_text="Road").click()
    wait_answered(page, before + 1)
    wanted = szem.segment(read_sample("coffee"), model="road")
    assert shares_of(page) == pytest.approx({area.label: area.fraction for area in wanted.areas}, abs=1e-6)
    set_slider(page, "opacity", 30)
    assert page.locator(".class-layer").evaluate("(c) => getComputedStyle(c).opacity") == "0.3"
    in_address(page, "model=road", "opacity=30")
    assert "model=road" in page.locator("[data-name=code]").inner_text()


def test_a_dragged_box_is_outlined_as_szem_outlines_it(visit: Visit) -> None:
    picture = read_sample("astronaut")
    page = visit("segment", picture="astronaut", mode="box")
    wait_answered(page)
    frame = page.locator("[data-name=picture] canvas").first.bounding_box()
    assert frame is not None
    scale = frame["width"] / picture.shape[1]

    def to(x: float, y: float) -> tuple[float, float]:
        return frame["x"] + x * scale, frame["y"] + y * scale

    before = page.evaluate(ANSWERED)
    page.mouse.move(*to(100, 20))
    page.mouse.down()
    page.mouse.move(*to(300, 300), steps=3)
    page.mouse.move(*to(420, 500))
    page.mouse.up()
    wait_answered(page, before + 1)
    in_address(page, "box=")
    written = page.evaluate("location.hash").split("box=")[1].split("&")[0]
    box = [float(v) for v in written.split(",")]
    assert box == pytest.approx([100, 20, 420, 500], abs=2)
    wanted = szem.outline(picture, [box])
    said = page.locator("[data-name=outline]").inner_text()
    fill = wanted.masks[0].sum() / ((box[2] - box[0]) * (box[3] - box[1]))
    assert said == f"The object fills {fill:.0%} of its box; confidence {wanted.confidence[0]:.0%}."
    shown = page.locator(".outline-layer").evaluate(
        "(c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    alpha = np.array(shown, np.uint8).reshape(*picture.shape[:2], 4)[..., 3] > 0
    grown = cv2.dilate(wanted.masks[0].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert (wanted.masks[0] <= alpha).all(), "all of the object is marked"
    assert (alpha <= grown).all(), "and nothing but it and its line"

    page.locator("[data-name=picture]").focus()
    page.keyboard.press("Escape")
    settle(page)
    assert page.locator(".scene .box").count() == 0
    before = page.evaluate(ANSWERED)
    page.keyboard.press("Shift+ArrowLeft")
    wait_answered(page, before + 1)
    assert page.locator(".scene .box").count() == 1


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that looks at the cat, then at the coffee."""
    path = tmp_path_factory.mktemp("film") / "both.mp4"
    with VideoWriter(path, rate_hz=10) as writer:
        for name in ("cat", "coffee"):
            for _ in range(15):
                writer.write(cv2.resize(read_sample(name), (320, 240)).astype(np.uint8))
    return path


def test_a_video_is_answered_frame_by_frame_one_request_at_a_time(visit: Visit, video: Path) -> None:
    # counted in the page itself: what a browser reports of its requests comes in no certain order
    count = """window.flying = { now: 0, most: 0, asked: 0 }; const plain = window.fetch;
      window.fetch = async (...given) => {
        if (!String(given[0]).includes('/v1/szem/segment')) return plain(...given);
        flying.asked++; flying.most = Math.max(flying.most, ++flying.now);
        try { return await plain(...given); } finally { flying.now--; } };"""
    page = visit("segment", before=lambda p: p.add_init_script(count), picture="coffee")
    wait_answered(page)
    page.locator("[data-name=file]").set_input_files(video)
    until(page, "document.querySelector('.area-row[data-label=cat]')")
    wait_answered(page, page.evaluate(ANSWERED) + 4)
    assert page.evaluate("flying.most") == 1
    assert "frames a second" in page.locator("[data-name=timing]").inner_text()
    assert float(page.locator("[data-name=timing]").get_attribute("data-rate")) > 0
    page.click("[data-name=play]")
    until(page, "document.querySelector('[data-name=play]').ariaLabel === 'Play'")
    still(page, "flying.asked + flying.now", rest_s=1)  # a held video asks nothing more
    set_slider(page, "film-place", 200)
    until(page, "document.querySelector('.area-row[data-label=cat]')")
    set_slider(page, "film-place", 900)
    until(page, "!document.querySelector('.area-row[data-label=cat]')")


def test_what_goes_wrong_is_said_beside_the_areas_and_the_next_picture_is_asked_about(visit: Visit) -> None:
    page = visit("segment", picture="cat", fresh=True, expect=("status of 429", "ERR_FAILED"))
    wait_answered(page)
    page.route("**/v1/szem/segment*", lambda r: r.fulfill(status=429, headers={"Retry-After": "3"}, body="{}"))
    page.locator(".thumb").nth(3).click()
    page.wait_for_selector(PROBLEM)
    assert "Try again in 3 s." in page.locator(PROBLEM).inner_text()
    page.unroute("**/v1/szem/segment*")
    page.route("**/v1/szem/segment*", lambda r: r.abort())
    page.locator(".thumb").nth(4).click()
    until(page, f"document.querySelector('{PROBLEM}')?.innerText.includes('does not answer')")
    page.unroute("**/v1/szem/segment*")
    page.locator(".thumb").nth(2).click()
    until(page, f"!document.querySelector('{PROBLEM}')")


def test_rates_are_shown_on_the_picture_for_the_chosen_pixel(visit: Visit) -> None:
    page = visit("segment", picture="cat", model="things")
    wait_answered(page)
    page.locator("#atrous-title").scroll_into_view_if_needed()  # the lab is asked when the panel is near the screen
    page.locator("[data-name=atrous]").scroll_into_view_if_needed()
    until(page, "document.querySelectorAll('.atrous-marks .tap').length > 0")
    rates = page.locator("[data-name=atrous-table] tbody tr").evaluate_all("all => all.map((e) => e.dataset.rate)")
    assert len(rates) >= 2
    assert page.locator(".atrous-marks .tap").count() == 9 * len(rates)
    page.locator("[data-name=rate] label").nth(len(rates)).click()
    assert page.locator(".atrous-marks .tap").count() == 9
    page.locator("[data-name=atrous]").focus()
    cell = page.locator(".atrous-marks").get_attribute("data-cell")
    for _ in range(60):
        page.keyboard.press("ArrowLeft")
    assert page.locator(".atrous-marks").get_attribute("data-cell") != cell
    assert page.locator(".atrous-marks .tap.beyond").count() >= 3
    assert "inside the maps" in page.locator("[data-name=atrous-sentence]").inner_text()
    until(page, "!document.querySelector('[data-name=atrous-table]').innerText.includes('…')")
    in_address(page, "at=0.000,0.500", f"rate={rates[-1]}")
    page.click("[data-name=open-layer]")
    page.wait_for_selector("html[data-ready=network]", state="attached")
    assert "network=things" in page.url


def test_each_model_shows_the_moving_sample_that_it_is_for(visit: Visit) -> None:
    page = visit("segment", model="things")
    wait_answered(page)
    assert "/samples/" not in page.locator("[data-name=code]").inner_text()  # what the server does not hand out
    page.locator("[data-name=model] label", has_text="Road").click()
    page.wait_for_selector(".thumb[data-name=street][aria-pressed=true]")
    in_address(page, "model=road", "picture=street")
    for name in ("road", "building", "tree", "sky", "car", "pavement"):
        until(page, f"document.querySelector('.area-row[data-label={name}]')")
    page.locator("[data-name=model] label", has_text="Objects").click()
    page.wait_for_selector(".thumb[data-name=moving][aria-pressed=true]")
