"""The detect page in a real browser: boxes over pictures, videos and the camera, numbers, counts, choices."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from szem.media.drawing import color_of
from szem.media.pictures import encode_picture
from szem.media.video_writer import VideoWriter

from .seeing import canvas_of, in_address, set_slider, until

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
THINGS = "[data-name=things] li"
GREY = 40


def scene(x: int = 32, *, blue: bool = True) -> np.ndarray:
    picture = np.full((192, 256, 3), GREY, np.uint8)
    picture[16:96, x : x + 80] = (255, 0, 0)
    if blue:
        picture[96:176, 160:240] = (0, 0, 255)
    return picture


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds: a red square goes slowly to the right and back; a blue one stands."""
    path = tmp_path_factory.mktemp("film") / "squares.mp4"
    with VideoWriter(path, rate_hz=15, quality=6) as writer:
        for k in range(60):
            writer.write(scene(32 + 2 * min(k, 60 - k)))
    return path


def give(page: Any, name: str, data: bytes) -> None:
    page.locator("[data-name=file]").set_input_files({"name": name, "mimeType": "image/png", "buffer": data})


def texts(page: Any) -> list[str]:
    return page.locator(THINGS).all_inner_texts()


def wait_frames(page: Any, count: int) -> None:
    until(page, f"Number(document.querySelector('main').dataset.frames ?? 0) >= {count}")


def coloured(page: Any, rgb: tuple[int, int, int]) -> tuple[float, float, float, float] | None:
    """Where a colour is on the drawing, as shares of its sides: left, top, right, bottom."""
    drawing = canvas_of(page, "[data-name=boxes]").astype(int)
    rows, columns = np.nonzero(np.abs(drawing - rgb).max(2) <= 6)
    if not len(rows):
        return None
    height, width = drawing.shape[:2]
    return columns.min() / width, rows.min() / height, columns.max() / width, rows.max() / height


def test_a_picture_gets_boxes_where_objects_are(visit: Visit) -> None:
    page = visit("detect", picture="cat", fresh=True, model="squares")
    give(page, "a.png", encode_picture(scene()))
    until(page, f"document.querySelectorAll('{THINGS} output').length === 2")
    assert sorted(text.split()[0] for text in texts(page)) == ["blue", "red"]
    left, _, right, bottom = coloured(page, color_of(0)) or (0, 0, 0, 0)  # red is the first class
    assert left == pytest.approx(32 / 256, abs=0.02)
    assert right >= 112 / 256 - 0.02
    assert bottom == pytest.approx(96 / 192, abs=0.03)
    assert "ms from picture to box" in page.locator("[data-name=meter]").inner_text()


def test_classes_and_threshold_choose_and_go_into_the_address(visit: Visit) -> None:
    page = visit("detect", picture="cat", fresh=True, model="squares")
    give(page, "a.png", encode_picture(scene()))
    until(page, f"document.querySelectorAll('{THINGS} output').length === 2")
    assert [chip.split()[0] for chip in page.locator(".class-chip").all_inner_texts()] == ["red", "green", "blue"]
    page.click(".class-chip[data-name=blue]")
    until(page, f"document.querySelectorAll('{THINGS} output').length === 1")
    assert texts(page)[0].startswith("blue")
    page.click(".class-chip[data-name=blue]")
    until(page, f"document.querySelectorAll('{THINGS} output').length === 2")
    page.click(".class-chip[data-name=green]")
    until(page, f"document.querySelector('{THINGS}').innerText === 'No object of its classes.'")
    set_slider(page, "threshold", 60)
    in_address(page, "classes=green", "threshold=60")


def test_a_link_may_name_classes_as_pascal_voc_does(visit: Visit) -> None:
    page = visit("detect", picture="cat", fresh=True, classes="aeroplane,cat,unknown")
    until(page, "document.querySelectorAll('.class-chip').length === 80")
    pressed = page.locator(".class-chip[aria-pressed=true]")
    assert sorted(chip.get_attribute("data-name") or "" for chip in pressed.all()) == ["airplane", "cat"]


def test_outlines_take_the_place_of_boxes(visit: Visit) -> None:
    page = visit("detect", picture="cat", fresh=True, model="squares")
    give(page, "a.png", encode_picture(scene(blue=False)))
    until(page, f"document.querySelectorAll('{THINGS} output').length === 1")
    before = canvas_of(page, "[data-name=boxes]")
    page.locator("[data-name=outlines] input").check()
    until(page, "document.querySelector('main').dataset.outlines === '1'")
    after = canvas_of(page, "[data-name=boxes]")
    inside = (
        slice(*(round(after.shape[0] * share) for share in (0.2, 0.4))),
        slice(*(round(after.shape[1] * share) for share in (0.2, 0.35))),
    )
    assert not before[inside].any()
    assert after[inside].any()  # the thing is tinted


def test_a_video_is_followed_and_counted(visit: Visit, video: Path) -> None:
    page = visit("detect", picture="cat", fresh=True, model="squares")
    page.locator("[data-name=file]").set_input_files(video)
    wait_frames(page, 25)
    until(page, "document.querySelectorAll('.count-lines path').length === 2")
    rows = texts(page)
    assert sorted(text.split()[0] for text in rows) == ["blue", "red"]
    assert all(text.split()[1].isdigit() for text in rows), rows  # its number
    legend = page.locator("[data-name=legend]").inner_text()
    assert "so far" in legend
    assert "frames/s" in page.locator("[data-name=meter]").inner_text()
    page.click("[data-name=again]")
    until(page, "document.querySelectorAll('.count-lines path').length === 2")


