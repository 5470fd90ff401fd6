"""The frame around the pages: address, language, theme, keyboard, what a page may load."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from szem.studio import studio_folder

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
Lab = Callable[..., Any]

DARK_PAPER = "() => getComputedStyle(document.body).backgroundColor === 'rgb(18, 18, 14)'"


def test_start_page_leads_along_the_eighteen_steps_of_the_lecture(visit: Visit) -> None:
    page = visit("start")
    steps = page.locator("[data-step]")
    names = [step["name"] for step in json.loads((studio_folder() / "lecture" / "steps.json").read_text("utf-8"))]
    assert steps.evaluate_all("all => all.map((e) => e.dataset.step)") == names
    assert page.locator(".step-number").all_inner_texts() == [str(n) for n in range(1, 19)]
    page.click("[data-step=edges] a")
    page.wait_for_selector("html[data-ready=kernels]", state="attached")
    assert page.locator(".lecture").get_attribute("data-step") == "4"
    page.go_back()
    page.wait_for_selector("html[data-ready=start]", state="attached")


def test_an_unknown_page_shows_the_start(visit: Visit) -> None:
    page = visit("nowhere", ready=False, fresh=True)
    assert page.locator("html").get_attribute("data-ready") == "start"


def test_lens_follows_pointer_and_arrow_keys_and_shows_what_the_chosen_kernel_makes(visit: Visit) -> None:
    page = visit("start")
    page.wait_for_selector("[data-name=lens][data-ready]")
    lens = page.locator("[data-name=lens]")
    box = lens.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.5)
    x = "el => parseFloat(el.style.getPropertyValue('--x'))"
    assert lens.evaluate(x) == pytest.approx(0.25, abs=0.01)
    lens.focus()
    page.keyboard.press("ArrowRight")
    assert lens.evaluate(x) == pytest.approx(0.28, abs=0.01)
    pixels = "el => Array.from(el.getContext('2d').getImageData(100, 100, 8, 8).data)"
    before = page.locator(".lens-glass canvas").evaluate(pixels)
    page.locator("[data-name=lens-kernel] label").nth(3).click()
    assert page.locator(".lens-glass canvas").evaluate(pixels) != before


def test_lens_stays_where_it_is_when_motion_is_not_wanted(visit: Visit) -> None:
    page = visit("start", before=lambda p: p.emulate_media(reduced_motion="reduce"))
    page.wait_for_selector("[data-name=lens][data-ready]")
    x = "el => el.style.getPropertyValue('--x')"
    first = page.locator("[data-name=lens]").evaluate(x)
    page.wait_for_timeout(300)
    assert page.locator("[data-name=lens]").evaluate(x) == first


def test_one_switch_changes_all_words_and_is_kept(visit: Visit) -> None:
    page = visit("kernels", kernel="sharpen", stride=2, fresh=True)
    page.wait_for_selector("[data-name=share][data-share]")
    assert page.locator("html").get_attribute("lang") == "en"
    page.locator("[data-name=language] label", has_text="HU").click()
    page.wait_for_selector("html[lang=hu]", state="attached")
    page.wait_for_selector("[data-name=share][data-share]")
    assert page.locator("h1").inner_text() == "Kernelek"
    assert page.locator("[data-name=share]").inner_text() == "Az adat negyede marad."
    assert "lang=hu" in page.url
    assert "stride=2" in page.url

    english = json.loads(page.evaluate("fetch('/i18n/en.json').then(r => r.text())"))
    hungarian = json.loads(page.evaluate("fetch('/i18n/hu.json').then(r => r.text())"))
    only = {text for key, text in english.items() if len(text) > 12 and text != hungarian[key] and "{" not in text}
    shown = page.evaluate(
        """() => [...document.querySelectorAll('*')].flatMap((e) =>
             [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim())
               .concat([e.getAttribute('aria-label'), e.getAttribute('title')])).filter(Boolean)"""
    )
    assert not only & set(shown), "English is left on the Hungarian page"

    page.goto(page.url.split("#")[0] + "#/start")  # without a word about language in the address
    page.wait_for_selector("html[lang=hu][data-ready=start]", state="attached")


def test_language_begins_as_asked_then_as_remembered_then_as_the_browser_prefers(lab: Lab) -> None:
    cases = [
        [["hu", "en", ["en"]], "hu"],
        [[None, "hu", ["en-US"]], "hu"],
        [[None, None, ["hu-HU", "en"]], "hu"],
        [[None, None, ["de-DE", "hu"]], "hu"],
        [[None, None, ["de-DE"]], "en"],
        [["xx", "yy", []], "en"],
    ]
    found = lab("i18n.js", "return a.map((c) => m.firstLanguage(...c))", [given for given, _ in cases])
    assert found == [wanted for _, wanted in cases]


def test_numbers_are_written_as_each_language_writes_them(lab: Lab) -> None:
    body = """const hu = await m.wordsOf('hu'), en = await m.wordsOf('en');
      return [en.number(-1234.5, 1), hu.number(-1234.5, 1), en.percent(0.256), hu.percent(0.256, 1),
              en.number(-0.0001, 1), hu.plain(-12345.6, 1), en.t('no.such.key'), en.t('flow.numbers', { count: 3 })]"""
    assert [text.replace("\u00a0", " ") for text in lab("i18n.js", body)] == [
        "−1,234.5",
        "−1234,5",
        "26%",
        "25,6 %",
        "0",
        "−12345,6",
        "no.such.key",
        "3 numbers",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_follows_the_system_until_it_is_chosen(visit: Visit, scheme: str) -> None:
    page = visit("start", browser={"color_scheme": scheme})
    assert page.evaluate(DARK_PAPER) == (scheme == "dark")
    page.click("[data-name=theme]")
    assert page.evaluate(DARK_PAPER) == (scheme != "dark")
    assert f"theme={'light' if scheme == 'dark' else 'dark'}" in page.url
    page.goto(page.url.split("?")[0])
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.evaluate(DARK_PAPER) == (scheme != "dark")
    ratios = page.evaluate(CONTRAST, PAIRS)
    assert min(ratios) >= 4.5, dict(zip(map(tuple, PAIRS), ratios, strict=True))


PAIRS = [
    ["--ink", "--paper"],
    ["--soft", "--paper"],
    ["--soft", "--well"],
    ["--on-accent", "--accent"],
    ["--ink", "--sheet"],
    ["--danger", "--sheet"],
]
CONTRAST = """(pairs) => { const css = getComputedStyle(document.documentElement);
  const light = (hex) => { const c = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
      return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; };
  return pairs.map(([a, b]) => { const [x, y] = [a, b].map((n) => light(css.getPropertyValue(n).trim()));
      return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); }); }"""


def test_skip_link_is_the_first_stop_and_leads_past_the_header(visit: Visit) -> None:
    page = visit("start", fresh=True)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_policy_lets_nothing_in_from_elsewhere_and_nothing_inline(visit: Visit) -> None:
    page = visit("start", fresh=True, expect=("Content Security Policy", "elsewhere: https://example.com"))
    refused = page.evaluate(
        """() => new Promise((done) => {
             const broken = new Set();
             document.addEventListener('securitypolicyviolation', (e) => {
               broken.add(e.effectiveDirective); if (broken.size === 3) done([...broken].sort()); });
             const script = document.createElement('script');
             script.textContent = 'window.bad = 1'; document.body.append(script);
             document.body.setAttribute('style', 'color: red');
             new Image().src = 'https://example.com/a.png'; })"""
    )
    assert refused == ["img-src", "script-src-elem", "style-src-attr"]
    assert page.evaluate("window.bad") is None


def test_state_reads_back_from_the_address_it_writes(lab: Lab) -> None:
    body = """
      const fields = { n: m.whole(1, 1, 4), way: m.choice('a', ['a', 'b']), text: m.words('x', 9), on: m.flag(false) };
      const read = (query) => m.readState(new URLSearchParams(query), fields);
      const write = (state) => m.writeAddress('page', m.writeState(state, fields));
      const changed = { n: 3, way: 'b', text: '1 2;3,4', on: true };
      return [write(read('')), write(changed), read(m.readAddress(write(changed)).params),
              read('n=9&way=z&text=much-too-long&on=maybe')];"""
    assert lab("url-state.js", body) == [
        "#/page",
        "#/page?n=3&way=b&text=1+2;3,4&on=1",
        {"n": 3, "way": "b", "text": "1 2;3,4", "on": True},
        {"n": 1, "way": "a", "text": "x", "on": False},
    ]


def test_a_change_still_to_be_written_does_not_take_back_where_the_visitor_goes(visit: Visit) -> None:
    # the page learns late that its address has changed; what was changed before is to be written meanwhile
    late = """const add = window.addEventListener.bind(window);
      window.addEventListener = (name, act, ...more) =>
        add(name, name === 'hashchange' ? (event) => setTimeout(() => act(event), 400) : act, ...more);"""
    page = visit("draw", before=lambda p: p.add_init_script(late), lang="en")
    page.evaluate(
        "() => { const field = document.querySelector('input[type=range]'); field.value = field.max; "
        "field.dispatchEvent(new Event('input', { bubbles: true })); "
        "field.dispatchEvent(new Event('change', { bubbles: true })); location.hash = '#/stride?lang=hu'; }"
    )
    page.wait_for_selector("html[lang=hu][data-ready=stride]", state="attached")
    assert "#/stride?" in page.url


def test_page_works_where_storage_is_forbidden(visit: Visit) -> None:
    forbid = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no') } })"
    page = visit("start", before=lambda p: p.add_init_script(forbid))
    page.click("[data-name=theme]")
    assert page.locator("html").get_attribute("data-theme") == "dark"
