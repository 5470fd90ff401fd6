"""The lecture: one text for the studio and the hand-out, in both languages; every link and picture works.

Its commands are run by `tests/docs/test_commands.py`, with those of all pages.
"""

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from szem.studio import studio_folder

from .seeing import settle

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXTS = {
    lang: (DOCS / name).read_text(encoding="utf-8") for lang, name in (("en", "lecture.md"), ("hu", "lecture.hu.md"))
}
STEPS = json.loads((studio_folder() / "lecture" / "steps.json").read_text(encoding="utf-8"))
LINKS = {lang: re.findall(r"\]\(http://127\.0\.0\.1:8777/#/(\w+)\??([^)]*)\)", text) for lang, text in TEXTS.items()}


def words(lang: str) -> Any:
    return json.loads((studio_folder() / "lecture" / f"{lang}.json").read_text(encoding="utf-8"))


def test_the_hand_out_is_the_studios_text() -> None:
    spec = importlib.util.spec_from_file_location("lecture_text", DOCS / "tools" / "lecture_text.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    for lang, text in TEXTS.items():
        assert tool.lecture_text(lang) == text, "run docs/tools/lecture_text.py"


@pytest.mark.parametrize("lang", ["en", "hu"])
def test_each_step_says_what_to_look_at_and_asks_one_question(lang: str) -> None:
    said = words(lang)["steps"]
    assert list(said) == [step["name"] for step in STEPS]
    for step in STEPS:
        text = said[step["name"]]
        for one in (text, *text.get("pages", {}).values()):
            assert all(one[part].strip() for part in ("title", "text", "look", "question")), step["name"]
        assert len(text["links"]) == len(step["links"])
        assert len(text["pictures"]) == len(step["pictures"])
    controls = json.loads((studio_folder() / "i18n" / f"{lang}.json").read_text(encoding="utf-8")).values()
    for step in STEPS:  # what is emphasised as a control is one
        for name in re.findall(r"\*([^*]+)\*", said[step["name"]]["look"]):
            assert name in controls, (step["name"], name)


@pytest.mark.browser
def test_the_lecture_leads_from_page_to_page(visit: Callable[..., Any]) -> None:
    shown = visit("kernels", step=4, lang="hu")
    panel = shown.locator(".lecture")
    assert panel.get_attribute("data-step") == "4"
    assert panel.locator("h2").inner_text() == words("hu")["steps"]["edges"]["title"]
    assert words("hu")["steps"]["edges"]["question"] in panel.inner_text()
    panel.locator("[data-name=step-next]").click()
    shown.wait_for_selector("html[data-ready=neuron]", state="attached")
    assert shown.locator(".lecture").get_attribute("data-step") == "5"
    shown.locator("[data-name=step-previous]").click()
    shown.wait_for_selector("html[data-ready=kernels]", state="attached")
    assert shown.locator(".lecture").get_attribute("data-step") == "4"


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["en", "hu"])
def test_search_has_a_text_of_its_own_within_step_17(visit: Callable[..., Any], lang: str) -> None:
    said = words(lang)["steps"]["caption"]["pages"]["search"]
    panel = visit("search", lang=lang).locator(".lecture")
    assert panel.get_attribute("data-step") == "17"
    assert panel.locator("h2").inner_text() == said["title"]
    assert said["question"] in panel.inner_text()
    assert "step=16" in panel.locator("[data-name=step-previous]").get_attribute("href")
    assert "step=18" in panel.locator("[data-name=step-next]").get_attribute("href")


@pytest.mark.browser
def test_every_page_of_the_menu_has_its_step(lab: Callable[..., Any]) -> None:
    body = """const { PAGES } = await import("/js/pages.js");
      const { steps } = await m.lectureOf("en");
      return PAGES.filter((page) => !page.aside && !m.stepAt(steps, page.name, "")).map((page) => page.name);"""
    assert lab("lecture/lecture.js", body) == []


