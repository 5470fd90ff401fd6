"""The lips page for one word or phrase: the drawn face, what is said about certainty, and the pairs of words."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from szem.runtime.store import find_model
from szem.studio import studio_folder

from .lip_films import make_video
from .seeing import canvas_of, set_slider, settle, until

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
LIPWORDS = re.compile(r"/v1/szem/lipwords\?")
BEST = "[data-name=word-result] .word-best"


def labels(*rows: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"name": name, "score": score, "index": 0} for name, score in rows]


def answer(page: Any, **found: Any) -> None:
    """Answer in the server's place from now on."""
    body = {"model": "toy", "labels": [], "is_confident": False, "reason": ""} | found
    page.route(LIPWORDS, lambda route: route.fulfill(json=body))


def test_it_opens_with_a_drawn_face_that_is_read(visit: Visit) -> None:
    page = visit("lips", fresh=True)
    until(page, f"document.querySelector('{BEST}')")
    assert page.locator(f"{BEST} span").inner_text() == "start"
    assert page.locator(BEST).get_attribute("data-sure") == "yes"
    assert "Probably right" in page.locator("[data-name=word-sure]").inner_text()
    rows = page.locator(".word-row")
    assert rows.count() == 5
    assert "the runner-up" in rows.nth(1).inner_text()
    assert canvas_of(page, "[data-name=lip-crop]").std() > 10  # the mouth is shown as the network sees it
    assert page.evaluate("document.querySelector('[data-name=film-video]').muted")
    assert page.locator(".lip-telling").is_hidden()  # what belongs to sentences
    page.locator("[data-name=lip-read] input[value=sentence]").check()
    assert page.locator(".lip-telling").is_visible()
    assert page.locator(".word-side").is_hidden()


def test_unsure_and_unreadable_are_said_plainly(visit: Visit, tmp_path: Path) -> None:
    page = visit("lips", fresh=True, before=lambda p: answer(p, labels=labels(("web", 0.31), ("choose", 0.29))))
    until(page, f"document.querySelector('{BEST}')")
    assert "Doubtful" in page.locator("[data-name=word-sure]").inner_text()
    assert page.locator(".word-row").all_inner_texts()[1].split("\n")[:2] == ["choose", "29%"]
    answer(page, reason="no face is seen")
    page.locator("[data-name=film-file]").set_input_files(make_video(tmp_path / "face.mp4"))
    page.wait_for_selector(".word-none")
    assert "No face is found" in page.locator(".word-none").inner_text()


def test_what_one_chose_to_say_is_compared(visit: Visit) -> None:
    page = visit("lips", fresh=True, before=lambda p: answer(p, labels=labels(("thank you", 0.9)), is_confident=True))
    page.get_by_role("button", name="thank you").click()
    assert "thank you" in page.locator("[data-name=film-said]").inner_text()
    page.click("[data-name=film-record]")
    page.wait_for_selector(".lip-camera")
    assert page.locator(".lip-camera > p").inner_text() == "thank you"
    until(page, "document.querySelector('[data-name=film-record].active')")
    page.wait_for_timeout(600)  # a moment to record
    page.click("[data-name=film-record]")
    page.wait_for_selector(".word-truth")
    assert page.locator(".word-truth").inner_text() == "That is what you chose to say."


def test_a_pair_shows_both_mouths_moving(visit: Visit) -> None:
    page = visit("lips", read="sentence", fresh=True, browser={"reduced_motion": "reduce"})
    page.wait_for_selector(".pair-mouths")
    page.get_by_role("button", name="m / n").click()
    assert page.locator(".pair-mouth strong").all_inner_texts() == ["m", "n"]
    row = page.locator(".pair-table tr", has=page.get_by_role("button", name="m / n"))
    lips, noise, _clean = (text.split(" of ") for text in row.locator("td").all_inner_texts())
    assert int(lips[0]) / int(lips[1]) < int(noise[0]) / int(noise[1])
    shapes = "all => all.map((path) => path.getAttribute('d'))"
    before = page.locator(".mouth-lips").evaluate_all(shapes)
    set_slider(page, "pair-moment", 0)
    settle(page)
    after = page.locator(".mouth-lips").evaluate_all(shapes)
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_the_measured_pairs_hold_curves_and_counts_and_the_page_knows_all_words(lab: Callable[..., Any]) -> None:
    found = json.loads((studio_folder() / "samples" / "lips-or-sound.json").read_text(encoding="utf-8"))
    for pair in found["pairs"]:
        better, worse = ("lips", "noise") if pair["better"] == "lips" else ("clean", "lips")
        assert pair[better][0] / pair[better][1] < pair[worse][0] / pair[worse][1], pair
        for word in pair["words"]:
            mouth = found["mouths"][word]
            assert len(mouth["outline"]) == len(mouth["opening"]) == 12
            assert all(len(points) == 20 for points in mouth["outline"])
    named = lab("lips/single.js", "return [...m.WORDS, ...m.PHRASES].map((text) => text.toLowerCase())")
    assert tuple(named) == find_model("lipwords", task="lipwords").labels