def test_the_camera_is_looked_at_and_let_go(visit: Visit) -> None:
    page = visit("detect", picture="cat", fresh=True, model="squares")
    page.click("[data-name=camera]")
    wait_frames(page, 8)
    assert "frames/s" in page.locator("[data-name=meter]").inner_text()
    assert canvas_of(page, "[data-name=picture]").std() > 1
    page.click("[data-name=camera]")  # held
    until(page, "!document.querySelector('[data-name=camera].active')")


def test_the_first_answer_is_painted_however_soon_it_comes(visit: Visit) -> None:
    page = visit("detect", picture="cat", fresh=True, model="squares")
    give(page, "a.png", encode_picture(scene()))
    until(page, f"document.querySelectorAll('{THINGS} output').length === 2")
    page.evaluate("() => { const now = performance.now(); performance.now = () => now; }")  # no time goes by
    page.click("[data-name=camera]")
    until(page, "document.querySelector('[data-name=camera].active')")
    wait_frames(page, 2)
    assert "frames/s" in page.locator("[data-name=meter]").inner_text()


def test_it_speaks_hungarian_and_fits_a_phone(visit: Visit) -> None:
    browser = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}
    page = visit("detect", picture="cat", fresh=True, browser=browser, model="squares", lang="hu")
    give(page, "a.png", encode_picture(scene()))
    until(page, f"document.querySelectorAll('{THINGS} output').length === 2")
    assert "Dobozok, nevek, sorszámok" in page.inner_text("h1")
    assert "a képtől a dobozig" in page.locator("[data-name=meter]").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_model_that_is_not_there_is_reported(visit: Visit) -> None:
    page = visit("detect", picture="cat", fresh=True, model="nowhere")
    page.wait_for_selector("[data-name=detect-problem] .message")
    assert "nowhere" in page.locator("[data-name=detect-problem]").inner_text()


def test_a_line_that_breaks_is_opened_again(visit: Visit) -> None:
    def keep_sockets(page: Any) -> None:
        page.add_init_script(
            "window.sockets = []; const Plain = WebSocket;"
            "window.WebSocket = class extends Plain { constructor(...a) { super(...a); sockets.push(this); } };"
        )

    page = visit("detect", picture="cat", fresh=True, before=keep_sockets, model="squares")
    give(page, "a.png", encode_picture(scene()))
    until(page, f"document.querySelectorAll('{THINGS} output').length === 2")
    page.evaluate("document.querySelector('main').dataset.frames = 0; sockets.at(-1).close()")
    wait_frames(page, 1)
    assert page.evaluate("sockets.length") == 2


def test_a_picture_that_came_while_the_line_was_full_is_looked_at(visit: Visit) -> None:
    hold = """window.held = []; const Plain = WebSocket;
      window.WebSocket = class extends Plain {
        addEventListener(name, act) {
          super.addEventListener(name, (event) => {
            if (name === 'message' && held && JSON.parse(event.data).type === 'boxes') held.push(() => act(event));
            else act(event); }); } };"""
    page = visit("detect", picture="cat", before=lambda p: p.add_init_script(hold), model="squares")
    until(page, "held.length === 1")  # the cat
    give(page, "a.png", encode_picture(scene()))
    until(page, "held.length === 2")
    give(page, "b.png", encode_picture(scene(blue=False)[:, :200]))
    until(page, "document.querySelector('[data-name=picture]').width === 200")
    assert texts(page) == []  # nothing of what the pictures before hold
    page.evaluate("() => { const late = held; window.held = null; for (const act of late) act(); }")
    until(page, f"document.querySelectorAll('{THINGS} output').length === 1")
    assert texts(page)[0].startswith("red")


# Pure functions -------------------------------------------------------------------------------------------------


def test_counts_are_kept_by_class_and_for_a_minute(lab: Callable[..., Any]) -> None:
    body = """
      const tally = m.createTally({ spanS: 10, stepS: 1 });
      for (let k = 0; k < 40; k++) tally.add([{ label: "car", id: 1 + (k >> 3) }, ...(k % 2 ? [{ label: "bus", id: 90 }] : [])], k / 2);
      return [tally.now, tally.total, tally.points.length, tally.points[0]];"""
    now, total, count, first = lab("detect/tally.js", body)
    assert now == {"car": 1, "bus": 1}
    assert total == {"car": 5, "bus": 1}
    assert 10 <= count <= 11
    assert first[1] == {"car": 1, "bus": 1}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1.0, 20), (1.1, 30), (9.0, 60)],  # at once; a tenth of a second later; never further than 0.4 s
)
def test_boxes_are_carried_on_with_the_speed_of_their_object(
    lab: Callable[..., Any], seconds: float, expected: float
) -> None:
    body = "return m.carried({box_xyxy: [10, 0, 20, 9], seconds: 0.9}, {box_xyxy: [20, 0, 30, 9], seconds: 1}, a);"
    assert lab("detect/tally.js", body, seconds)[0] == pytest.approx(expected)
    still = "return m.carried(undefined, {box_xyxy: [20, 0, 30, 9], seconds: 1}, a);"
    assert lab("detect/tally.js", still, seconds)[0] == 20


def test_colours_are_those_of_the_videos(lab: Callable[..., Any]) -> None:
    colours = np.array(lab("detect/palette.js", "return [...Array(24).keys()].map(m.colourOf)"))
    assert np.abs(colours - [color_of(k) for k in range(24)]).max() <= 1  # halves are rounded to even in Python
