"""Photograph the studio's pages for docs and README: `python docs/tools/studio_pictures.py`.

Every page of the studio's own list is taken, and some states beside. Needs playwright and a Chromium; the server is
started here, on a free port. With names, only those are taken. Beside the pictures, `studio.json` keeps a digest of
the scripts and style sheets of the page that each shows: tests/docs/test_studio_pictures.py fails when one is older.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from szem.serve.server import serve_beside
from szem.serve.settings import ServeSettings
from szem.studio import studio_folder

PICTURES = Path(__file__).resolve().parent.parent / "pictures"
DIGESTS = PICTURES / "studio.json"
KEY = "a-key-for-the-pictures-of-the-studio"
DESKTOP, TALL, PHONE = (1280, 900), (1280, 1400), (390, 844)
DRAG_BOX = ("drag", "[data-name=picture] canvas", (0.2, 0.04, 0.83, 0.98))
ATROUS = (("scroll", "#atrous-title"), ("wait", ".atrous-marks .tap"))
YARD = (("wait", "[data-name=film-state][data-state=done]"), ("seek", "[data-name=film-video]", 23))

# What must be there before a page is photographed.
SHOWN = {
    "start": "[data-name=lens][data-ready]",
    "kernels": ".stage[data-drawn]",
    "neuron": ".neuron-drawing text",
    "stride": "[data-cost=same-reach][data-ms]",
    "triangle": ".tri-answer output",
    "network": "[data-fact=time], .layer-tile",
    "recognise": ".label-row",
    "segment": "main[data-answered]",
    "lips": "[data-name=word-result] .word-best",
    "guard": "[data-name=film-state]",
    "draw": "[data-name=influence] .influence-word",
}
# The state in which a page is photographed, where it is not the one that it opens with; and its screen.
STATES = {"kernels": "kernel=sobel-x&view=signed&at=231,152", "recognise": "picture=coffee", "draw": "seed=7"}
STATES |= {"segment": "picture=cat", "caption": "picture=cat", "network": "picture=cat"}
SCREENS = {"kernels": TALL, "network": (1280, 1150), "lips": (1280, 1250), "draw": (1280, 1000)}
STEPS: dict[str, tuple[tuple[Any, ...], ...]] = {
    "segment": (("hover", "[data-name=picture] canvas"),),
    "guard": YARD,
    "detect": (("wait", "[data-name=things] li"),),
}

Shot = tuple[str, str, str, tuple[int, int], tuple[tuple[Any, ...], ...]]  # file, page, state, screen, steps


def shots() -> list[Shot]:
    """One picture of every page, and states of some, in Hungarian, dark, or on a phone."""
    pages = re.findall(r'name: "(\w+)"', (studio_folder() / "js" / "pages.js").read_text(encoding="utf-8"))
    found: list[Shot] = [
        (f"studio-{name}-light-en", name, STATES.get(name, ""), SCREENS.get(name, DESKTOP), STEPS.get(name, ()))
        for name in pages
    ]
    found += [
        ("studio-start-dark-hu", "start", "lang=hu&theme=dark", (1280, 2550), ()),
        ("studio-kernels-dark-hu", "kernels", "kernel=sharpen&picture=cat&lang=hu&theme=dark", TALL, ()),
        ("studio-kernels-edges", "kernels", "mode=edges&view=beside&picture=coffee", (1280, 980), ()),
        ("studio-recognise-dark-hu", "recognise", "picture=cat&over=crop&ratio=2&lang=hu&theme=dark", DESKTOP, ()),
        ("studio-segment-dark-hu", "segment", "picture=astronaut&lang=hu&theme=dark", DESKTOP, ATROUS),
        ("studio-segment-box", "segment", "picture=astronaut&mode=box", DESKTOP, (DRAG_BOX,)),
        ("studio-segment-atrous", "segment", "picture=cat&at=0.25,0.35", DESKTOP, ATROUS),
        ("studio-caption-dark-hu", "caption", "picture=coffee&word=1&lang=hu&theme=dark", DESKTOP, ()),
        ("studio-lips-dark-hu", "lips", "lang=hu&theme=dark", DESKTOP, (("scroll", "[data-name=lip-pairs]"),)),
        ("studio-guard-rules", "guard", "film=none", DESKTOP, (("scroll", "#guard-rules"),)),
        ("studio-phone-start", "start", "", PHONE, ()),
        ("studio-phone-kernels", "kernels", "kernel=emboss", (390, 1500), ()),
        ("studio-phone-recognise", "recognise", "picture=cat", (390, 1100), ()),
        ("studio-phone-segment", "segment", "picture=cat", (390, 1100), ()),
        ("studio-phone-detect", "detect", "", (390, 1100), ()),
        ("studio-phone-lips", "lips", "", (390, 1100), ()),
    ]
    return found


def digest_of(page: str) -> str:
    """A digest of a page's own scripts and style sheets."""
    folder = studio_folder()
    sheets = (p for p in (folder / "css").glob("*.css") if p.stem.split("-")[0] in (page, page.removesuffix("s")))
    digest = hashlib.sha256()
    for path in sorted([*(folder / "js" / page).glob("*.js"), *sheets]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def take(page: Page, shot: Shot) -> None:
    """One photograph."""
    name, where, state, (width, height), steps = shot
    page.set_viewport_size({"width": width, "height": height})
    query = "&".join(filter(None, ("lang=en&theme=light" if "lang=" not in state else "", state, f"shot={name}")))
    page.evaluate(
        "(hash) => { delete document.documentElement.dataset.ready; scrollTo(0, 0); location.hash = hash; }",
        f"#/{where}?{query}",
    )
    page.wait_for_selector(f"html[data-ready={where}]", state="attached")
    if where in SHOWN:
        page.wait_for_selector(SHOWN[where], state="attached")
    page.wait_for_timeout(1500)
    for step, what, *more in steps:
        part = page.locator(what).first
        if step == "scroll":
            part.evaluate("(e) => scrollTo(0, e.getBoundingClientRect().top + scrollY - 90)")
        elif step == "wait":
            page.wait_for_selector(what, state="attached")
        elif step == "hover":
            part.hover()
        elif step == "seek":
            part.evaluate("(video, to) => { video.pause(); video.currentTime = to; }", more[0])
        elif step == "drag":
            box = part.bounding_box()
            assert box is not None
            x0, y0, x1, y1 = more[0]
            page.mouse.move(box["x"] + box["width"] * x0, box["y"] + box["height"] * y0)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] * x1, box["y"] + box["height"] * y1, steps=4)
            page.mouse.up()
        page.wait_for_timeout(1200)
    page.screenshot(path=PICTURES / f"{name}.jpg", type="jpeg", quality=84)
    known = json.loads(DIGESTS.read_text(encoding="utf-8")) if DIGESTS.is_file() else {}
    known[name] = {"page": where, "digest": digest_of(where)}
    DIGESTS.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")
    print(name, (PICTURES / f"{name}.jpg").stat().st_size, flush=True)


def main(names: list[str]) -> None:
    """Take all photographs, or those that are named."""
    path = os.environ.get("SZEM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with serve_beside(ServeSettings(port=0, key=KEY)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(reduced_motion="reduce", locale="en-GB")
        context.add_init_script(f"sessionStorage.setItem('szem.key', {KEY!r})")
        page = context.new_page()
        page.set_default_timeout(180_000)
        page.goto(f"{url}/#/start")
        for shot in shots():
            if not names or shot[0] in names:
                try:
                    take(page, shot)
                except Exception as error:  # the others are still wanted
                    print(f"{shot[0]}: {error}", flush=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
