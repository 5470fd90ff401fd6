"""Captions a second, and the caption that a fool would give, beside the network's scores.

Run:  python benchmarks/caption.py [--seconds 6]
      python benchmarks/caption.py --peer --data shared/data/flickr8k

The peer: no network that speaks, only sentences that people wrote for the training pictures nearest to a picture
(J. Devlin et al., Exploring Nearest Neighbor Approaches for Image Captioning, 2015, arXiv:1505.04467): the first of
the nearest picture, and of the 30 sentences of the 6 nearest the one most like the others (CIDEr-D).
"""

import argparse
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


def per_second(run: Callable[[], int], seconds: float) -> float:
    """What a function does a second, after one call to warm up."""
    run()
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        done += run()
    return done / (time.perf_counter() - began)


def speed(seconds: float) -> None:
    """From pictures in memory to sentences."""
    pictures = [read_sample(name) for name in SAMPLES] * 8
    together = Captioner(open_model(task="caption", threads=1))
    alone = Captioner(open_model(task="caption"))
    places = iter(range(10**9))
    for beams in (1, 3, 5, 10):
        many = per_second(lambda beams=beams: len(together(pictures, beams=beams)), seconds)
        one = per_second(lambda beams=beams: len(alone([pictures[next(places) % 6]], beams=beams)), seconds)
        print(f"beam {beams}: {many:6.1f} captions/s, 48 pictures a call; {one:6.1f} one by one ({1e3 / one:.0f} ms)")
    encoded = per_second(lambda: len(together.encode(pictures)), seconds)
    print(f"encoder alone: {encoded:6.1f} pictures/s")


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
    given = parser.parse_args()
    print(describe_machine("onnxruntime", "numpy"))
    if given.peer:
        peer(given.data)
    else:
        speed(given.seconds)


if __name__ == "__main__":
    main()
