"""Where pictures come from: files, drop, paste, camera, the server; and what is said when they do not."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from szem.media.pictures import encode_picture, read_picture
from szem.media.samples import read_sample
from szem.media.video_writer import VideoWriter

from .seeing import canvas_of, in_address, set_slider, settle, still, until, wait_drawn

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
PROBLEM = "[data-name=picture-problem] .message"


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8)


def give(page: Any, name: str, data: bytes, kind: str = "image/png") -> None:
    """Choose a file, as with the file dialog."""
    page.locator("[data-name=file]").set_input_files({"name": name, "mimeType": kind, "buffer": data})


def input_of(page: Any) -> np.ndarray:
    return canvas_of(page, "[data-name=input] canvas")


def wait_for_size(page: Any, width: int, height: int) -> None:
    until(page, f"document.querySelector('[data-name=input-size]').textContent === '{width} × {height}'")
    settle(page)


def test_files_come_in_by_dialog_drop_and_paste_with_the_pixels_szem_reads(visit: Visit) -> None:
    page = visit("kernels", fresh=True, colour="colour")
    wait_drawn(page)
    picture = noise(40, 60)
    give(page, "mine.png", encode_picture(picture))
    wait_for_size(page, 60, 40)
    assert (input_of(page) == picture).all()
    assert page.locator(".thumb[aria-pressed=true]").count() == 0
    assert page.locator("[data-name=yours]").inner_text() == "Your own file; it stays on this machine."
    in_address(page, "picture=yours")

    drop = """([name, kind, bytes, event]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(bytes)], name, { type: kind }));
      const options = event === 'paste' ? { clipboardData: transfer, bubbles: true } : { dataTransfer: transfer, bubbles: true, cancelable: true };
      const made = event === 'paste' ? new ClipboardEvent('paste', options) : new DragEvent(event, options);
      document.body.dispatchEvent(made); }"""
    for event, sides in (("drop", (31, 20)), ("paste", (22, 33))):
        other = noise(sides[1], sides[0])
        given = ["one.png", "image/png", list(encode_picture(other))]
        if event == "drop":
            page.evaluate(drop, [*given, "dragover"])
            assert page.evaluate("document.body.classList.contains('dropping')")
        page.evaluate(drop, [*given, event])
        wait_for_size(page, *sides)
        assert (input_of(page) == other).all()
        assert not page.evaluate("document.body.classList.contains('dropping')")


def test_turned_transparent_and_large_pictures_are_read_as_szem_reads_them(visit: Visit) -> None:
    page = visit("kernels", fresh=True, colour="colour")
    wait_drawn(page)

    turned = Image.fromarray(read_sample("cat")[:120, :200])
    exif = Image.Exif()
    exif[0x0112] = 6  # stands on its side
    data = io.BytesIO()
    turned.save(data, "JPEG", exif=exif, quality=95)
    give(page, "turned.jpg", data.getvalue(), "image/jpeg")
    wait_for_size(page, 120, 200)
    wanted = read_picture(data.getvalue()).astype(int)
    assert np.abs(input_of(page).astype(int) - wanted).mean() < 2  # two decoders of one JPEG

    clear = np.dstack([noise(30, 50), np.random.default_rng(3).integers(0, 256, (30, 50), dtype=np.uint8)])
    data = io.BytesIO()
    Image.fromarray(clear).save(data, "PNG")
    give(page, "clear.png", data.getvalue())
    wait_for_size(page, 50, 30)
    assert np.abs(input_of(page).astype(int) - read_picture(data.getvalue()).astype(int)).max() <= 2

    give(page, "large.png", encode_picture(np.full((1100, 2200, 3), 90, np.uint8)))
    wait_for_size(page, 1024, 512)
    assert page.locator("[data-name=yours]").inner_text() == "Scaled to 1024 × 512 here (it is 2200 × 1100)."


@pytest.mark.parametrize(
    ("language", "said", "what_to_do"),
    [
        ("en", "note.png is not a picture this browser can read.", "save it as one of these"),
        ("hu", "note.png nem olyan kép, amelyet ez a böngésző el tud olvasni.", "mentsd el ezek egyikeként"),
    ],
)
def test_a_bad_file_is_said_where_it_was_chosen_and_the_picture_stays(
    visit: Visit, language: str, said: str, what_to_do: str
) -> None:
    page = visit("kernels", lang=language, picture="coins")
    wait_drawn(page)
    before = input_of(page)
    give(page, "note.png", b"this is no picture")
    text = page.locator(PROBLEM).inner_text()
    assert said in text
    assert what_to_do in text
    assert (input_of(page) == before).all()
    page.locator(f"{PROBLEM} button").click()
    assert page.locator(PROBLEM).count() == 0


def test_empty_wrong_and_oversized_files_are_distinguished(visit: Visit) -> None:
    page = visit("kernels")
    wait_drawn(page)
    for name, data, kind, said in (
        ("empty.png", b"", "image/png", "empty.png is empty."),
        ("text.txt", b"hello", "text/plain", "text.txt is not a picture"),
        ("half.png", encode_picture(noise(50, 50))[:200], "image/png", "half.png is not a picture"),
        ("huge.png", b"\0" * 21_000_000, "image/png", "huge.png is too large: 21 MB."),
    ):
        give(page, name, data, kind)
        until(page, f"document.querySelector('{PROBLEM}')?.innerText.includes('{name}')")
        assert said in page.locator(PROBLEM).inner_text()
    page.locator(".thumb").nth(1).click()
    page.wait_for_selector(".thumb:nth-child(2)[aria-pressed=true]")
    assert page.locator(PROBLEM).count() == 0


def test_camera_is_live_can_be_held_and_survives_a_change_of_language_and_page(visit: Visit) -> None:
    page = visit("kernels", fresh=True, kernel="sobel-x")
    wait_drawn(page)
    page.click("[data-name=camera]")
    until(page, "Number(document.querySelector('[data-name=meter]').dataset.rate) > 0")
    assert page.locator("[data-name=input-size]").inner_text() == "512 × 512"
    assert "frames a second" in page.locator("[data-name=meter]").inner_text()
    frames = "Number(document.querySelector('.stage').dataset.drawn)"
    first = page.evaluate(frames)
    until(page, f"{frames} > {first} + 5")

    page.locator("[data-name=language] label", has_text="HU").click()
    page.wait_for_selector("html[lang=hu][data-ready=kernels]", state="attached")
    until(page, f"{frames} > 5")
    assert "Kimerevítés" in page.locator("[data-name=camera]").inner_text()

    page.click("[data-name=camera]")
    until(page, "document.querySelector('[data-name=meter]').innerText.includes('kiszámolva')")
    still = page.evaluate(frames)
    held = input_of(page)
    page.wait_for_timeout(250)
    assert page.evaluate(frames) == still
    assert (input_of(page) == held).all()
    assert held.std() > 1, "the camera gave a picture"
    page.locator("nav a", has_text="Felismerés").click()
    page.wait_for_selector(".label-row", state="attached")
    assert (canvas_of(page, "[data-name=picture] canvas:first-child").shape) == held.shape


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of video: a grey that grows lighter, 64 × 48."""
    path = tmp_path_factory.mktemp("film") / "grows.mp4"
    with VideoWriter(path, rate_hz=25) as writer:
        for k in range(50):
            writer.write(np.full((48, 64, 3), 20 + 4 * k, np.uint8))
    return path


