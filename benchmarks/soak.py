"""Ten minutes of `szem detect` over a film that begins again and again: does memory stay flat, and the rate steady?

Run:  python benchmarks/soak.py --film cars.mp4 [--model NAME] [--minutes 10]
The film is written out anew each time round, with boxes and sound. One line every half minute: frames a second and
resident memory. Memory counts as flat when the last third is within 5 % of the second one; the rate as steady when no
half minute is more than a quarter below the median.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from machine import describe_machine
from szem.media.film import FilmMaker, open_film
from szem.tasks.detect_video import VideoWatcher, open_sight

EVERY_S = 30.0


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--film", type=Path, required=True)
    parser.add_argument("--model", default=None)
    parser.add_argument("--minutes", type=float, default=10)
    args = parser.parse_args()
    print(describe_machine("szem", "onnxruntime", "av"))
    sight = open_sight(args.model)
    began = last = time.perf_counter()
    rates, sizes, frames, total, rounds = [], [], 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        while time.perf_counter() - began < args.minutes * 60:
            rounds += 1
            watcher = VideoWatcher(sight, trails=True)
            with FilmMaker(
                open_film(args.film, sound=True), watcher.steps, Path(folder) / "a.mp4", preset="ultrafast"
            ) as maker:
                for _ in maker:
                    frames, total = frames + 1, total + 1
                    now = time.perf_counter()
                    if now - last >= EVERY_S:
                        rates.append(frames / (now - last))
                        sizes.append(resident_mib())
                        print(f"{now - began:5.0f} s  {rates[-1]:6.1f} frames/s  {sizes[-1]:6.1f} MiB", flush=True)
                        last, frames = now, 0
    third = max(1, len(sizes) // 3)
    growth = np.mean(sizes[-third:]) / np.mean(sizes[third : 2 * third] or sizes) - 1
    slowest = min(rates) / np.median(rates) - 1
    print(f"{total} frames in {rounds} rounds; memory {growth:+.1%} from the second to the last third; ", end="")
    print(f"rate {np.median(rates):.1f} frames/s, the slowest half minute {slowest:+.1%}")


if __name__ == "__main__":
    main()
