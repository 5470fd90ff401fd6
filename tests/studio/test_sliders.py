"""Every slider of every page of the studio's own list: dragged with the mouse it follows the pointer, moved by keys it keeps the focus."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from szem.studio import studio_folder

from .seeing import settle

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]

PAGES = re.findall(r'name: "(\w+)"', (studio_folder() / "js" / "pages.js").read_text(encoding="utf-8"))
# A video moves its own slider: pages that open with one are tried without it.
STATE: dict[str, dict[str, str]] = {
    "detect": {"picture": "cat"},
    "segment": {"picture": "cat"},
    "guard": {"film": "none"},
    "lips": {"read": "sentence"},
}
# How many there are at least, so that a selector that finds none is noticed.
LEAST = {"kernels": 1, "stride": 2, "triangle": 3, "recognise": 1, "detect": 1, "segment": 1, "lips": 2, "draw": 2}
SHOWN = "input[type=range]:not([disabled]):visible"


@pytest.mark.parametrize("name", PAGES)
def test_sliders_follow_the_pointer_and_the_keys(visit: Visit, name: str) -> None:
    page = visit(name, **STATE.get(name, {}))
    if name == "lips":
        page.wait_for_selector(".pair-mouths")
    settle(page)
    sliders = page.locator(SHOWN)
    count = sliders.count()
    assert count >= LEAST.get(name, 0)
    for number in range(count):
        slider = sliders.nth(number)
        slider.scroll_into_view_if_needed()
        element = slider.element_handle()
        low, high, step = element.evaluate("(e) => [+e.min, +e.max, +e.step || 1]")
        if (high - low) / step < 6:  # too few places to distinguish a drag from a step
            continue
        box = element.bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 0.3 * box["width"], y)
        page.mouse.down()
        for part in (0.4, 0.5, 0.6, 0.7):
            page.mouse.move(box["x"] + part * box["width"], y)
            settle(page)
        page.mouse.up()
        assert element.evaluate("(e) => e.isConnected"), f"slider {number} was put away while it was dragged"
        reached = (element.evaluate("(e) => +e.value") - low) / (high - low)
        assert 0.6 <= reached <= 0.8, f"slider {number} stands at {reached:.2f}, the pointer at 0.70"
        element.focus()
        before = element.evaluate("(e) => +e.value")
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
            settle(page)
        assert element.evaluate("(e) => document.activeElement === e"), f"slider {number} loses the focus"
        assert element.evaluate("(e) => +e.value") == pytest.approx(before - 3 * step)
