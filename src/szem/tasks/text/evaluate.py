"""Scores of a `text` model, taken through the shipped path: pictures with the text that stands in them beside them.

This file does not know how a model was made.
"""

from pathlib import Path

import numpy as np

from szem.errors import FileMissingError
from szem.media.pictures import PICTURE_SUFFIXES, read_picture
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.text.read import TextReader

__all__ = ["character_errors", "evaluate_text", "words_found"]


def evaluate_text(model: Model, folder: Path, split: str) -> list[Measurement]:
    """Character error rate and fraction of words found.

    Args:
        model: A `text` model.
        folder: Pictures, each with a file of the same name and the suffix `.txt`: its text in UTF-8; in a folder
            called as the split, where there is one.
        split: Name of that folder.
    Raises:
        FileMissingError: no picture with a text beside it.
    """
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
    wrong = letters = found = words = 0
    for picture, text in pairs:
        truth = text.read_text(encoding="utf-8")
        said = reader(read_picture(picture)).text
        errors, length = character_errors(truth, said)
        hits, total = words_found(truth, said)
        wrong, letters, found, words = wrong + errors, letters + length, found + hits, words + total
    return [
        Measurement("character error rate", wrong / max(letters, 1), letters),
        Measurement("words found", found / max(words, 1), words),
    ]


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