@pytest.mark.browser
def test_the_presenter_view_has_no_menus_and_is_led_by_keys(visit: Callable[..., Any]) -> None:
    shown = visit("stride", step=8, present=1)
    assert shown.locator(".site-head").is_hidden()
    assert shown.locator(".lecture h2").is_visible()
    shown.keyboard.press("PageDown")
    shown.wait_for_selector(".lecture[data-step='9']")
    shown.wait_for_selector("html[data-present][data-ready=stride]", state="attached")
    shown.keyboard.press("PageUp")
    shown.wait_for_selector(".lecture[data-step='8']")
    shown.wait_for_selector("html[data-present][data-ready=stride]", state="attached")
    shown.keyboard.press("Escape")
    shown.wait_for_selector("html:not([data-present])[data-ready=stride]", state="attached")
    assert shown.locator(".site-head").is_visible()
    assert "step=8" in shown.url


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["en", "hu"])
def test_the_presenter_view_fits_laptops_and_phones(visit: Callable[..., Any], lang: str) -> None:
    shown = visit("kernels", step=4, present=1, lang=lang, fresh=True)
    for width, height in ((1366, 768), (1440, 900), (390, 844)):
        shown.set_viewport_size({"width": width, "height": height})
        settle(shown)
        assert shown.evaluate("document.documentElement.scrollWidth") <= width


def test_both_languages_hold_the_same_steps_pictures_commands_and_links() -> None:
    for pattern in (r"^## (\d+)", r"\]\(pictures/lecture-(\w+)", r"^(?:szem|python|pip) .+$"):
        en, hu = (re.findall(pattern, TEXTS[lang], re.MULTILINE) for lang in ("en", "hu"))
        assert en == hu, pattern
    english = [(page, parse_qsl(query)) for page, query in LINKS["en"]]
    hungarian = [(page, parse_qsl(query)) for page, query in LINKS["hu"]]
    assert [(page, [*query, ("lang", "hu")]) for page, query in english] == hungarian
    steps = TEXTS["en"].split("\n## ")[1:]
    assert len(steps) == 18
    for step in steps:  # a link, a picture and a command each
        assert "](http://127.0.0.1:8777/#/" in step, step[:30]
        assert "](pictures/" in step, step[:30]
        assert "```sh" in step, step[:30]


@pytest.mark.parametrize("lang", ["en", "hu"])
def test_pictures_and_headings_that_are_pointed_to_are_there(lang: str) -> None:
    text = TEXTS[lang]
    for name in re.findall(r"\]\(((?:pictures/)?[\w./-]+)\)", text):
        assert (DOCS / name).is_file(), name
    anchors = {
        re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-")
        for line in re.findall(r"^## (.+)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) == anchors


@pytest.mark.browser
def test_every_link_names_a_page_and_a_state_that_it_knows(lab: Callable[..., Any]) -> None:
    body = """const { pageNamed, PAGES } = await import("/js/pages.js");
      const found = [];
      for (const [page, query] of a) {
        const known = PAGES.some((one) => one.name === page);
        const built = pageNamed(page).name === page;
        const { fields } = built ? await pageNamed(page).load() : { fields: {} };
        const asked = [...new URLSearchParams(query)];
        found.push([known, built, asked.filter(([name, text]) => built && fields[name]?.read(text) === undefined)]);
      }
      return found;"""
    for (page, query), (known, built, refused) in zip(
        LINKS["en"], lab("url-state.js", body, [list(link) for link in LINKS["en"]]), strict=True
    ):
        assert known, page
        assert refused == [], (page, query)
        assert built, page


@pytest.mark.browser
@pytest.mark.parametrize("page", sorted({page for page, _ in LINKS["hu"]}))
def test_the_longest_link_to_a_page_opens_it(page: str, visit: Callable[..., Any]) -> None:
    query = max((q for p, q in LINKS["hu"] if p == page), key=len)
    shown = visit(page, ready=False, **dict(parse_qsl(query)))
    built = shown.evaluate(f"import('/js/pages.js').then((m) => m.pageNamed('{page}').name)")
    shown.wait_for_selector(f"html[data-ready={built}]", state="attached")
