"""The lips page in a real browser: words over a film that plays, noise, three readings, and saying why there is none."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

import szem
from szem.runtime.store import list_models

from .lip_films import LEVELS, SAID, TIMES, corners, make_answer, make_video, no_reading
from .seeing import canvas_of, in_address, set_slider, until

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
WORDS = ".lip-words .said-word"
LIPREAD = re.compile(r"/v1/szem/lipread\?")
VIDEO = "document.querySelector('[data-name=film-video]')"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("lips") / "face.mp4")


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    return make_answer()


def give(page: Any, video: Path, answer: dict[str, Any] | None, *, status: int = 200) -> list[Any]:
    """Answer in the server's place, and give the page a film; the requests that came."""
    came: list[Any] = []

    def reply(route: Any) -> None:
        came.append(route.request)
        route.fulfill(status=status, content_type="application/json", body=json.dumps(answer))

    page.route(LIPREAD, reply)
    page.locator("[data-name=film-file]").set_input_files(video)
    return came


def wait_words(page: Any, count: int = 6) -> None:
    until(page, f"document.querySelectorAll('{WORDS}').length === {count}")
    until(page, f"{VIDEO}.readyState >= 2 && Number.isFinite({VIDEO}.duration)")


def jump(page: Any, second: float) -> None:
    page.evaluate(f"{VIDEO}.currentTime = {second}")
    until(page, f"document.querySelector('main').dataset.second === '{second:.2f}'")


def test_words_box_crop_and_moments_follow_the_video(visit: Visit, video: Path, answer: dict[str, Any]) -> None:
    page = visit("lips", read="sentence", fresh=True)
    came = give(page, video, answer)
    wait_words(page)
    assert json.loads(parse_qs(urlsplit(came[0].url).query)["levels"][0]) == list(LEVELS)
    assert [text.split("\n")[0] for text in page.locator(WORDS).all_inner_texts()] == list(SAID)
    assert "99%" in page.locator(WORDS).first.inner_text()
    assert "99%" in page.locator("[data-name=lip-sure]").inner_text()

    jump(page, 1.52)  # "two"
    assert page.locator(".lip-words .looked-at").get_attribute("data-word") == "two"
    drawn = np.argwhere(canvas_of(page, "[data-name=over]").any(2))
    height, width = canvas_of(page, "[data-name=over]").shape[:2]
    wanted = np.array(corners(1.52)) / (360, 288)
    assert drawn[:, 1].min() / width == pytest.approx(wanted[0, 0], abs=0.02)
    assert drawn[:, 0].max() / height == pytest.approx(wanted[2, 1], abs=0.02)
    dark = (canvas_of(page, "[data-name=lip-crop]") < 60).sum()
    jump(page, 0.0)
    assert (canvas_of(page, "[data-name=lip-crop]") < 60).sum() < dark / 2  # the mouth is shut

    heat = canvas_of(page, "[data-name=lip-heat]").astype(int).sum(2)
    assert heat.shape == (6, 75)
    assert [round(row.argmax() / 25, 1) for row in heat] == pytest.approx([(a + b) / 2 for a, b in TIMES], abs=0.1)

    page.evaluate(f"() => {{ {VIDEO}.onseeking = () => (window.sought = {VIDEO}.currentTime); }}")
    page.locator(WORDS).nth(3).click()  # goes there, and on
    until(page, f"{VIDEO}.ended")
    assert page.evaluate("window.sought") == pytest.approx(TIMES[3][0], abs=0.01)
    assert page.evaluate(f"{VIDEO}.currentTime") > 2.9


def test_words_to_come_are_only_hinted_at_while_it_plays(visit: Visit, video: Path, answer: dict[str, Any]) -> None:
    page = visit("lips", read="sentence", fresh=True)
    give(page, video, answer)
    wait_words(page)
    assert page.locator(".lip-words .later").count() == 0
    page.evaluate(f"{VIDEO}.playbackRate = 0.07")  # so slow that the first word is not missed
    page.click("[data-name=play]")
    until(page, "document.querySelectorAll('.lip-words .later').length === 6")
    page.evaluate(f"{VIDEO}.playbackRate = 0.5")
    until(page, "document.querySelectorAll('.lip-words .later').length < 4")
    page.click("[data-name=play]")
    until(page, "document.querySelectorAll('.lip-words .later').length === 0")


