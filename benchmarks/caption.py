"""Captions a second, and the caption that a fool would give, beside the network's scores.

Run:  python benchmarks/caption.py [--seconds 6] [--beside COMMIT]
      python benchmarks/caption.py --peer --data shared/data/flickr8k

With `--beside` the same is measured with the package of an earlier commit, in turns of a process each. Beside the
captions a second stands the processor time of each, which other work on the machine hardly changes.

The peer: no network that speaks, only sentences that people wrote for the training pictures nearest to a picture
(J. Devlin et al., Exploring Nearest Neighbor Approaches for Image Captioning, 2015, arXiv:1505.04467): the first of
the nearest picture, and of the 30 sentences of the 6 nearest the one most like the others (CIDEr-D).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from machine import describe_machine
from szem.data.words import split_words
from szem.media.pictures import read_picture
from szem.media.samples import SAMPLES, read_sample
from szem.tasks.captioning.bleu_cider import Cider, bleu
from szem.tasks.captioning.caption import Captioner
from szem.tasks.captioning.evaluate import read_split
from szem.tasks.models import open_model

NEAREST = 6


def per_second(run: Callable[[], int], seconds: float) -> tuple[float, float]:
    """What a function does a second, and the milliseconds of processor time of one, after one call to warm up."""
    run()
    done, began, spent = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        done += run()
    return done / (time.perf_counter() - began), 1e3 * (time.process_time() - spent) / done


def speed(seconds: float) -> None:
    """From pictures in memory to sentences."""
    pictures = [read_sample(name) for name in SAMPLES] * 4
    together = Captioner(open_model(task="caption", threads=1))
    for beams in (1, 3, 10):
        many, ms = per_second(lambda beams=beams: len(together(pictures, beams=beams)), seconds)
        print(f"beam {beams}: {many:6.1f} captions/s, {len(pictures)} pictures a call; {ms:.0f} ms of processor time")
    encoded, ms = per_second(lambda: len(together.encode(pictures)), seconds)
    print(f"encoder, detector and classifier: {encoded:6.1f} pictures/s; {ms:.0f} ms of processor time each")


def beside(commit: str, seconds: float) -> None:
    """`speed` of this tree and of a commit, twice each, in turns."""
    here = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as place:
        other = Path(place) / "before"
        subprocess.run(["git", "-C", here, "worktree", "add", "-q", "--detach", other, commit], check=True)
        try:
            for _ in range(2):
                for name, tree in ((commit, other), ("this tree", here)):
                    print(f"-- {name}", flush=True)
                    command = [sys.executable, __file__, "--seconds", str(seconds)]
                    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(tree / "src")})
        finally:
            subprocess.run(["git", "-C", here, "worktree", "remove", "--force", other], check=True)


def peer(data: Path) -> None:
    """Scores of sentences taken from the nearest training pictures."""
    captioner = Captioner(open_model(task="caption", threads=1))
    train, val = read_split(data, "train"), read_split(data, "val")
    places = {file: captioner.encode([read_picture(file)])[0].space for file in (*train, *val)}
    known = np.stack([places[file] for file in train])
    sentences = [[split_words(text) for text in texts] for texts in train.values()]
    people = [[split_words(text) for text in texts] for texts in val.values()]
    weighing = Cider(sentences)
    first, agreed = [], []
    for file in val:
        near = np.argsort(-(known @ places[file]))[:NEAREST]
        first.append(sentences[near[0]][0])
        candidates = [words for i in near for words in sentences[i]]
        scores = [weighing.score_against(words, [o for o in candidates if o is not words]) for words in candidates]
        agreed.append(candidates[int(np.argmax(scores))])
    cider = Cider(people)
    for name, found in (("nearest picture's", first), (f"most agreed of {NEAREST} nearest", agreed)):
        blues = ", ".join(f"BLEU-{k} {value:.3f}" for k, value in enumerate(bleu(found, people), start=1))
        print(f"{name}: {blues}, CIDEr-D {cider.mean(found):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=6.0, help="for each measurement of speed")
    parser.add_argument("--peer", action="store_true", help="scores of the nearest pictures' sentences; needs --data")
    parser.add_argument("--data", type=Path, default=Path("shared/data/flickr8k"))
    parser.add_argument("--beside", metavar="COMMIT", help="also measure the package of this commit")
    given = parser.parse_args()
    if given.beside:
        beside(given.beside, given.seconds)
        return
    print(describe_machine("onnxruntime", "numpy"))
    if given.peer:
        peer(given.data)
    else:
        speed(given.seconds)


if __name__ == "__main__":
    main()
