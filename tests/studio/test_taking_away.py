"""What one takes away: code that runs and gives the same numbers, the picture, the link; and a page that does not jump."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from szem.media.pictures import read_picture

from .seeing import canvas_of, settle, until, wait_drawn

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]

STATES = [
    {"kernel": "sharpen", "stride": 2, "dilation": 3, "border": "wrap", "picture": "coins"},
    {"kernel": "custom", "weights": "0.5 0 -1;2 1 0;0 0.25 -1", "operation": "convolution", "border": "valid"},
    {"mode": "two", "kernel": "gaussian", "second": "outline", "stride": 2, "pool": "max", "window": 3},
    {"mode": "edges", "edges": "prewitt", "border": "replicate", "pool": "average", "picture": "coffee"},
    {"kernel": "emboss", "colour": "colour", "picture": "cat"},
]


@pytest.mark.parametrize(
    "state", STATES, ids=lambda s: s.get("mode", "one") + "-" + s.get("kernel", s.get("edges", ""))
)
def test_copied_python_gives_the_picture_on_the_page(visit: Visit, tmp_path: Path, state: dict[str, Any]) -> None:
    page = visit("kernels", **state)
    wait_drawn(page)
    shown = canvas_of(page, "[data-name=output-0] canvas")
    code = page.locator("[data-name=code]").inner_text()
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    made = read_picture(tmp_path / "answer.png")
    assert made.shape == shown.shape
    assert np.abs(made.astype(int) - shown.astype(int)).max() <= 1


def test_copied_command_gives_the_picture_on_the_page(visit: Visit, tmp_path: Path) -> None:
    page = visit("kernels", kernel="sobel-y", stride=2, view="clipped")
    wait_drawn(page)
    shown = canvas_of(page, "[data-name=output-0] canvas")
    page.locator("[data-name=code-version] label").nth(1).click()
    command = page.locator("[data-name=code]").inner_text()
    assert command == 'szem filter --grey --kernel "sobel-y" --stride 2 --view clip'
    run = [sys.executable, "-c", "from szem.cli import main; main()", *command.replace('"', "").split()[1:]]
    done = subprocess.run([*run, "--out", str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    made = read_picture(next(tmp_path.glob("*.png")))
    assert np.abs(made.astype(int) - shown.astype(int)).max() <= 1
    page.locator("[data-name=mode] label").nth(1).click()
    assert page.locator("[data-name=code]").inner_text().startswith("# One command does one kernel")


def test_copy_buttons_put_code_numbers_and_link_on_the_clipboard(visit: Visit) -> None:
    options = {"permissions": ["clipboard-read", "clipboard-write"]}
    page = visit("kernels", browser=options, kernel="laplacian")
    wait_drawn(page)
    copied = "(await navigator.clipboard.readText())"
    page.click("[data-name=code-copy]")
    page.wait_for_selector("[data-name=code-copy]:has-text('Copied')")
    until(page, f"{copied} === document.querySelector('[data-name=code]').textContent")
    page.locator("[data-name=code-version] label").nth(2).click()
    page.click("[data-name=code-copy]")
    until(page, f"{copied} === '0 1 0\\n1 -4 1\\n0 1 0'")
    # one right after the other: the address follows a change a moment later, the link does not wait for it
    parts = ("[data-name=view] input[value=signed]", "[data-name=link]")
    page.evaluate("(parts) => { for (const part of parts) document.querySelector(part).click(); }", parts)
    until(page, f"{copied}.startsWith(location.origin + '/#/kernels?')")
    link = page.evaluate(f"async () => {copied}")
    assert "kernel=laplacian" in link
    assert "view=signed" in link


def test_a_link_brings_back_all_that_was_set(visit: Visit) -> None:
    state = {
        "picture": "rocket",
        "colour": "colour",
        "kernel": "custom",
        "weights": "1 0 -1;2 0 -2;1 0 -1",
        "operation": "convolution",
        "stride": "2",
        "dilation": "2",
        "border": "wrap",
        "pool": "average",
        "window": "3",
        "view": "beside",
        "zeros": "1",
        "size": "true",
        "at": "102,48",
        "lang": "hu",
        "theme": "dark",
    }
    page = visit("kernels", **state)
    wait_drawn(page)
    values = """() => Object.fromEntries([...document.querySelectorAll('.stage, .options')].flatMap((part) =>
      [...part.querySelectorAll('[data-name] input:checked, [data-name] input[type=range], [data-name] select')].map((e) =>
        [e.closest('[data-name]').dataset.name, e.type === 'checkbox' ? true : e.value])))"""
    shown = page.evaluate(values)
    expected = {
        "colour": "colour",
        "kernel": "custom",
        "operation": "convolution",
        "stride": "2",
        "dilation": "2",
        "border": "wrap",
    }
    expected |= {
        "pool": "average",
        "window": "3",
        "view": "beside",
        "zeros": True,
        "size": True,
        "padding": "same",
        "kernel-size": "3",
    }
    assert {name: shown.get(name) for name in expected} == expected
    cells = [cell.input_value() for cell in page.locator("[data-slot='0'] input.cell").all()]
    assert cells == ["1", "0", "−1", "2", "0", "−2", "1", "0", "−1"]
    assert "48. sor, 102. oszlop" in page.locator("[data-name=place]").inner_text()
    assert page.locator(".thumb[aria-pressed=true]").get_attribute("data-name") == "rocket"
    assert page.locator("html").get_attribute("data-theme") == "dark"
    # a change writes the address anew, and nothing of it is lost
    page.locator("[data-name=zeros]").click()
    until(page, "!location.hash.includes('zeros')")
    for name, value in state.items():
        if name not in ("zeros", "weights"):
            assert f"{name}={value}" in page.url
    assert "weights=1+0+-1;2+0+-2;1+0+-1" in page.url


def test_download_is_the_picture_on_show(visit: Visit, tmp_path: Path) -> None:
    page = visit("kernels", kernel="outline", view="signed", fresh=True)
    wait_drawn(page)
    shown = canvas_of(page, "[data-name=output-0] canvas")
    with page.expect_download() as waiting:
        page.click("[data-name=download]")
    assert waiting.value.suggested_filename == "szem-outline-signed.png"
    waiting.value.save_as(tmp_path / "it.png")
    assert (read_picture(tmp_path / "it.png") == shown).all()


@pytest.mark.parametrize("name", ["start", "kernels", "recognise"])
def test_nothing_jumps_while_a_page_loads(visit: Visit, name: str) -> None:
    count = """window.shift = 0; new PerformanceObserver((list) => { for (const e of list.getEntries())
      if (!e.hadRecentInput) window.shift += e.value; }).observe({ type: 'layout-shift', buffered: true });"""
    page = visit(name, before=lambda p: p.add_init_script(count))
    if name == "kernels":
        wait_drawn(page)
    else:
        page.wait_for_selector(".label-row" if name == "recognise" else "[data-name=lens][data-ready]")
    settle(page)
    assert page.evaluate("window.shift") < 0.1  # the web's own limit for "good"


def test_phone_has_the_sum_right_under_the_pictures(visit: Visit) -> None:
    page = visit("kernels", browser={"viewport": {"width": 390, "height": 844}, "has_touch": True})
    wait_drawn(page)
    readout = page.locator(".readout")
    before = readout.inner_text()
    page.locator("[data-name=input] canvas").tap(position={"x": 30, "y": 30})
    until(page, f"document.querySelector('.readout').innerText !== {json.dumps(before)}")
    after = readout.inner_text()
    assert after.startswith("row ")
    assert readout.is_visible()