def test_noise_drowns_the_sound_and_what_was_said_is_compared(
    visit: Visit, video: Path, answer: dict[str, Any]
) -> None:
    page = visit("lips", read="sentence", fresh=True)
    came = give(page, video, answer)
    wait_words(page)
    page.fill("[name=truth]", "Bin blue at F two now.")
    set_slider(page, "lip-noise", 5)  # as loud as the speech
    cards = page.locator(".lip-card").all_inner_texts()
    assert "1 of 6" in cards[0]
    assert "4 of 6" in cards[1]
    assert "0 of 6" in cards[2]
    assert page.locator(".lip-card[data-use=sound] .wrong-word").count() == 4
    heights = page.locator(".line-sound circle").evaluate_all("all => all.map((c) => Number(c.getAttribute('cy')))")
    assert heights == sorted(heights)  # ever fewer words right
    assert heights[0] < heights[-1]
    assert page.locator("[data-name=lip-noise] output").inner_text() == "as loud as the speech"
    page.click(".lip-card[data-use=sound]")
    assert page.locator(WORDS).first.get_attribute("data-word") == "again"
    set_slider(page, "lip-noise", 7)
    assert "no sentence of the trained kind" in page.locator(".no-reading").inner_text()
    page.locator("[data-name=lip-use] input[value=lips]").check()
    assert page.locator(WORDS).nth(3).get_attribute("data-word") == "s"  # noise does not reach the lips
    assert page.evaluate(f"{VIDEO}.muted")
    in_address(page, "use=lips", "noise=7")
    assert len(came) == 1  # all of it from one answer
    page.locator("[data-name=lip-shown] input[value=letters]").check()
    assert canvas_of(page, "[data-name=lip-heat]").shape[:2] == (len("bin blue at s two now"), 75)


def test_no_reading_says_why_in_hungarian_on_a_phone(visit: Visit, video: Path, answer: dict[str, Any]) -> None:
    browser = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    page = visit("lips", read="sentence", browser=browser, lang="hu")
    assert "Szájról olvasás" in page.inner_text("h1")
    why = "the mouth is too small: the eyes are 18 pixels apart, 24 are needed"
    none = {use: no_reading(use, why, "bin blue") for use in ("lips", "sound", "both")}
    give(page, video, answer | {"levels": [{"noise_db": level, **none} for level in LEVELS]})
    page.wait_for_selector(".no-reading")
    said = page.locator(".no-reading").inner_text()
    assert "Nincs átirat" in said
    assert "a szemek 18 képpontra vannak egymástól, 24 kell" in said
    assert "bin blue" in said
    assert page.locator(WORDS).count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_the_server_refuses_and_what_is_no_video_is_reported(visit: Visit, video: Path, tmp_path: Path) -> None:
    page = visit("lips", read="sentence", fresh=True, expect=("400 (Bad Request)",))
    give(page, video, {"error": {"code": 400, "message": "face.mp4: cannot be read"}}, status=400)
    page.wait_for_selector("[data-name=lips-problem] .message")
    assert "cannot be read" in page.locator("[data-name=lips-problem]").inner_text()
    text = tmp_path / "notes.txt"
    text.write_text("no film")
    page.locator("[data-name=film-file]").set_input_files(text)
    assert "notes.txt is not a video" in page.locator("[data-name=film-problem]").inner_text()


def test_a_few_seconds_are_recorded_and_sent(visit: Visit, answer: dict[str, Any]) -> None:
    count = """window.parts = []; const start = MediaRecorder.prototype.start;
      MediaRecorder.prototype.start = function (...how) {
        this.addEventListener('dataavailable', ({ data }) => window.parts.push(data.size)); start.apply(this, how); };"""
    page = visit("lips", read="sentence", before=lambda p: p.add_init_script(count))
    came: list[Any] = []

    def reply(route: Any) -> None:
        came.append((route.request.headers["content-type"], route.request.post_data_buffer))
        route.fulfill(content_type="application/json", body=json.dumps(answer))

    page.route(LIPREAD, reply)
    prompt = page.locator("[data-name=lip-prompt]").inner_text()
    page.click("[data-name=film-record]")
    page.wait_for_selector(".film-recording video")
    assert page.locator(".lip-camera > p").inner_text() == prompt
    until(page, "document.querySelector('[data-name=film-record].active')")
    until(page, "window.parts.length >= 4 && window.parts.reduce((a, b) => a + b) > 10_000")  # about a second
    page.click("[data-name=film-record]")
    wait_words(page)
    (kind, video) = came[0]
    assert kind in ("video/webm", "video/mp4")
    assert len(video or b"") > 10_000
    assert page.locator(".film-recording").count() == 0  # the camera is let go
    assert page.input_value("[name=truth]") == prompt
    assert 0.5 < page.evaluate(f"{VIDEO}.duration") < 8


