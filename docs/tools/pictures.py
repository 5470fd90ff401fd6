"""Make the pictures of README and docs: `python docs/tools/pictures.py`, all; `--stale`, those older than what they
show; with names, only those. Which pictures there are is said by `studio_shots.py`.

Needs playwright and a Chromium. The server is started here, on a free port, with a home of its own. A made picture's
digest goes into docs/pictures/made.json; pictures of measured numbers have programs of their own (`MEASURED`).
"""

import argparse
import json
import os
import runpy
import shutil
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from studio_shots import (
    PICTURES,
    PROGRAMS,
    RECORD,
    SHOTS,
    Shot,
    digest_of_program,
    digest_of_shot,
    expected,
    recorded,
)

from szem.serve.server import serve_beside
from szem.serve.settings import ServeSettings

KEY = "the-key-of-these-photographs"
PATIENCE_MS = 120_000
QUALITY = 86


def open_page(browser: Browser, url: str, shot: Shot) -> Page:
    """The studio in the state that a picture shows."""
    width, height = shot.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=1.5 if width < 600 else 1,
        reduced_motion="reduce",
        locale="en-GB",
    )
    context.add_init_script(f"sessionStorage.setItem('szem.key', {KEY!r})")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{url}/#/{shot.address}")
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_selector(shot.ready, state="attached")
    page.wait_for_timeout(800)
    for step in shot.steps:
        do(page, *step)
    page.wait_for_timeout(1500)
    return page


def take(page: Page, shot: Shot) -> None:
    """One picture."""
    width, height = shot.size
    path = PICTURES / f"{shot.name}.jpg"
    if shot.part:
        page.locator(shot.part).scroll_into_view_if_needed()
        page.wait_for_timeout(700)
        cut(page, shot.part, path)
    else:
        if shot.kept_px > height:
            page.set_viewport_size({"width": width, "height": shot.kept_px})  # so that what is sticky stays in place
            page.wait_for_timeout(700)
        page.screenshot(path=path, type="jpeg", quality=QUALITY)
    print(path.name, path.stat().st_size, flush=True)


def do(page: Page, step: Any, what: Any, *more: Any) -> None:
    """One step before a picture is taken."""
    part = page.locator(what).first if what else None
    if step == "wait":
        page.wait_for_selector(what, state="attached")
    elif step == "rest":
        page.wait_for_timeout(1000 * more[0])
    elif part is None:
        raise ValueError(f"{step} needs an element")
    elif step == "click":
        part.click()
    elif step == "hover":
        part.hover()
    elif step == "fill":
        part.fill(more[0])
    elif step == "scroll":
        part.evaluate("(e) => scrollTo(0, e.getBoundingClientRect().top + scrollY - 90)")
    elif step == "seek":
        part.evaluate("(video, at) => { video.currentTime = at; }", more[0])
        page.wait_for_timeout(1000)
        page.evaluate("scrollTo(0, 0)")
    elif step == "drag":
        box = part.bounding_box()
        assert box is not None
        x0, y0, x1, y1 = more[0]
        page.mouse.move(box["x"] + box["width"] * x0, box["y"] + box["height"] * y0)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * x1, box["y"] + box["height"] * y1, steps=4)
        page.mouse.up()


def cut(page: Page, part: str, path: Path) -> None:
    """A part of the page with a little room around it, below the header that stays on the screen."""
    page.evaluate("document.querySelector('.site-head').style.position = 'static'")
    box = page.locator(part).evaluate(
        "(e) => { const b = e.getBoundingClientRect();"
        " return { x: Math.max(0, b.x - 12), y: b.y + scrollY - 10, width: b.width + 24, height: b.height + 24 }; }"
    )
    page.screenshot(path=path, type="jpeg", quality=QUALITY, clip=box, full_page=True)


def opened_as(shot: Shot) -> str:
    """What distinguishes the pages that pictures are taken of."""
    return repr((shot.address, shot.size, shot.ready, shot.steps))


def keep(made: dict[str, str]) -> None:
    """Note what was made."""
    RECORD.write_text(json.dumps(recorded() | made, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    """Make what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="pictures without their ending, or programs")
    parser.add_argument("--stale", action="store_true", help="only those that are older than what they show")
    args = parser.parse_args()
    had = recorded()
    shots = [
        shot
        for shot in SHOTS
        if (not args.names or shot.name in args.names)
        and (not args.stale or had.get(f"{shot.name}.jpg") != digest_of_shot(shot))
    ]
    programs = [name for name in PROGRAMS if not args.names or name in args.names]
    if args.stale:
        of = {name: [file for file in expected() if file.startswith(PROGRAMS[name][0])] for name in programs}
        programs = [n for n in programs if not of[n] or any(had.get(f) != digest_of_program(n) for f in of[n])]
    if shots:
        path = os.environ.get("SZEM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
            os.environ["SZEM_HOME"] = home  # not among the user's own models and events
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            with serve_beside(ServeSettings(port=0, key=KEY, guard_store=Path(home) / "guard")) as url:
                shots.sort(key=lambda shot: (opened_as(shot), shot.part))
                for _, alike in groupby(shots, key=opened_as):  # a page that several show is opened once
                    page = None
                    for shot in alike:
                        digest = digest_of_shot(shot)
                        page = page or open_page(browser, url, shot)
                        take(page, shot)
                        keep({f"{shot.name}.jpg": digest})
                    if page is not None:
                        page.context.close()
            browser.close()
    for name in programs:
        print(name, flush=True)
        sys.argv = [f"{name}.py"]
        runpy.run_path(str(Path(__file__).with_name(f"{name}.py")), run_name="__main__")
        keep({file: digest for file, digest in expected().items() if file.startswith(PROGRAMS[name][0])})


if __name__ == "__main__":
    main()
