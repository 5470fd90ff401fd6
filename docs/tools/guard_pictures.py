"""Photograph the guard page for docs and the lecture: `python docs/tools/guard_pictures.py`.

The film is composed (`benchmarks.scenes.stories`, all of it drawn) and its siren is made of tones; what the page
shows is what the shipped networks make of it. Needs playwright and a Chromium; takes some minutes.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright
from studio_lab_pictures import PICTURES

from szem.serve.server import serve_beside
from szem.serve.settings import ServeSettings

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the scene simulator is not in the wheel
from benchmarks.scenes.sprites import draw_sprites
from benchmarks.scenes.stories import compose_scene

SOUND_HZ = 16_000
RATE_HZ = 10
SEED = 6
KEY = "the-key-of-these-photographs"
SIREN_S = (19.0, 25.0)
RULES = """# What is told of the yard.
[zones]
yard = [[0.03, 0.25], [0.97, 0.25], [0.97, 0.97], [0.03, 0.97]]

[[rules]]
name = "something was left"
events = ["left behind", "removed"]
zones = ["yard"]

[[rules]]
name = "siren or shot"
events = ["siren", "gun shot"]
"""
STATE = "document.querySelector('[data-name=film-state]').dataset.state"
PATIENCE_S = 900


def make_video(path: Path) -> None:
    """Somebody leaves a bag; a siren passes."""
    scene = compose_scene("left", SEED, draw_sprites(SEED), rate_hz=RATE_HZ, duration_s=30.0, extras=False)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=RATE_HZ)
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        audio = out.add_stream("aac", rate=SOUND_HZ, layout="mono")
        for _, picture in scene.frames():
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode())
        frame = av.AudioFrame.from_ndarray(make_sound(30.0)[None], format="fltp", layout="mono")
        frame.sample_rate = SOUND_HZ
        out.mux(audio.encode(frame))
        out.mux(audio.encode())


def make_sound(seconds: float) -> NDArray[np.float32]:
    """Wind, and in it a siren that wails up and down."""
    rng = np.random.default_rng(SEED)
    at = np.arange(round(seconds * SOUND_HZ)) / SOUND_HZ
    wind = np.convolve(rng.standard_normal(len(at)), np.ones(24) / 24, "same") * 0.01
    pitch_hz = 950 + 350 * np.sin(2 * np.pi * at / 3.2)
    turn = 2 * np.pi * np.cumsum(pitch_hz) / SOUND_HZ
    wail = sum(np.sin(k * turn) / k for k in (1, 2, 3, 5))
    start, end = SIREN_S
    loud = np.clip(np.minimum(at - start, end - at), 0, 1)
    return (wind + 0.16 * loud * wail).astype(np.float32)


def show(page: Page, video: Path) -> None:
    """Set the rules, send the film and wait for its end; then look at the bag."""
    page.fill("[data-name=rules-text]", RULES)
    page.wait_for_timeout(1500)
    page.click("[data-name=save-rules]")
    page.wait_for_timeout(1000)
    page.locator("[data-name=film-file]").set_input_files(video)
    for _ in range(PATIENCE_S):
        page.wait_for_timeout(1000)
        if page.evaluate(STATE) in ("done", "failed"):
            break
    print(page.locator("[data-name=film-events]").inner_text())
    page.evaluate("document.querySelector('[data-name=film-video]').currentTime = 23")
    page.wait_for_timeout(800)
    page.evaluate("scrollTo(0, 0)")


def cut(page: Page, part: str, name: str) -> None:
    """A part of the page with a little room around it, below the header that stays on the screen."""
    page.evaluate("document.querySelector('.site-head').style.position = 'static'")
    box = page.locator(part).evaluate(
        "(e) => { const b = e.getBoundingClientRect();"
        " return { x: b.x - 18, y: b.y + scrollY - 10, width: b.width + 36, height: b.height + 28 }; }"
    )
    page.screenshot(path=PICTURES / name, type="jpeg", quality=85, clip=box, full_page=True)


def main() -> None:
    """Take all photographs."""
    path = os.environ.get("SZEM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        video = Path(home) / "yard.mp4"
        make_video(video)
        os.environ["SZEM_HOME"] = home  # not among the user's own events
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        with serve_beside(ServeSettings(port=0, key=KEY)) as url:
            page = browser.new_page(viewport={"width": 1280, "height": 960}, reduced_motion="reduce")
            page.goto(f"{url}/#key={KEY}")
            page.goto(f"{url}/#/guard?theme=light")
            page.wait_for_selector("html[data-ready=guard]", state="attached")
            show(page, video)
            page.screenshot(path=PICTURES / "studio-guard-light-en.jpg", type="jpeg", quality=85)
            cut(page, ".guard-try", "lecture-events.jpg")
            cut(page, "#guard-rules", "studio-guard-rules.jpg")
        browser.close()


if __name__ == "__main__":
    main()
