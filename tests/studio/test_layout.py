"""Layout of every page: no text or control is clipped, covered or beyond the window, at three sizes, in both languages."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from szem.studio import studio_folder

from .seeing import settle

pytestmark = pytest.mark.browser

MEASURE = (Path(__file__).parent / "layout.js").read_text(encoding="utf-8").strip().rstrip(";")
PAGES = re.findall(r'name: "(\w+)"', (studio_folder() / "js" / "pages.js").read_text(encoding="utf-8"))
SIZES = ((1366, 768), (1440, 900), (390, 844))
# What is there once a page has shown something; a page that waits for nobody is measured as it opens.
SHOWN = {
    "kernels": ".stage[data-drawn]",
    "segment": "main[data-answered]",
    "recognise": ".label-row",
    "neuron": ".neuron-drawing text",
}


@pytest.mark.parametrize("lang", ["en", "hu"])
def test_nothing_is_clipped_covered_or_beyond_the_window(visit: Callable[..., Any], lang: str) -> None:
    page = visit("start", fresh=True, lang=lang)
    faults = []
    for name in PAGES:
        page.evaluate(
            "(hash) => { delete document.documentElement.dataset.ready; location.hash = hash; }",
            f"#/{name}?lang={lang}&visit={name}",
        )
        page.wait_for_selector(f"html[data-ready={name}]", state="attached")
        if name in SHOWN:
            page.wait_for_selector(SHOWN[name], state="attached")
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            settle(page)
            faults += [f"{name} {width}: {what} {how}" for what, how in page.evaluate(MEASURE)]
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
