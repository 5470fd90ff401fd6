"""The draw page: its pictures are the package's, to the pixel; what it says of words, films and sentences holds."""

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

import szem
from szem.tasks.generation.generate import EXAMPLES, open_generator

from .seeing import canvas_of, in_address, set_slider, settle, until

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
PROBLEM = "[data-name=draw-problem] .message"
SLOW_S = 240.0  # nine pictures take seconds even where nothing else is to be done


def drawn(page: Any, count: int = 1) -> None:
    until(
        page,
        f"Number(document.querySelector('main').dataset.drawn ?? 0) >= {count} && !document.querySelector('main[data-busy]')",
        patience_s=SLOW_S,
    )


def picture_in(page: Any, selector: str) -> np.ndarray:
    data = page.locator(selector).get_attribute("src").partition(",")[2]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def words_of(page: Any) -> list[str]:
    return page.locator(".influence-word > span").all_inner_texts()


def test_sketch_and_pictures_are_the_packages(visit: Visit) -> None:
    page = visit("draw", seed=5, truncation=70)
    drawn(page)
    wanted = szem.generate(EXAMPLES[0], n=9, seed=5, truncation=0.7)
    assert page.locator("[name=text]").input_value() == EXAMPLES[0]
    assert (picture_in(page, "[data-name=refined]") == wanted.pictures[0]).all()
    assert (picture_in(page, "[data-name=sketch]") == wanted.sketches[0]).all()
    page.locator(".draw-cell").nth(4).click()
    assert page.evaluate("document.activeElement.dataset.place") == "4"
    assert (picture_in(page, "[data-name=refined]") == wanted.pictures[4]).all()
    in_address(page, "chosen=4")

    until(page, "document.querySelector('[data-name=influence]').dataset.words > 0", patience_s=SLOW_S)
    shares = page.locator(".influence-word").evaluate_all("all => all.map((e) => Number(e.dataset.share))")
    words = open_generator().influence(EXAMPLES[0], seed=5, truncation=0.7, samples=2)
    assert words_of(page) == [one.word for one in words]
    assert shares == pytest.approx([one.fraction for one in words], abs=1e-3)


def test_another_seed_other_pictures_and_the_same_again(visit: Visit) -> None:
    page = visit("draw", seed=3)
    drawn(page)
    first = picture_in(page, "[data-name=refined]")
    set_slider(page, "seed", 4)
    drawn(page, 2)
    assert (picture_in(page, "[data-name=refined]") != first).any()
    set_slider(page, "seed", 3)
    drawn(page, 3)
    assert (picture_in(page, "[data-name=refined]") == first).all()
    set_slider(page, "truncation", 20)
    drawn(page, 4)
    assert (picture_in(page, "[data-name=refined]") != first).any()


def test_the_video_goes_from_one_sentence_to_the_other(visit: Visit) -> None:
    page = visit("draw", fresh=True, browser={"reduced_motion": "reduce"}, seed=2)
    drawn(page)
    page.fill("[name=to]", "This flower has red petals")
    page.click("[data-name=film]")
    page.wait_for_selector(".walk[data-frames='24']", timeout=1000 * SLOW_S)
    frames = open_generator().between(EXAMPLES[0], "This flower has red petals", frames=24, seed=2)
    for place in (0, 23, 12):
        set_slider(page, "way", place)
        seen = canvas_of(page, ".walk-picture").astype(int)
        assert np.abs(seen - frames[place]).mean() < 6  # sent as a JPEG
    page.click("[data-name=walk-play]")
    until(page, "document.querySelector('.walk').dataset.place !== '12'")
    page.click("[data-name=walk-play]")
    page.locator(".draw-chip").nth(1).click()  # another sentence: the film is no longer its
    until(page, "!document.querySelector('.walk[data-frames]')")
    assert page.locator("[data-name=walk-play]").is_disabled()


def test_unknown_words_are_reported_and_what_it_cannot_draw(visit: Visit) -> None:
    page = visit("draw", expect=("Failed to load resource",))
    drawn(page)
    page.fill("[name=text]", "This xylophonic flower has red petals")
    page.keyboard.press("Enter")
    drawn(page, 2)
    assert "xylophonic" in page.locator("[data-name=warning]").inner_text()
    page.wait_for_selector(".influence-word[data-known=no]", timeout=1000 * SLOW_S)
    assert page.locator(".influence-word[data-known=no]").inner_text().startswith("xylophonic")
    page.fill("[name=text]", "two dogs are white")  # drawn as far as it goes, and reported
    page.click("[data-name=go]")
    drawn(page, 3)
    assert "neither a flower nor a bird" in page.locator("[data-name=warning]").inner_text()
    page.fill("[name=text]", "zzyzx qwerty")  # nothing of it can be drawn
    page.click("[data-name=go]")
    page.wait_for_selector(PROBLEM)
    assert "it draws flowers and birds" in page.locator(PROBLEM).inner_text()
    assert page.locator("[data-name=refined]").is_visible()  # nothing done is lost
    page.locator("[data-name=can] summary").click()
    kind = page.locator("button.can-word").first
    name = kind.inner_text()
    kind.click()
    drawn(page, 4)
    assert name in page.locator("[name=text]").input_value()
    assert page.locator(PROBLEM).count() == 0


def test_the_circle_closes(visit: Visit) -> None:
    page = visit("draw", fresh=True, seed=1)  # the drawing travels on: to no other test
    drawn(page)
    said = szem.caption(szem.generate(EXAMPLES[0], n=1, seed=1).pictures[0])
    until(page, "document.querySelector('[data-name=said-sure]').textContent !== ''", patience_s=SLOW_S)
    assert page.locator("[data-name=said-back]").inner_text() == said.text
    page.locator(".draw-chip").nth(1).click()
    drawn(page, 2)
    page.fill("[name=query]", "a black bird")
    page.keyboard.press("Enter")
    page.wait_for_selector(".album-cell output", timeout=1000 * SLOW_S)
    scores = page.locator(".album-cell").evaluate_all("all => all.map((e) => Number(e.dataset.score))")
    assert scores == sorted(scores, reverse=True)
    assert len(scores) >= 18
    page.click("[data-name=open-caption]")
    page.wait_for_selector("html[data-ready=caption]", state="attached")
    page.wait_for_selector(".said[data-complete]", state="attached")


def test_nothing_is_wider_than_the_screen(visit: Visit) -> None:
    page = visit("draw", lang="hu", theme="dark", fresh=True)
    drawn(page)
    page.locator("[data-name=can] summary").click()
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_answers_of_any_shape_are_read(lab: Callable[..., Any]) -> None:
    body = """const many = Array.from({ length: 70 }, (_, n) => ({ name: String(n) }));
      return [m.readDrawing({}), m.readDrawing({ pictures: ['a', 'b'], sketches: ['c'] }).pictures,
        m.readDrawing({ names_subject: false }).isSubject, m.barsOf([{ word: 'a', fraction: 0 }, { word: 'red', fraction: 0.5 }]), m.barsOf([]),
        m.withNew([{ name: 'x' }, { name: 'y' }], [{ name: 'y', new: 1 }]), m.withNew([], many).length]"""
    empty, pictures, subject, bars, none, album, count = lab("draw/answer.js", body)
    assert empty == {"pictures": [], "unknown": [], "isSubject": True, "influence": [], "film": []}
    assert pictures == [{"picture": "a", "sketch": "c"}, {"picture": "b", "sketch": None}]
    assert subject is False
    assert [bar["of"] for bar in bars] == [0, 1]
    assert none == []
    assert album == [{"name": "y", "new": 1}, {"name": "x"}]
    assert count == 63