def test_a_video_file_plays_on_the_page_can_be_held_and_wound(visit: Visit, video: Path) -> None:
    page = visit("kernels", fresh=True, kernel="identity")
    wait_drawn(page)
    page.locator("[data-name=file]").set_input_files(video)
    wait_for_size(page, 64, 48)
    frames = "Number(document.querySelector('.stage').dataset.drawn)"
    until(page, f"{frames} > {page.evaluate(frames)} + 5")
    page.click("[data-name=play]")
    until(page, "document.querySelector('[data-name=play]').ariaLabel === 'Play'")
    middle = (
        "document.querySelector('[data-name=output-0] canvas').getContext('2d').getImageData(32, 24, 1, 1).data[0]"
    )
    for step, grey in ((0, 20), (900, 20 + 4 * 45)):
        set_slider(page, "film-place", step)
        shown = f"document.querySelector('[data-name=film-place] output').innerText === '0:0{int(step / 500)} / 0:02'"
        until(page, shown)
        until(page, f"Math.abs({middle} - {grey}) < 8")  # the frame is drawn a moment after the video has moved
        assert abs(canvas_of(page, "[data-name=output-0] canvas").mean() - grey) < 8
    page.locator("nav a", has_text="Recognise").click()
    page.wait_for_selector(".label-row", state="attached")
    assert page.locator("[data-name=film]").is_visible()
    page.locator(".thumb").first.click()
    until(page, "document.querySelector('[data-name=film]').hidden")


