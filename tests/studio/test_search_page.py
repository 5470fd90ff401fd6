"""The search page: pictures by a sentence and by a picture, among the samples and a folder; what does not fit is said."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from szem.media.pictures import write_picture
from szem.media.samples import SAMPLES, read_sample
from szem.tasks.search.search import rank_sentences

from .seeing import in_address, until

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
HITS = ".search-hits li"
VERDICT = "[data-name=verdict]"


def searched(page: Any, change: Callable[[], object]) -> None:
    """Make a change and wait until its answer is on the page."""
    page.evaluate("document.querySelector('.search-hits').firstChild?.setAttribute('data-old', '')")
    change()
    page.wait_for_selector(f"{HITS}:not([data-old])", timeout=60_000)
    until(page, "!document.querySelector('main').hasAttribute('data-busy')")


def test_the_pictures_and_their_order_are_the_packages(visit: Visit) -> None:
    page = visit("search", query="a cup")
    page.wait_for_selector(HITS, timeout=60_000)
    assert page.locator(HITS).count() == len(SAMPLES)
    scores = [float(s) for s in page.locator(HITS).evaluate_all("all => all.map((e) => e.dataset.score)")]
    assert scores == sorted(scores, reverse=True)
    (_, wanted), *_ = rank_sentences(read_sample("coffee"), ["a cup"])
    assert scores[0] == pytest.approx(wanted, abs=0.1)  # the page sends the picture smaller, as JPEG
    assert page.locator(HITS).first.get_attribute("data-fits") == "true"
    assert page.locator(VERDICT).get_attribute("data-fitting") != "0"
    assert f"{scores[0]:.0%}" in page.locator(HITS).first.inner_text()


def test_that_nothing_fits_is_said(visit: Visit) -> None:
    page = visit("search", query="a cup")
    page.wait_for_selector(HITS, timeout=60_000)
    page.fill("[name=query]", "three zebras")
    searched(page, lambda: page.press("[name=query]", "Enter"))
    in_address(page, "query=three+zebras") if "+" in page.url else in_address(page, "query=three%20zebras")
    assert page.locator(VERDICT).get_attribute("data-fitting") == "0"
    assert "Nothing fits" in page.locator(VERDICT).inner_text()
    assert page.locator(f"{HITS}[data-fits=true]").count() == 0
    assert 'szem search "three zebras"' in page.locator("pre").first.inner_text()


def test_a_picture_is_searched_for_its_like(visit: Visit) -> None:
    page = visit("search", query="a cat")
    page.wait_for_selector(HITS, timeout=60_000)
    second = page.locator(HITS).nth(1)
    index = second.get_attribute("data-index")
    searched(page, lambda: second.locator("[data-name=like]").click())
    assert page.locator(HITS).first.get_attribute("data-index") == index
    assert "similarity" in page.locator(HITS).first.inner_text()


def test_a_folder_is_searched_and_what_is_no_picture_is_named(visit: Visit, tmp_path: Path) -> None:
    folder = tmp_path / "holiday"
    (folder / "cats").mkdir(parents=True)
    write_picture(folder / "cats" / "one.png", read_sample("cat"))
    write_picture(folder / "moon.jpg", read_sample("rocket"))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture")
    page = visit("search", query="a cat")
    page.wait_for_selector(HITS, timeout=60_000)
    page.set_input_files("[data-name=folder-files]", str(folder))
    until(page, f"document.querySelectorAll('{HITS}').length === 2")
    among = page.locator("[data-name=among]").inner_text()
    assert re.match(r"2 pictures of your folder.*Not readable: 1.*broken\.jpg", among), among
    assert "one.png" in page.locator(HITS).first.inner_text()
    page.click("[data-name=samples]")
    until(page, f"document.querySelectorAll('{HITS}').length === {len(SAMPLES)}")
    assert not page.locator("[data-name=samples]").is_visible()


@pytest.mark.parametrize("lang", ["en", "hu"])
def test_a_phone_shows_it_in_both_languages(visit: Visit, lang: str) -> None:
    page = visit(
        "search", query="a cup", lang=lang, theme="dark", browser={"viewport": {"width": 390, "height": 844}}
    )
    page.wait_for_selector(HITS, timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("h1").inner_text() == {"en": "Pictures for a sentence", "hu": "Képek a mondathoz"}[lang]
