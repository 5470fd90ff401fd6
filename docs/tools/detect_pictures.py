"""Make the moving picture of the docs: boxes, numbers, trails and a count on a street film, as an animated WebP.

Run:  python docs/tools/detect_pictures.py FILM [--model NAME] [--from 15.2] [--seconds 4.2]
The film is `cars.mp4` of Intel's sample videos (CC BY 4.0); whoever shows the picture names the source.
"""

import argparse
from pathlib import Path

from PIL import Image

from szem.media.film import FilmMaker, open_film
from szem.tasks.counting import LineCounter, parse_line
from szem.tasks.detect_video import VideoWatcher, open_sight

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
    args = parser.parse_args()
    reader = open_film(args.film)
    width, height = reader.size
    line = LineCounter(parse_line(args.line, width=width, height=height))
    watcher = VideoWatcher(open_sight(args.model, threshold=args.threshold), lines=[line], trails=True)
    pictures: list[Image.Image] = []
    times: list[float] = []
    with FilmMaker(reader, watcher.steps) as maker:
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


if __name__ == "__main__":
    main()
