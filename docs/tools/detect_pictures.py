"""Make the pictures of docs/detect-video.md: a street film with boxes as an animated WebP, and the studio's page.

Run:  python docs/tools/detect_pictures.py FILM [--model NAME] [--from 15.2] [--seconds 4.2] [--studio]
The film is `cars.mp4` of Intel's sample videos (CC BY 4.0); whoever shows the picture names the source.
"""

import argparse
from pathlib import Path

from PIL import Image

from szem.media.video import inspect_video
from szem.media.video_pipeline import VideoPipeline, open_video_source
from szem.tasks.video.counting import LineCounter, parse_line
from szem.tasks.video.detect_video import VideoAnalyzer, open_video_detector

TARGET = Path(__file__).parents[1] / "pictures" / "detect-cars.webp"
LARGEST_BYTES = 2_500_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film")
    parser.add_argument("--model", default=None)
    parser.add_argument("--threshold", type=float, default=None)
    parser.add_argument("--line", default="line=0.02,0.62 0.98,0.62")
    parser.add_argument("--from", dest="start", type=float, default=15.2)
    parser.add_argument("--seconds", type=float, default=4.2)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--studio", action="store_true", help="photograph the studio's page instead")
    args = parser.parse_args()
    if args.studio:
        photograph(args.video, args.model or "", args.start + 0.6)
        return
    reader = open_video_source(args.video)
    width, height = reader.size
    line = LineCounter(parse_line(args.line, width=width, height=height))
    watcher = VideoAnalyzer(open_video_detector(args.model, threshold=args.threshold), lines=[line], trails=True)
    pictures: list[Image.Image] = []
    times: list[float] = []
    with VideoPipeline(reader, watcher.steps) as maker:
        for drawn in maker:
            if drawn.frame.time_s >= args.start:
                full = Image.fromarray(drawn.picture.to_rgb())
                pictures.append(
                    full.resize((args.width, round(args.width * height / width)), Image.Resampling.LANCZOS)
                )
                times.append(drawn.frame.time_s)
            if drawn.frame.time_s > args.start + args.seconds:
                maker.end()
    gap_ms = round((times[-1] - times[0]) / (len(times) - 1) * 1000)
    for quality in (80, 65, 50, 35):
        options = {"save_all": True, "append_images": pictures[1:], "duration": gap_ms, "loop": 0}
        pictures[0].save(args.out, quality=quality, method=4, **options)
        size = args.out.stat().st_size
        print(f"{args.out.name}: {len(pictures)} pictures, quality {quality}, {size / 1e6:.2f} MB")
        if size < LARGEST_BYTES:
            break


def photograph(video: str, model: str, at_s: float) -> None:
    """The page at a moment of the film: light and English, dark and Hungarian, on a phone."""
    import shutil

    from playwright.sync_api import sync_playwright

    from szem.serve.server import serve_beside
    from szem.serve.settings import ServeSettings

    seek = """([at]) => new Promise((done) => { const line = document.querySelector('[data-name=film-place] input');
      line.value = at; line.dispatchEvent(new Event('input')); setTimeout(done, 1700); })"""
    with serve_beside(ServeSettings(port=0)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, language, theme, size, scale in (
            ("studio-detect-light-en", "en", "light", (1280, 900), 1),
            ("studio-detect-dark-hu", "hu", "dark", (1280, 900), 1),
            ("studio-phone-detect", "en", "light", (390, 844), 2),
        ):
            sides = {"width": size[0], "height": size[1]}
            page = browser.new_context(viewport=sides, device_scale_factor=scale).new_page()
            query = f"lang={language}&theme={theme}" + (f"&model={model}" if model else "")
            page.goto(f"{url}/#/detect?{query}")
            page.wait_for_selector("html[data-ready=detect]", state="attached")
            page.locator("[data-name=file]").set_input_files(video)
            page.wait_for_selector("[data-name=film]", state="visible")
            page.wait_for_timeout(1500)
            page.evaluate(seek, [round(at_s / inspect_video(video).duration_s * 1000)])
            page.screenshot(path=TARGET.parent / f"{name}.png", full_page=scale == 1)
            print(name)
        browser.close()


if __name__ == "__main__":
    main()