def test_a_video_that_cannot_be_played_is_said_where_it_was_chosen(visit: Visit) -> None:
    page = visit("kernels", lang="hu")
    wait_drawn(page)
    give(page, "rossz.mp4", b"\0\0\0\x18ftypmp42 this is no video", "video/mp4")
    until(page, f"document.querySelector('{PROBLEM}')?.innerText.includes('le tud játszani')")
    assert "H.264-es MP4" in page.locator(PROBLEM).inner_text()


@pytest.mark.parametrize(
    ("fault", "language", "said"),
    [
        ("NotAllowedError", "en", "The browser may not use the camera. Allow it"),
        ("NotAllowedError", "hu", "A böngésző nem használhatja a kamerát. Engedélyezd"),
        ("NotFoundError", "en", "No camera was found. Plug one in"),
        ("NotReadableError", "hu", "A kamerát más program használja. Zárd be"),
        ("", "en", "The browser gives the camera only to safe pages. Open the studio as"),
    ],
)
def test_without_a_camera_it_is_said_why_and_what_to_do(visit: Visit, fault: str, language: str, said: str) -> None:
    page = visit("kernels", lang=language)
    wait_drawn(page)
    refuse = (
        f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '{fault}'))"
        if fault
        else "Object.defineProperty(navigator, 'mediaDevices', { value: undefined, configurable: true })"
    )
    keep = "window.kept ??= navigator.mediaDevices; "
    give_back = "Object.defineProperty(navigator, 'mediaDevices', { value: window.kept, configurable: true }); delete navigator.mediaDevices.getUserMedia"
    page.evaluate(f"() => {{ {keep}{refuse}; }}")
    try:
        page.click("[data-name=camera]")
        assert said in page.locator(PROBLEM).inner_text()
        assert page.locator(".thumb[aria-pressed=true]").count() == 1, "the picture stays"
    finally:
        page.evaluate(f"() => {{ {give_back}; }}")


def hold_samples(page: Any, held: list[Any]) -> None:
    """Keep the answers about bundled pictures back; the small ones of the row come."""
    page.route(
        "**/v1/szem/samples/*.png",
        lambda route: held.append(route) if route.request.resource_type == "fetch" else route.continue_(),
    )


def test_an_option_that_fails_takes_no_picture_away(visit: Visit) -> None:
    held: list[Any] = []
    page = visit("kernels", before=lambda p: hold_samples(p, held))
    until(page, "document.querySelector('.thumb')")
    give(page, "note.png", b"this is no picture")
    page.wait_for_selector(PROBLEM)
    for route in held:
        route.continue_()
    wait_drawn(page)
    assert page.locator(".thumb[aria-pressed=true]").get_attribute("data-name") == "cameraman"
    assert "note.png is not a picture" in page.locator(PROBLEM).inner_text()


def test_the_newest_option_wins_however_long_an_older_one_takes(visit: Visit) -> None:
    held: list[Any] = []
    page = visit("kernels", before=lambda p: hold_samples(p, held), picture="coins")
    until(page, "document.querySelector('.thumb')")
    give(page, "mine.png", encode_picture(noise(40, 60)))
    wait_for_size(page, 60, 40)
    with page.expect_response("**/v1/szem/samples/coins.png"):
        held[0].continue_()
    until(page, "!document.querySelector('.source-bar[data-busy]')")
    still(page, "document.querySelector('[data-name=input-size]').textContent")
    assert [route.request.url.rsplit("/", 1)[1] for route in held] == ["coins.png"]  # and no other one instead
    assert page.locator("[data-name=input-size]").inner_text() == "60 × 40"


