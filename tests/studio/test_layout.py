"""Every page at several sizes, in both languages and themes: nothing is clipped, covered or beyond the window, and axe
finds nothing serious: names for screen readers, contrast, keys.

Pages are opened once per language; size and theme change in place. A theme changes colours only (test_css.py holds
that), so sizes are measured in one and contrast in both. Each measured time has five digits and more, as on the slowest
machine, so that no layout depends on the machine that runs the test. `axe.min.js.gz` is axe-core 4.14.1 (Deque Systems,
MPL-2.0, npm package axe-core) as published, compressed.
"""

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from szem.studio import studio_folder

from .seeing import settle, until

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
MEASURE = (HERE / "layout.js").read_text(encoding="utf-8").strip().rstrip(";")
PAGES = re.findall(r'name: "(\w+)"', (studio_folder() / "js" / "pages.js").read_text(encoding="utf-8"))
SIZES = ((1366, 768), (1440, 900), (390, 844))
FURTHER = ((1920, 1080), (1280, 800), (768, 1024), (320, 640))  # only nothing may stick out
# What is there once a page has shown something; a page that waits for nobody is measured as it opens.
SHOWN = {
    "kernels": ".stage[data-drawn]",
    "segment": "main[data-answered]",
    "recognise": ".label-row",
    "neuron": ".neuron-drawing text",
    "lips": ".pair-mouths",
    "search": ".search-hits li",
    "stride": ".locality[data-measured]",
    "guard": "[data-name=events] .ev-card",
}
SLOW = """(() => {
  const now = performance.now.bind(performance);
  performance.now = () => 9973 * now();
  const slow = (key, value) => (/_ms$/.test(key) && typeof value === "number" ? 98_765.43 : value);
  Response.prototype.json = async function () { return JSON.parse(await this.text(), slow); };
})()"""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
AXE = """async (runOnly) => {
  const rules = { runOnly, resultTypes: ["violations"], preload: false };
  const { violations } = await axe.run(document, rules);
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} at ${target.join(" ")}: ${failureSummary.split("\\n").at(-1).trim()}`)); }"""
# Controls without a name, hidden ones too; then how many main headings and main parts there are.
NAMELESS = """() => [...document.querySelectorAll('button, a, input, select, [tabindex="0"], [role=img]')]
  .filter((e) => e.getAttribute('aria-hidden') !== 'true')
  .filter((e) => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.textContent.trim()
     || [...(e.labels ?? [])].map((l) => l.textContent.trim()).join('')))
  .map((e) => `no name: ${e.outerHTML.slice(0, 120)}`)
  .concat(["h1", "main"].filter((tag) => document.querySelectorAll(tag).length !== 1).map((tag) => `not one ${tag}`))"""
THEME = "(theme) => { document.documentElement.dataset.theme = theme; }"


def open_pages(visit: Callable[..., Any], lang: str) -> Any:
    """Each page's name with the browser's page, one after the other, shown."""
    browser = {"reduced_motion": "reduce"}
    page = visit("start", fresh=True, lang=lang, browser=browser, before=lambda page: page.add_init_script(SLOW))
    page.evaluate(gzip.decompress((HERE / "axe.min.js.gz").read_bytes()).decode())
    for name in PAGES:
        page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
        page.evaluate(
            "(hash) => { delete document.documentElement.dataset.ready; location.hash = hash; }",
            f"#/{name}?lang={lang}&visit={name}",
        )
        page.wait_for_selector(f"html[data-ready={name}]", state="attached")
        if name in SHOWN:
            page.wait_for_selector(SHOWN[name], state="attached")
        until(page, "!document.querySelector('[data-busy]')")  # what is being renewed is paler for a moment
        yield name, page


