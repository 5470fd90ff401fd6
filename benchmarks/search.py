"""A query among many pictures: seconds and memory, over an index of synthetic rows and as many empty files.

Command:  python benchmarks/search.py --pictures 100000

All in one process, which makes the index too, so its memory counts. The first query lists all folders and compares
all files; those after it compare the folders and a part of the files; before the last one every folder has changed.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from machine import describe_machine
from szem.tasks.search.encoder import _STEP, WIDTH, open_encoder
from szem.tasks.search.index import FileState, IndexFile
from szem.tasks.search.search import find_hits, update_index

__all__ = ["main"]

_TOGETHER = 2000


def main() -> None:
    """Make the index, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pictures", type=int, default=100_000)
    count = parser.parse_args().pictures
    print(describe_machine("onnxruntime", "numpy"))
    encoder = open_encoder(threads=1)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        folder, file = Path(place) / "pictures", Path(place) / "x.index"
        index = IndexFile(file, identity=encoder.identity, width=2 * WIDTH)
        for start in range(0, count, _TOGETHER):
            below = folder / f"{start // _TOGETHER:04}"
            below.mkdir(parents=True)
            rows = []
            for n in range(start, min(start + _TOGETHER, count)):
                picture = below / f"{n:06}.jpg"
                picture.touch()
                state = FileState(picture.relative_to(folder).as_posix(), 0, picture.stat().st_mtime_ns)
                row = rng.normal(scale=WIDTH**-0.5, size=2 * WIDTH) / _STEP
                rows.append((state, np.clip(row, -127, 127).astype(np.int8), '[["dog",0.9,2,"brown"]]'))
            index.add(rows)
        index.close()
        print(f"index: {file.stat().st_size / 1e6:.0f} MB")
        for text in ("two dogs in the snow", "a red car", "two dogs in the snow", "a boat", "a cat"):
            if text == "a cat":
                for below in folder.iterdir():
                    (below / "new.txt").touch()
            start_s, spent_s = time.perf_counter(), time.process_time()
            found = update_index(folder, encoder=encoder, file=file)
            hits = find_hits(found, encoder, encoder.query(text), text=text, top=10)
            taken = time.perf_counter() - start_s
            found.file.close()
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            used = time.process_time() - spent_s
            figures = f"{1e3 * taken:.0f} ms, {1e3 * used:.0f} ms of processor time"
            print(f"{text!r}: {figures}, {len(hits)} of {hits.searched}, most memory {most:.0f} MiB")


if __name__ == "__main__":
    main()
