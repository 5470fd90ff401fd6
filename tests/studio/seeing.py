"""Reading what a page shows: canvases as arrays, numbers as numbers. Used by the tests of the pages."""

import base64
import json
import time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PATIENCE_S",
    "canvas_of",
    "exact",
    "grey_of",
    "in_address",
    "set_slider",
    "settle",
    "still",
    "until",
    "wait_drawn",
]

PATIENCE_S = 60.0  # for a machine that has much else to do; nothing waits longer than it must

_PIXELS = """(canvas) => { const { width, height } = canvas;
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
  let text = ''; for (let i = 0; i < data.length; i += 0x8000) text += String.fromCharCode(...data.subarray(i, i + 0x8000));
  return [height, width, btoa(text)]; }"""


def canvas_of(page: Any, selector: str) -> NDArray[np.uint8]:
    """The pixels of a canvas: (H, W, 3) uint8."""
    height, width, text = page.locator(selector).evaluate(_PIXELS)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)[..., :3]


def grey_of(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The grey that szem's tools and the studio make of a colour picture."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def settle(page: Any) -> None:
    """Wait until what was asked for is drawn: two frames of the screen."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
    )


def until(page: Any, expression: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until an expression, which may `await`, is true in the page.

    (Playwright's own way needs `eval`, which the page forbids.)
    """
    end = time.monotonic() + patience_s
    while not page.evaluate(f"async () => Boolean({expression})"):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(30)


def in_address(page: Any, *parts: str) -> None:
    """Wait until the address says all of this: it follows a change a moment later."""
    until(page, f"{json.dumps(parts)}.every((part) => location.hash.includes(part))")


def still(page: Any, expression: str, *, rest_s: float = 0.5) -> Any:
    """Wait until an expression has kept its value for a while, and give it: what had been asked for has come."""
    end = time.monotonic() + PATIENCE_S
    value, since = page.evaluate(f"() => {expression}"), time.monotonic()
    while time.monotonic() - since < rest_s:
        assert time.monotonic() < end, f"never at rest: {expression}"
        page.wait_for_timeout(30)
        now = page.evaluate(f"() => {expression}")
        if now != value:
            value, since = now, time.monotonic()
    return value


def wait_drawn(page: Any) -> None:
    """Wait until the kernels page has drawn its first answer."""
    page.wait_for_selector(".stage[data-drawn]")
    settle(page)


def set_slider(page: Any, name: str, value: int) -> None:
    """Move a slider, as a hand would: with an input event."""
    page.locator(f"[data-name={name}] input[type=range]").evaluate(
        "(el, v) => { el.value = v; el.dispatchEvent(new Event('input', { bubbles: true })); }", value
    )
    settle(page)


def exact(page: Any, name: str) -> float:
    """A number of the inspector, unrounded."""
    return float(page.locator(f"[data-name=result] [data-name={name}] output").get_attribute("data-exact"))
