"""Photograph the studio's pages for docs and README: `python docs/tools/studio_pictures.py`.

Needs playwright and a Chromium. The server is started here, on a free port. With names, only those are taken.
"""

import os
import shutil
import sys
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from studio_lab_pictures import PICTURES

from szem.serve.server import serve_beside
from szem.serve.settings import ServeSettings

DESKTOP = (1280, 900)
PHONE = (390, 844)
DRAWN = ".stage[data-drawn]"
ANSWERED = "main[data-answered]"
DRAG_BOX = ("drag", "[data-name=picture] canvas", (0.2, 0.04, 0.83, 0.98))

# file, address, screen, height that is kept (0: the screen's), what must be there, steps
SHOTS: tuple[tuple[str, str, tuple[int, int], int, str, tuple[tuple[Any, ...], ...]], ...] = (
    ("studio-start-light-en", "start", DESKTOP, 860, "[data-name=lens][data-ready]", ()),
    ("studio-start-dark-hu", "start?lang=hu&theme=dark", DESKTOP, 2550, "[data-name=lens][data-ready]", ()),
    ("studio-kernels-light-en", "kernels?kernel=sobel-x&view=signed&at=231,152", (1280, 1400), 0, DRAWN, ()),
    ("studio-kernels-dark-hu", "kernels?kernel=sharpen&picture=cat&lang=hu&theme=dark", (1280, 1400), 0, DRAWN, ()),
    ("studio-kernels-edges", "kernels?mode=edges&view=beside&picture=coffee", (1280, 980), 0, DRAWN, ()),
    ("studio-recognise-light-en", "recognise?picture=coffee", DESKTOP, 0, ".label-row", ()),
    (
        "studio-recognise-dark-hu",
        "recognise?picture=cat&over=crop&ratio=2&lang=hu&theme=dark",
        DESKTOP,
        0,
        ".label-row",
        (),
    ),
    (
        "studio-segment-light-en",
        "segment?picture=cat",
        DESKTOP,
        0,
        ANSWERED,
        (("hover", "[data-name=picture] canvas"),),
    ),
    ("studio-segment-box", "segment?picture=astronaut&mode=box", DESKTOP, 0, ANSWERED, (DRAG_BOX,)),
    (
        "studio-segment-dark-hu",
        "segment?picture=astronaut&lang=hu&theme=dark",
        DESKTOP,
        0,
        ANSWERED,
        (("scroll", "#atrous-title"), ("wait", ".atrous-marks .tap")),
    ),
    (
        "studio-segment-atrous",
        "segment?picture=cat&at=0.25,0.35",
        DESKTOP,
        660,
        ANSWERED,
        (("scroll", "#atrous-title"), ("wait", ".atrous-marks .tap")),
    ),
    ("studio-draw-light-en", "draw?seed=7", DESKTOP, 1000, "[data-name=influence] .influence-word", ()),
    ("studio-phone-start", "start", PHONE, 0, "[data-name=lens][data-ready]", ()),
    ("studio-phone-kernels", "kernels?kernel=emboss", PHONE, 1500, DRAWN, ()),
    ("studio-phone-recognise", "recognise?picture=cat", PHONE, 1100, ".label-row", ()),
    ("studio-phone-segment", "segment?picture=cat", PHONE, 1100, ANSWERED, ()),
)


def take(browser: Browser, url: str, shot: Any) -> None:
    """One photograph."""
    name, address, (width, height), kept, ready, steps = shot
    phone = width < 600
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=1.5 if phone else 1,
        reduced_motion="reduce",
        locale="en-GB",
    )
    page = context.new_page()
    page.goto(f"{url}/#/{address}")
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_selector(ready, state="attached", timeout=60_000)
    page.wait_for_timeout(800)
    for step, what, *more in steps:
        part = page.locator(what).first
        if step == "scroll":
            part.evaluate("(e) => scrollTo(0, e.getBoundingClientRect().top + scrollY - 90)")
        elif step == "wait":
            page.wait_for_selector(what, state="attached", timeout=60_000)
        elif step == "hover":
            part.hover()
        elif step == "drag":
            box = part.bounding_box()
            assert box is not None
            x0, y0, x1, y1 = more[0]
            page.mouse.move(box["x"] + box["width"] * x0, box["y"] + box["height"] * y0)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] * x1, box["y"] + box["height"] * y1, steps=4)
            page.mouse.up()
    page.wait_for_timeout(1500)
    if kept > height:
        page.set_viewport_size({"width": width, "height": kept})  # a screen long enough, so that what is sticky stays
        page.wait_for_timeout(700)
    path = PICTURES / f"{name}.jpg"
    clip = {"x": 0, "y": 0, "width": width, "height": kept or height}
    page.screenshot(path=path, clip=clip, type="jpeg", quality=86)
    context.close()
    print(name, path.stat().st_size)


def main(names: list[str]) -> None:
    """Take all photographs, or those that are named."""
    path = os.environ.get("SZEM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with serve_beside(ServeSettings(port=0)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for shot in SHOTS:
            if not names or shot[0] in names:
                take(browser, url, shot)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