@pytest.mark.parametrize("lang", ["en", "hu"])
def test_nothing_is_clipped_covered_or_beyond_the_window_and_axe_finds_nothing_serious(
    visit: Callable[..., Any], lang: str, kept_events: list[str]
) -> None:
    faults = []
    for name, page in open_pages(visit, lang):
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            settle(page)
            faults += [f"{name} {width}: {what} {how}" for what, how in page.evaluate(MEASURE)]
        faults += [f"{name}: {fault}" for fault in page.evaluate(AXE, RULES)]
        page.evaluate(THEME, "dark")
        settle(page)
        faults += [f"{name} dark: {fault}" for fault in page.evaluate(AXE, ["color-contrast"])]
        page.evaluate(THEME, "light")
        for width, height in FURTHER:
            page.set_viewport_size({"width": width, "height": height})
            settle(page)
            wide = page.evaluate("document.documentElement.scrollWidth")
            faults += [f"{name} {width}: is {wide} wide"] * (wide > width)
        faults += [f"{name}: {fault}" for fault in page.evaluate(NAMELESS)]
    assert not faults, "\n".join(faults)


def test_the_measure_finds_what_is_clipped_covered_and_too_wide(visit: Callable[..., Any]) -> None:
    page = visit("start", fresh=True)
    page.evaluate("""() => {
      const main = document.querySelector('main');
      main.innerHTML = '<div id="clip">clipped text that is far too long</div><div id="wide">wider-than-its-box</div>' +
        '<button id="under">pressed by nobody</button><div id="over">over it</div>';
      const give = (id, style) => Object.assign(document.getElementById(id).style, style);
      give('clip', { width: '60px', overflow: 'hidden', whiteSpace: 'nowrap' });
      give('wide', { width: '40px', overflowWrap: 'normal' });
      give('under', { display: 'block', height: '40px' });
      give('over', { position: 'relative', top: '-40px', height: '40px', background: 'red' }); }""")
    found = {what.split('"')[1]: how for what, how in page.evaluate(MEASURE)}
    assert found["clipped text that is far too long"] == "is clipped"
    assert found["wider-than-its-box"] == "is wider than its box"
    assert found["pressed by nobody"].startswith("is covered by div")
    page.evaluate(gzip.decompress((HERE / "axe.min.js.gz").read_bytes()).decode())
    page.evaluate(
        """() => { const main = document.querySelector('main');
      main.innerHTML = '<button></button><p id="pale">pale words</p>';
      Object.assign(document.getElementById('pale').style, { color: '#bbb', background: '#fff' }); }"""
    )
    assert {fault.split(" at ")[0] for fault in page.evaluate(AXE, RULES)} >= {"button-name", "color-contrast"}


def test_times_under_the_kept_events_stay_inside_and_apart_at_every_hour(visit: Callable[..., Any]) -> None:
    page = visit("guard", fresh=True, film="none", browser={"viewport": {"width": 390, "height": 844}})
    faults = page.evaluate("""async () => {
      const { stripView } = await import("/js/guard/strip.js");
      const { wordsOf } = await import("/js/i18n.js");
      document.querySelector("main .guard-events").style.display = "block";
      const faults = [];
      for (const lang of ["en", "hu"])
        for (const width of [300, 600]) {
          const view = stripView({ words: await wordsOf(lang) }, () => {});
          view.element.style.width = `${width}px`;
          document.querySelector("main .guard-events").replaceChildren(view.element);
          const area = view.element.querySelector(".strip-axis").getBoundingClientRect();
          for (const seconds of [3, 47, 600, 5400, 39600, 200000, 2e6, 3e7, 4e8])
            for (let quarter = 0; quarter < 96; quarter += 7) {
              const from = Date.UTC(2026, 8, 30) + quarter * 900_000;
              view.show([from, from + 1000 * seconds].map((at, id) => ({ id, kind: "enters", started: new Date(at).toISOString() })));
              const boxes = [...view.element.querySelectorAll(".strip-axis span")].map((e) => e.getBoundingClientRect()).filter((box) => box.width);
              const inside = boxes.every((box) => box.left >= area.left - 0.5 && box.right <= area.right + 0.5);
              const apart = boxes.every((box, k) => k === 0 || boxes[k - 1].right < box.left);
              if (!boxes.length || !inside || !apart)
                faults.push([lang, width, seconds, quarter, inside, apart, view.element.querySelector(".strip-axis").innerText]);
            }
        }
      return faults; }""")
    assert not faults, faults[:5]
