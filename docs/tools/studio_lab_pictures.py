"""Photograph the studio's lab pages for docs/network.md and the lecture: `python docs/tools/studio_lab_pictures.py`.

Needs playwright and a Chromium. The server is started here, on a free port.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from szem.serve.server import serve_beside
from szem.serve.settings import ServeSettings

PICTURES = Path(__file__).resolve().parent.parent / "pictures"
TIMED = "[data-fact=time]"

# file, address, width and height of the screen, what must be there, what is photographed (else the screen), steps
SHOTS: tuple[tuple[str, str, tuple[int, int], str, str, tuple[tuple[str, str], ...]], ...] = (
    ("network-map", "network?picture=cat", (1280, 1150), TIMED, "", ()),
    (
        "network-layer",
        "network?picture=cat&layer=8&order=likeness&map=45",
        (1280, 1500),
        TIMED,
        ".layer-panel",
        (),
    ),
    (
        "network-neuron",
        "network?picture=cat&layer=12&map=24&at=12,9",
        (1280, 1500),
        TIMED,
        ".layer-panel",
        (("click", "[data-name=find-strongest]"), ("wait", ".patches li")),
    ),
    (
        "network-heat",
        "network?picture=cat",
        (1280, 900),
        TIMED,
        ".heat-shelf",
        (("wait", "[data-name=heat] canvas"),),
    ),
    ("network-dark-hu", "network?picture=coffee&layer=12&lang=hu&theme=dark", (1280, 900), TIMED, "", ()),
    (
        "network-phone",
        "network?picture=cat&layer=20",
        (390, 844),
        TIMED,
        "",
        (("scroll", "[data-name=neurons]"), ("hover", "[data-name=neurons] canvas")),
    ),
    ("lecture-triangle-en", "triangle", (1280, 900), ".tri-answer output", ".tri-stage", ()),
    ("lecture-triangle-hu", "triangle?lang=hu", (1280, 900), ".tri-answer output", ".tri-stage", ()),
    (
        "lecture-learned-en",
        "triangle",
        (1280, 900),
        "[data-name=train]",
        "section.train",
        (("click", "[data-name=train]"), ("wait", "[data-name=progress][data-done]")),
    ),
    (
        "lecture-learned-hu",
        "triangle?lang=hu",
        (1280, 900),
        "[data-name=train]",
        "section.train",
        (("click", "[data-name=train]"), ("wait", "[data-name=progress][data-done]")),
    ),
)


def take(browser: Browser, url: str, shot: Any) -> None:
    """One photograph."""
    name, address, (width, height), ready, part, steps = shot
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{url}/#/{address}")
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_selector(ready, timeout=60_000)
    if part:
        page.locator(part).scroll_into_view_if_needed()
    for step, what in steps:
        if step == "click":
            page.locator(what).first.click()
        elif step == "wait":
            page.wait_for_selector(what, timeout=60_000)
        elif step == "scroll":
            page.locator(what).evaluate("(e) => e.scrollIntoView({ block: 'center' })")
        elif step == "hover":
            page.locator(what).hover()
    page.wait_for_timeout(700)
    path = PICTURES / f"{name}.jpg"
    (page.locator(part) if part else page).screenshot(path=path, type="jpeg", quality=88)
    context.close()
    print(name, path.stat().st_size)


def main() -> None:
    """Take all photographs."""
    path = os.environ.get("SZEM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with serve_beside(ServeSettings(port=0)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for shot in SHOTS:
            take(browser, url, shot)
        browser.close()


if __name__ == "__main__":
    main()
