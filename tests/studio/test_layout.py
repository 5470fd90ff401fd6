"""Every page at three sizes, in both languages and themes: nothing is clipped, covered or beyond the window, and axe
finds nothing serious: names for screen readers, contrast, keys.

Pages are opened once per language; size and theme change in place. `axe.min.js.gz` is axe-core 4.14.1 (Deque Systems,
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
THEMES = ("light", "dark")
# What is there once a page has shown something; a page that waits for nobody is measured as it opens.
SHOWN = {
    "kernels": ".stage[data-drawn]",
    "segment": "main[data-answered]",
    "recognise": ".label-row",
    "neuron": ".neuron-drawing text",
    "lips": ".pair-mouths",
    "search": ".search-hits li",
}
AXE = """async () => {
  const rules = { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], resultTypes: ["violations"], preload: false };
  const { violations } = await axe.run(document, rules);
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} at ${target.join(" ")}: ${failureSummary.split("\\n").at(-1).trim()}`)); }"""
THEME = "(theme) => { document.documentElement.dataset.theme = theme; }"


def open_pages(visit: Callable[..., Any], lang: str) -> Any:
    """Each page's name with the browser's page, one after the other, shown."""
    page = visit("start", fresh=True, lang=lang, browser={"reduced_motion": "reduce"})
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
    visit: Callable[..., Any], lang: str
) -> None:
    faults = []
    for name, page in open_pages(visit, lang):
        for theme in THEMES:
            page.evaluate(THEME, theme)
            for width, height in SIZES:
                page.set_viewport_size({"width": width, "height": height})
                settle(page)
                faults += [f"{name} {theme} {width}: {what} {how}" for what, how in page.evaluate(MEASURE)]
            faults += [f"{name} {theme}: {fault}" for fault in page.evaluate(AXE)]
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
    assert {fault.split(" at ")[0] for fault in page.evaluate(AXE)} >= {"button-name", "color-contrast"}