def test_a_camera_that_goes_away_is_noticed(visit: Visit) -> None:
    keep = """const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (o) => (window.stream = await open(o));"""
    page = visit("kernels", before=lambda p: p.add_init_script(keep))
    wait_drawn(page)
    page.click("[data-name=camera]")
    until(page, "window.stream && document.querySelector('[data-name=camera].active')")
    page.evaluate("window.stream.getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    page.wait_for_selector(PROBLEM)
    assert "The camera was disconnected." in page.locator(PROBLEM).inner_text()


def test_a_server_that_is_gone_is_said_in_place(visit: Visit) -> None:
    page = visit("kernels", fresh=True, expect=("Failed to load resource", "net::ERR"))
    wait_drawn(page)
    page.route("**/v1/szem/**", lambda route: route.abort())
    page.locator(".thumb").nth(2).click()
    page.wait_for_selector(PROBLEM)
    assert "The server does not answer. Start it again" in page.locator(PROBLEM).inner_text()
    page.unroute("**/v1/szem/**")
    page.locator(".thumb").nth(2).click()
    page.wait_for_selector(".thumb:nth-child(3)[aria-pressed=true]")
    assert page.locator(PROBLEM).count() == 0


def test_a_page_without_its_kernels_says_so_and_offers_to_try_again(visit: Visit) -> None:
    def broken(page: Any) -> None:
        reply = {"error": {"code": 500, "message": "out of order", "status": "INTERNAL"}}
        page.route("**/v1/szem/kernels", lambda route: route.fulfill(status=500, json=reply))

    page = visit("kernels", before=broken, lang="hu", expect=("Failed to load resource",))
    assert "A szerver hibázott (500)." in page.locator("[data-name=page-problem]").inner_text()
    page.unroute("**/v1/szem/kernels")
    page.get_by_role("button", name="Újra").click()
    wait_drawn(page)


def test_a_link_to_a_picture_of_someone_else_opens_with_the_first_one(visit: Visit, tmp_path: Path) -> None:
    page = visit("kernels", fresh=True, picture="yours", kernel="emboss")
    wait_drawn(page)
    assert page.locator(".thumb[aria-pressed=true]").get_attribute("data-name") == "cameraman"
    page = visit("kernels", picture="no-such-picture")
    wait_drawn(page)
    assert "There is no bundled picture called “no-such-picture”." in page.locator(PROBLEM).inner_text()


def test_an_own_picture_survives_a_reload_and_the_way_to_another_page(visit: Visit, tmp_path: Path) -> None:
    picture = np.full((40, 60, 3), (200, 30, 90), np.uint8)
    path = tmp_path / "mine.png"
    path.write_bytes(encode_picture(picture))
    page = visit("kernels", fresh=True, kernel="identity", colour="colour")
    wait_drawn(page)
    page.locator("[data-name=file]").set_input_files(path)
    wait_for_size(page, 60, 40)
    in_address(page, "picture=yours")
    page.reload()
    page.wait_for_selector("html[data-ready=kernels]", state="attached")
    wait_for_size(page, 60, 40)
    assert (canvas_of(page, "[data-name=input] canvas") == picture).all()
    page.evaluate("location.hash = '#/neuron'")
    page.wait_for_selector("html[data-ready=neuron]", state="attached")
    assert input_of(page).shape == (40, 60, 3)


def test_a_link_to_an_own_picture_opens_the_bundled_one_elsewhere(visit: Visit) -> None:
    page = visit("kernels", fresh=True, picture="yours")
    wait_drawn(page)
    wait_for_size(page, 512, 512)


def test_detect_opens_on_a_moving_sample(visit: Visit) -> None:
    page = visit("detect", fresh=True)
    until(page, "Number(document.querySelector('main').dataset.frames) > 2")
    assert page.locator("[data-name=film]").is_visible()
    assert page.locator(".thumb[data-name=moving]").get_attribute("aria-pressed") == "true"