@pytest.mark.slow
def test_a_sentence_is_read_as_by_the_library(visit: Visit, data_dir: Path) -> None:
    if not list_models(task="lipread"):
        pytest.skip("needs a model for lipread: szem train lipread, or a release that ships one")
    rows = csv.DictReader((data_dir / "grid" / "index.csv").read_text(encoding="utf-8").splitlines())
    video = data_dir / "grid" / next(row["video"] for row in rows if row["split"] == "val")
    page = visit("lips", read="sentence", fresh=True)
    page.locator("[data-name=film-file]").set_input_files(video)
    until(page, f"document.querySelector('{WORDS}, .no-reading')", patience_s=120)
    for use in ("both", "lips"):
        page.locator(f"[data-name=lip-use] input[value={use}]").check()
        wanted = szem.lipread(video, use=use)
        assert page.locator(WORDS).evaluate_all("all => all.map((e) => e.dataset.word)") == [w.text for w in wanted]
    assert page.locator("[data-name=lip-heat]").evaluate("c => c.width") > 60  # a column a moment


# Pure functions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "said", "errors", "right"),
    [
        ("bin blue at f", "bin blue at f", 0, [True] * 4),
        ("bin red at f", "bin blue at f", 1, [True, False, True, True]),  # one changed
        ("bin blue f", "bin blue at f", 1, [True, True, True]),  # one missing
        ("so bin blue", "bin blue", 1, [False, True, True]),  # one too many
        ("", "bin blue", 2, []),
    ],
)
def test_wrong_words_are_found(lab: Callable[..., Any], read: str, said: str, errors: int, right: list[bool]) -> None:
    found = lab("lips/answer.js", "return m.compareWords(a[0], a[1])", [read.split(), said.split()])
    assert found == {"errors": errors, "right": right}


def test_the_servers_answer_is_taken_apart(lab: Callable[..., Any], answer: dict[str, Any]) -> None:
    late = answer | {"begin_s": 0.4}
    late["track"] = answer["track"] | {"frames": [{"time_s": 0.4, "seen": False}, *answer["track"]["frames"][11:]]}
    body = """const read = m.readAnswer(a);
      return [read.times_s[0], read.end_s, m.cornersAt(read.mouth, 0.41), m.cornersAt(read.mouth, 0.46),
        m.readingOf(read, "sound", null).confidence, m.readingOf(read, "lips", -10).text,
        m.placeAt([0, 1, 2], -0.1), m.placeAt([0, 1, 2], 1.5), m.placeAt([0, 1, 2], 9)];"""
    first, end, unseen, between, sound, lips, *places = lab("lips/answer.js", body, late)
    assert (first, end) == pytest.approx((0.4, 3.4))
    assert unseen is None
    assert between[0][0] == pytest.approx(corners(0.44)[0][0] * 0.5 + corners(0.48)[0][0] * 0.5)
    assert sound == 0.99
    assert lips == "bin blue at s two now"
    assert places == [-1, 1, 2]


def test_noise_is_as_loud_as_asked_and_nothing_overloads(lab: Callable[..., Any]) -> None:
    body = """return [m.noiseLoudness(0.1, null), m.noiseLoudness(0.1, 0), m.noiseLoudness(0.1, -20), m.noiseLoudness(0.1, 20),
      m.headroom(0.1, 0), m.headroom(0.3, 0.9) * Math.hypot(0.3, 0.9), m.loudnessOf([3, -4, 0, 0]), m.peaksOf([1, -2, 3, 0], 2)];"""
    none, same, louder, softer, free, full, loudness, peaks = lab("lips/noise.js", body)
    assert (none, same, louder, softer, free) == pytest.approx((0, 0.1, 1.0, 0.01, 1))
    assert full == pytest.approx(0.25)
    assert loudness == 2.5
    assert peaks == [2, 3]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("no face is seen", "face"),
        ("the face is seen for 0.3 s only", "short"),
        ("12 frames a second, lips need 20 or more", "rate"),
        ("the face is seen in 41% of the frames only", "fraction"),
        ("the video has no sound", "no-sound"),
        ("not a sentence of the kind it knows, or too unclear", "unknown"),
        ("only 1 face is seen, number 3 was asked for", "face-number"),
        ("lips and sound say different things: lips 'bin blue' (91%), sound 'lay red' (88%)", "different"),
        ("something new", None),
    ],
)
def test_reasons_are_known_by_what_the_reader_says(lab: Callable[..., Any], said: str, name: str | None) -> None:
    found = lab("lips/reasons.js", "return m.findReason(a)", said)
    assert (found and found["name"]) == name


def test_notes_are_reported_in_the_visitors_language_with_their_numbers(lab: Callable[..., Any]) -> None:
    body = """const words = { number: (n) => n.toFixed(2), t: (name, { a }) => `${name} ${a}` };
      return m.noteText(["the sound is about 0.4 s late; it is read as if it were on time", "something new"], words);"""
    assert lab("lips/reasons.js", body) == "lips.note.late 0.40 something new."
