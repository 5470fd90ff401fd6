"""Measure the search: how often the picture that a sentence was written for is among the first that it finds.

The data is a folder with `captions.csv` (image, caption, split) and its pictures. Every sentence is a query over all
pictures of the split.
"""

from pathlib import Path

import numpy as np

from szem.media.pictures import read_picture
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.bootstrap import mean_of
from szem.tasks.captioning.caption import Captioner
from szem.tasks.captioning.evaluate import read_split
from szem.tasks.eval_run import EvalRun

__all__ = ["evaluate_search"]

_AMONG = (1, 5, 10)
_TOGETHER = 256  # sentences placed at a time


def evaluate_search(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """Recall among the first 1, 5 and 10 pictures of a sentence, and of sentences of a picture.

    Args:
        model: A captioning model with a common space.
        folder: Pictures with sentences.
        split: As `captions.csv` marks it; `all` takes every row.
    Raises:
        FileMissingError, FormatError, TrainError: as `read_captions`.
        UnknownNameError: no row is of this split.
    """
    run = run or EvalRun()
    captioner = Captioner(Session(model, threads=1))
    pictures = read_split(folder, split)

    def measure(file: Path) -> list[float]:
        return [float(value) for value in captioner.picture_places([read_picture(file)])[0]]

    done = run.each(list(pictures), measure, key=lambda file: file, doing="pictures")
    space = np.array([record for _, record in done], np.float32)  # (N, D)
    texts = [text for file, _ in done for text in pictures[file]]
    owner = np.repeat(np.arange(len(done)), [len(pictures[file]) for file, _ in done])
    places = np.concatenate([captioner.place(texts[i : i + _TOGETHER]) for i in range(0, len(texts), _TOGETHER)])
    scores = places @ space.T  # (sentences, pictures)
    own = scores[np.arange(len(texts)), owner]
    ranks = (scores > own[:, None]).sum(1)
    best_own = np.array([scores[owner == k, k].max() for k in range(len(done))])
    better = np.array([(scores[owner != k, k] > best_own[k]).sum() for k in range(len(done))])
    rows = [mean_of(f"R@{k}, picture by sentence", ranks < k) for k in _AMONG]
    return rows + [mean_of(f"R@{k}, sentence by picture", better < k) for k in _AMONG]
