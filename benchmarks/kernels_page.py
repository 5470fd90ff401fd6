"""Frames a second of the studio's Kernels page with the camera live, as the page measures itself.

    python benchmarks/kernels_page.py [--rounds 3] [--seconds 8] [--engines arrays]

Chromium's own test camera gives 60 pictures a second, cut to 512×512. The goal is 60 frames a second. There is no
peer: no other page filters a live picture and tells how fast. Run it alone on the machine. Needs playwright and a
Chromium.
"""

import argparse
import statistics
import time
from typing import Any

from playwright.sync_api import sync_playwright

from machine import describe_machine
from pages import chromium, studio

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=fps=60",
)
VIEWS = {"grey": "kernel=sobel-x", "colour": "kernel=sobel-x&colour=colour", "both directions": "mode=edges"}
READ = "() => { const d = document.querySelector('[data-name=meter]').dataset; return [d.rate, d.tookMs, d.engine]; }"
# How often the camera handed a new picture to the page: more than this it cannot show.
COUNT_PICTURES = """window.given = 0; const ask = HTMLVideoElement.prototype.requestVideoFrameCallback;
HTMLVideoElement.prototype.requestVideoFrameCallback = function (run) {
  return ask.call(this, (now, about) => { window.given = about.presentedFrames; run(now, about); }); };"""


def measure(page: Any, seconds: float) -> tuple[list[float], float, str, float]:
    """Readings of the page's meter, its milliseconds of work, its engine, and the camera's pictures a second."""
    page.click("[data-name=camera]")
    page.wait_for_function(
        "() => Number(document.querySelector('[data-name=meter]').dataset.rate) > 0", timeout=60_000
    )
    time.sleep(3)  # let the page settle
    rates, works, engine = [], [], ""
    given, began = page.evaluate("() => window.given"), time.perf_counter()
    while time.perf_counter() - began < seconds:
        time.sleep(0.5)
        rate, took, engine = page.evaluate(READ)
        rates.append(float(rate))
        works.append(float(took))
    camera = (page.evaluate("() => window.given") - given) / (time.perf_counter() - began)
    return rates, statistics.median(works), engine, camera


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--engines", nargs="+", default=["arrays"], choices=["arrays", "webgl"])
    options = parser.parse_args()
    print(describe_machine("playwright"))
    with studio() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        for engine in options.engines:
            for view, address in VIEWS.items():
                for _ in range(options.rounds):
                    context = browser.new_context(viewport={"width": 1440, "height": 900})
                    page = context.new_page()
                    page.add_init_script(COUNT_PICTURES)
                    page.goto(f"{url}/#/kernels?engine={engine}&lang=en&{address}")
                    page.wait_for_selector(".stage[data-drawn]")
                    rates, work, used, camera = measure(page, options.seconds)
                    print(
                        f"{used:7} {view:16} {statistics.median(rates):5.1f} frames/s, least {min(rates):5.1f};"
                        f" {work:4.1f} ms of work a frame; the camera gave {camera:5.1f} pictures/s",
                        flush=True,
                    )
                    context.close()
        browser.close()


if __name__ == "__main__":
    main()
