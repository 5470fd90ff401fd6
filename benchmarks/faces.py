"""How many faces a second are found, and how many frames a second a mouth is followed through.

    python benchmarks/faces.py [--seconds 10]

Pictures: the bundled portrait, 512×512, alone and four times in one picture. Two workers, a thread each, as the
server runs them. No peer runs beside it: the networks' own library (TensorFlow Lite) is not in szem's surroundings.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from machine import describe_machine
from szem.arrays import Picture8
from szem.media.samples import read_sample
from szem.runtime.sessions import cores
from szem.tasks.faces.detect import open_faces
from szem.tasks.faces.mouth_crops import follow_mouth


def rate(work: Callable[[], int], *, seconds: float, workers: int) -> float:
    """Things done a second by so many workers; each call does some."""
    work()
    end = time.perf_counter() + seconds

    def keep_on() -> int:
        done = 0
        while time.perf_counter() < end:
            done += work()
        return done

    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        done = sum(job.result() for job in [pool.submit(keep_on) for _ in range(workers)])
    return done / (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    seconds = parser.parse_args().seconds
    print(describe_machine())
    finder, workers = open_faces(threads=1), min(2, cores())
    portrait = read_sample("astronaut")
    four = np.tile(portrait, (2, 2, 1))
    assert len(finder(portrait)) == 1
    assert len(finder(four)) == 4
    for name, picture, faces in (("one face", portrait, 1), ("four faces", four, 4)):

        def find(picture: Picture8 = picture, faces: int = faces) -> int:
            finder(picture)
            return faces

        print(f"{name} a picture: {rate(find, seconds=seconds, workers=workers):.0f} faces/s, {workers} workers")

    def follow() -> int:
        return len(follow_mouth(((n / 25, portrait) for n in range(50)), finder=finder))

    for many in (1, workers):
        print(f"mouth followed: {rate(follow, seconds=seconds, workers=many):.0f} frames/s, {many} workers")


if __name__ == "__main__":
    main()
