"""The caption page: what it shows is what the server answers; words can be pointed at, pressed and changed."""

from collections.abc import Callable
from typing import Any

import pytest

import szem
from szem.media.samples import read_sample

from .seeing import canvas_of, in_address, settle, until

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
PROBLEM = "[data-name=answer-problem] .message"
WORDS = ".said-word"


def said_whole(page: Any) -> None:
    page.wait_for_selector(".said[data-complete]", state="attached")


def words_of(page: Any) -> list[str]:
    return page.locator(WORDS).all_inner_texts()


def test_words_heat_others_and_sentences_are_the_servers(visit: Visit) -> None:
    page = visit("caption", picture="cat", guess=1)
    said_whole(page)
    wanted = szem.caption(read_sample("cat"), n=4, beams=10, attention=True, others=6)
    own = wanted.guesses or wanted.sentences  # what the network says, also where a plainer sentence is used
    best = own[0]
    assert words_of(page) == [*(word.text for word in best.words), "."]
    chances = [float(c) for c in page.locator(WORDS).evaluate_all("all => all.map((e) => e.dataset.probability)")]
    assert chances[:-1] == pytest.approx([word.probability for word in best.words], abs=1e-3)
    rows = page.locator(".sentence-row").evaluate_all("all => all.map((e) => e.dataset.text)")
    assert rows == [sentence.text for sentence in own]
    assert wanted.source == "tags"
    assert page.locator("[data-name=plain]").inner_text() == wanted.text
    assert f"{wanted.confidence:.0%}" in page.locator("[data-name=sure]").inner_text()

    assert not page.locator("canvas.heat").is_visible()  # first the picture, then where it looked
    page.locator(WORDS).nth(1).hover()
    settle(page)
    assert best.words[1].attention is not None
    side = best.words[1].attention.shape[0]
    assert page.locator("canvas.heat").get_attribute("data-cells") == f"{side}x{side}"
    second = canvas_of(page, "canvas.heat")
    page.locator(WORDS).nth(0).hover()
    settle(page)
    assert (canvas_of(page, "canvas.heat") != second).any()

    page.locator(WORDS).nth(2).click()
    assert page.locator(f"{WORDS}[aria-pressed=true]").inner_text() == best.words[2].text
    offered = page.locator(".others .label-row").evaluate_all("all => all.map((e) => e.dataset.word)")
    assert set(offered) == {best.words[2].text, *(text for text, _ in best.words[2].others)}
    in_address(page, "word=2")


def test_a_doubtful_sentence_is_folded_away_and_what_is_recognised_is_said_in_the_visitors_language(
    visit: Visit,
) -> None:
    page = visit("caption", picture="coffee", lang="hu")
    said_whole(page)
    assert page.locator("[data-name=plain]").inner_text() == "a cup on a table"
    assert "csésze, asztal" in page.locator("[data-name=translated]").inner_text()
    assert not page.locator(WORDS).first.is_visible()
    page.locator("[data-name=guess] summary").click()
    for selector in (WORDS, ".sentence-row"):
        page.locator(selector).first.wait_for(state="visible")
    in_address(page, "guess=1")


def test_another_word_is_chosen_and_the_sentence_goes_on_from_it(visit: Visit) -> None:
    page = visit("caption", picture="coffee", guess=1)
    said_whole(page)
    before = words_of(page)
    page.locator(WORDS).nth(1).click()
    other = page.locator(".others .label-row[aria-pressed=false]").first
    word = other.get_attribute("data-word")
    other.click()
    until(page, f"document.querySelectorAll('{WORDS}')[1]?.textContent === {word!r}")
    said_whole(page)
    assert words_of(page)[0] == before[0]
    assert page.locator(WORDS).nth(0).get_attribute("data-given") == "yes"
    start = f"{before[0]} {word}"
    assert page.locator("[name=start]").input_value() == start
    wanted = szem.caption(read_sample("coffee"), n=4, beams=10, start=start)
    assert words_of(page)[:-1] == [w.text for w in wanted.sentences[0].words]
    page.click("[data-name=again]")
    until(page, "document.querySelector('[name=start]').value === ''")
    until(page, f"document.querySelectorAll('{WORDS}')[1]?.textContent === {before[1]!r}")
    assert not page.locator("[data-name=again]").is_visible()


def test_first_words_can_be_written_and_an_unknown_one_is_reported(visit: Visit) -> None:
    page = visit("caption", picture="cat", guess=1, expect=("Failed to load resource",))
    said_whole(page)
    page.fill("[name=start]", "two dogs")
    page.keyboard.press("Enter")
    until(page, f"document.querySelector('{WORDS}').textContent === 'two'")
    assert words_of(page)[:2] == ["two", "dogs"]
    page.fill("[name=start]", "a xylophonist")
    page.click("[data-name=go]")
    page.wait_for_selector(PROBLEM)
    assert "xylophonist" in page.locator(PROBLEM).inner_text()
    assert words_of(page)[:2] == ["two", "dogs"]  # nothing done is lost


def test_the_keyboard_reaches_words_and_sentences(visit: Visit) -> None:
    page = visit("caption", picture="astronaut", lang="hu", guess=1)
    said_whole(page)
    page.locator(WORDS).nth(1).focus()
    settle(page)
    assert page.locator("canvas.heat").is_visible()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.place") == "1"
    assert page.locator(f"{WORDS}[aria-pressed=true]").count() == 1
    if page.locator(".sentence-row").count() > 1:
        page.locator(".sentence-row").nth(1).focus()
        page.keyboard.press("Enter")
        text = page.locator(".sentence-row[aria-pressed=true]").get_attribute("data-text")
        assert " ".join(words_of(page)[:-1]) == text


@pytest.mark.parametrize("lang", ["en", "hu"])
def test_nothing_is_wider_than_the_screen(visit: Visit, lang: str) -> None:
    page = visit("caption", picture="cat", guess=1, lang=lang, theme="dark", fresh=True)
    said_whole(page)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_answers_of_any_shape_are_read(lab: Callable[..., Any]) -> None:
    body = """return [m.readCaption({}), m.heatRows(null), m.heatRows([[1, 1], [1, 1]]), m.heatRows([[0, 2], [1, 0]]),
      m.startWith([{ text: 'a' }, { text: 'dog' }, { text: '.' }], 1, 'cat'), m.startWith([{ text: 'a' }], 0, 'two'),
      m.readCaption({ confidence: 0.5, sentences: [{ text: 'a', probability: 1, words: [{ text: 'a', probability: 1 }],
        ending: { text: '.', probability: 0.5, others: [{ text: 'dog', probability: 0.1 }] } }] }).sentences[0].words.length]"""
    empty, none, flat, sloped, second, first, count = lab("caption/answer.js", body)
    assert empty == {"caption": "", "source": "model", "tags": [], "sentences": [], "confidence": 0}
    assert none is None
    assert flat == [[0, 0], [0, 0]]
    assert sloped == [[0, 1], [0.5, 0]]
    assert (second, first, count) == ("a cat", "two", 2)
