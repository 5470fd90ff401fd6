"""Make the picture of docs/detect-video.md: a video with boxes and trails as an animated WebP.

Run:  python docs/tools/detect_pictures.py [VIDEO] [--model NAME] [--from 0] [--seconds 10] [--line LINE]
Without a video it is the studio's moving sample, from photographs that scikit-image carries.
"""

import argparse
from pathlib import Path

from PIL import Image

from szem.media.video_pipeline import VideoPipeline, open_video_source
from szem.studio import studio_folder
from szem.tasks.video.counting import LineCounter, parse_line
from szem.tasks.video.detect_video import VideoAnalyzer, open_video_detector

TARGET = Path(__file__).parents[1] / "pictures" / "detect-moving.webp"
LARGEST_BYTES = 2_500_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", default=str(studio_folder() / "samples" / "moving.mp4"))
    parser.add_argument("--model", default=None)
    parser.add_argument("--threshold", type=float, default=None)
    parser.add_argument("--line", default="", help="a line that is counted at, for example line=0.02,0.62 0.98,0.62")
    parser.add_argument("--from", dest="start", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--width", type=int, default=480)
    parser.add_argument("--out", type=Path, default=TARGET)
    args = parser.parse_args()
    reader = open_video_source(args.video)
    width, height = reader.size
    lines = [LineCounter(parse_line(args.line, width=width, height=height))] if args.line else []
    watcher = VideoAnalyzer(open_video_detector(args.model, threshold=args.threshold), lines=lines, trails=True)
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


if __name__ == "__main__":
    main()
