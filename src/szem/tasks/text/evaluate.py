"""Scores of a `text` model, taken through the shipped path: pictures with the text that stands in them beside them.

This file does not know how a model was made.
"""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.errors import FileMissingError, FormatError
from szem.media.pictures import PICTURE_SUFFIXES, read_picture
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.bootstrap import bootstrap
from szem.tasks.eval_run import EvalRun
from szem.tasks.text.read import TextReader

__all__ = ["character_errors", "evaluate_text", "words_found"]


def evaluate_text(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """Character error rate and fraction of words found.

    Args:
        model: A `text` model.
        folder: Pictures, each with a file of the same name and the suffix `.txt`: its text in UTF-8; in a folder
            called as the split, where there is one.
        split: Name of that folder; `all` takes every picture below the data's.
    Raises:
        FileMissingError: no picture with a text beside it.
    """
    run = run or EvalRun()
    reader = TextReader(Session(model, threads=1))
    home = folder / split if (folder / split).is_dir() else folder
    pairs = [
        (file, file.with_suffix(".txt"))
        for file in sorted(home.rglob("*"))
        if file.suffix.lower() in PICTURE_SUFFIXES and file.with_suffix(".txt").is_file()
    ]
    if not pairs:
        raise FileMissingError(
            f"{home}: no picture with a text beside it (page.png and page.txt); give such a folder"
        )

    def measure(pair: tuple[Path, Path]) -> list[int]:
        """Wrong letters, letters, words found, words."""
        try:
            truth = pair[1].read_text(encoding="utf-8-sig")
        except ValueError as error:
            raise FormatError(f"{pair[1].name}: not UTF-8 text ({error}); save it as UTF-8") from error
        said = reader(read_picture(pair[0])).text
        return [*character_errors(truth, said), *words_found(truth, said)]

    done = run.each(pairs, measure, key=lambda pair: pair, doing="pictures")
    counts = np.array([record for _, record in done])  # (pictures, 4)

    def fraction(at: NDArray[np.int64], place: int) -> float:
        return float(counts[at, place].sum() / max(counts[at, place + 1].sum(), 1))

    rows = []
    for name, place in (("character error rate", 0), ("words found", 2)):
        low, high = bootstrap(partial(fraction, place=place), len(counts))
        value = fraction(np.arange(len(counts)), place)
        rows.append(Measurement(name, value, int(counts[:, place + 1].sum()), low, high))
    return rows


def character_errors(truth: str, said: str) -> tuple[int, int]:
    """Letters to insert, delete or replace, and letters of the truth; white space of any kind is one space.

    >>> character_errors("a  cat", "a cut!")
    (2, 5)
    """
    a, b = " ".join(truth.split()), " ".join(said.split())
    other = np.array([ord(letter) for letter in b], np.int64)
    places = np.arange(len(b) + 1)
    row = places
    for one in a:  # a row of the table of edit distances at a time; along it, inserting costs one a step
        now = np.concatenate([row[:1] + 1, np.minimum(row[1:] + 1, row[:-1] + (other != ord(one)))])
        row = np.minimum.accumulate(now - places) + places
    return int(row[-1]), len(a)


def words_found(truth: str, said: str) -> tuple[int, int]:
    """Words of the truth that were read, each as often as it stands there, and how many there are.

    Case and marks at the ends of words do not count.

    >>> words_found("Stop! No way", "NO WAY no")
    (2, 3)
    """
    left = [_plain(word) for word in said.split()]
    wanted = [plain for word in truth.split() if (plain := _plain(word))]
    hits = 0
    for word in wanted:
        if word in left:
            left.remove(word)
            hits += 1
    return hits, len(wanted)


def _plain(word: str) -> str:
    return word.strip(".,;:!?\"'„”“’()[]–—-…").casefold()
