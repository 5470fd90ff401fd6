"""Measure the search: how often the picture that a sentence was written for is among the first that it finds, and how
often what is said to fit does.

The data is a folder with `captions.csv` (image, caption, split) and its pictures. Every sentence is a query over all
pictures of the split. That nothing fits is measured by taking the sentence's own picture away.
"""

from pathlib import Path

import numpy as np

from szem.media.pictures import read_picture
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.bootstrap import mean_of
from szem.tasks.captioning.evaluate import read_split
from szem.tasks.eval_run import EvalRun
from szem.tasks.models import open_model
from szem.tasks.search.encoder import EncodedRow, encoder_of, tags_from_json

__all__ = ["evaluate_search"]

_AMONG = (1, 5, 10)
_CANDIDATES = 200  # as in a search
_SAME = 0.7  # cosine of two sentences from which one counts as a description of the other's picture


def evaluate_search(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """Recall among the first 1, 5 and 10 pictures, and precision of what is said to fit.

    Args:
        model: A model for search.
        folder: Pictures with sentences.
        split: As `captions.csv` marks it; `all` takes every row.
    Raises:
        FileMissingError, FormatError, TrainError: as `read_captions`.
        UnknownNameError: no row is of this split.
    """
    run = run or EvalRun()
    encoder = encoder_of(
        Session(model, threads=1), open_model=lambda name=None, *, task: open_model(name, task=task, threads=1)
    )
    pictures = read_split(folder, split)

    def measure(file: Path) -> list[object]:
        one = encoder.encode(read_picture(file))
        return [one.row.tolist(), one.tags]

    done = run.each(list(pictures), measure, key=lambda file: file, doing="pictures")
    encoded = [EncodedRow(np.array(row, np.int8), str(tags)) for _, (row, tags) in done]
    rows = np.stack([one.row for one in encoded]).astype(np.float32)
    tags = [tags_from_json(one.tags) for one in encoded]
    texts = [text for file, _ in done for text in pictures[file]]
    owner = np.repeat(np.arange(len(done)), [len(pictures[file]) for file, _ in done])
    queries = [encoder.query(text) for text in texts]
    words = np.stack([query.words for query in queries])
    ranks, said, right, silent, alone = [], [], [], [], []
    for query, own in zip(queries, owner, strict=True):
        values = rows @ encoder.weights(query)
        near = np.argsort(-values, kind="stable")[:_CANDIDATES]
        probabilities = np.array([encoder.probability(query, float(values[k]), tags[k]) for k in near])
        order = near[np.argsort(-probabilities, kind="stable")]
        probabilities = -np.sort(-probabilities, kind="stable")
        place = np.flatnonzero(order == own)
        ranks.append(int(place[0]) if len(place) else len(rows))
        same = (words @ query.words) >= _SAME  # sentences that say the same
        fitting = np.unique(owner[same])
        said.append(probabilities[0] >= encoder.threshold)
        right.append(order[0] in fitting)
        rest = [k for k, number in enumerate(order) if number not in fitting]
        alone.append(len(rest) > 0)
        silent.append(not rest or probabilities[rest[0]] < encoder.threshold)
    reached, correct, kept_silent = np.array(ranks), np.array(right), np.array(silent)[np.array(alone)]
    is_said = np.array(said)
    out = [mean_of(f"R@{k}, picture by sentence", reached < k) for k in _AMONG]
    out.append(mean_of("fraction of sentences for which a picture is said to fit", is_said))
    if is_said.any():
        out.append(mean_of("precision of the first picture where one is said to fit", correct[is_said]))
    if len(kept_silent):
        out.append(mean_of("fraction of sentences without a fitting picture to which nothing fits", kept_silent))
    return out
