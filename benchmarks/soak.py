"""Ten minutes of `szem detect` over a film that begins again and again: does memory stay flat, and the rate steady?

Run:  python benchmarks/soak.py --video cars.mp4 [--model NAME] [--minutes 10] [--pace 25]
One film is written, with boxes and trails. With --pace frames come at that rate, as a camera gives them, and the
machine has time for other things; without it they come as fast as they are taken. One line every half minute: frames
a second, processor time a frame, resident memory. At the end: how much memory grew from the second to the last third,
and how far the slowest half minute was below the median.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from machine import describe_machine
from szem.media.frames import Frame
from szem.media.video import VideoReader
from szem.media.video_pipeline import VideoPipeline
from szem.tasks.video.detect_video import VideoAnalyzer, open_video_detector

EVERY_S = 30.0


class Round(VideoReader):
    """A film that begins anew when it ends, for some minutes."""

    def __init__(self, video: Path, *, minutes: float, pace_hz: float | None) -> None:
        super().__init__(video)
        self.video, self.end_s, self.pace_hz = video, minutes * 60, pace_hz
        self.rounds = 0

    def __iter__(self) -> Iterator[Frame]:
        began, count = time.perf_counter(), 0
        while True:
            self.rounds += 1
            with VideoReader(self.video) as reader:
                for frame in reader:
                    now = time.perf_counter() - began
                    if now > self.end_s:
                        return
                    if self.pace_hz is not None:
                        time.sleep(max(0.0, count / self.pace_hz - now))
                    yield replace(frame, index=count, time_s=count / self.info.rate_hz)
                    count += 1


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--model", default=None)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--pace", type=float, default=None)
    args = parser.parse_args()
    print(describe_machine("szem", "onnxruntime", "av"))
    source = Round(args.video, minutes=args.minutes, pace_hz=args.pace)
    watcher = VideoAnalyzer(open_video_detector(args.model), trails=True)
    rates, sizes, frames = [], [], 0
    began = last = time.perf_counter()
    spent = time.process_time()
    with (
        tempfile.TemporaryDirectory() as folder,
        VideoPipeline(source, watcher.steps, Path(folder) / "a.mp4", preset="ultrafast") as maker,
    ):
        for _ in maker:
            frames, now = frames + 1, time.perf_counter()
            if now - last >= EVERY_S:
                rates.append(frames / (now - last))
                sizes.append(resident_mib())
                each_ms = (time.process_time() - spent) / frames * 1000
                print(
                    f"{now - began:5.0f} s {rates[-1]:6.1f} frames/s {each_ms:5.1f} ms {sizes[-1]:6.1f} MiB",
                    flush=True,
                )
                last, frames, spent = now, 0, time.process_time()
    third = max(1, len(sizes) // 3)
    growth = np.mean(sizes[-third:]) / np.mean(sizes[third : 2 * third] or sizes) - 1
    slowest = min(rates) / np.median(rates) - 1
    print(
        f"{maker.done} frames in {source.rounds} rounds; memory {growth:+.1%} from the second to the last third; ",
        end="",
    )
    print(f"rate {np.median(rates):.1f} frames/s, the slowest half minute {slowest:+.1%}")


if __name__ == "__main__":
    main()
