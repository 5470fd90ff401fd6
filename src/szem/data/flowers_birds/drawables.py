"""Flowers and birds to learn to draw from: folders `flowers/` and `birds/`, each with `index.csv` and `images/`.

`index.csv` has the columns image and name (or species), and perhaps split; `captions.csv`, where there is one, has
sentences that people wrote for some of the pictures. Without a split, every tenth picture of a kind is kept for
`val`.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from szem.data.folders import read_captions
from szem.data.words import split_words
from szem.errors import FileMissingError, FormatError, TrainError

__all__ = ["SUBJECTS", "Drawable", "read_drawables"]

SUBJECTS = {"flowers": "flower", "birds": "bird"}
"""Folder -> what its pictures show."""
_VAL_EVERY = 10
_MARKS = {
    "bird": {"bird", "birds", "beak", "wing", "wings", "feathers"},
    "flower": {"flower", "flowers", "petal", "petals", "blossom", "blossoms"},
}


@dataclass(frozen=True)
class Drawable:
    """A picture file and what is said of it."""

    path: Path
    subject: str  # flower or bird
    kind: str
    split: str
    sentences: tuple[str, ...] = ()  # written by people


def read_drawables(folder: Path, *, split: str = "") -> list[Drawable]:
    """All pictures of one split, flowers first, in the order of the files; without a split all.

    Raises:
        FileMissingError: neither of the folders is there.
        FormatError: an index lacks a column.
        TrainError: no picture is of this split.
    """
    homes = [folder / name for name in SUBJECTS if (folder / name / "index.csv").is_file()]
    if homes:
        everything = [one for home in homes for one in _read(home)]
    elif (folder / "captions.csv").is_file():
        everything = _read_captioned(folder)
    else:
        raise FileMissingError(
            f"{folder}: has neither flowers/index.csv nor birds/index.csv, nor captions.csv (image, caption); give a "
            "folder of flowers or birds"
        )
    found = [one for one in everything if split in ("", one.split)]
    if not found:
        raise TrainError(f"{folder}: no picture is of split {split!r}; there are train and val")
    return found


def _read_captioned(folder: Path) -> list[Drawable]:
    """Pictures of anybody's with sentences, each a bird's or a flower's by the words of its sentences."""
    sentences: dict[Path, list[str]] = {}
    splits: dict[Path, str] = {}
    for row in read_captions(folder / "captions.csv").rows:
        sentences.setdefault(row.path, []).append(row.caption)
        splits.setdefault(row.path, row.split)
    out = []
    for path, texts in sentences.items():
        words = set(split_words(" ".join(texts)))
        subject = next((subject for subject, marks in _MARKS.items() if words & marks), "")
        if subject:
            out.append(Drawable(path, subject, subject, splits[path] or "val", tuple(texts)))
    if not out:
        raise TrainError(f"{folder}/captions.csv: no sentence speaks of a flower or a bird; nothing else is drawn")
    return out


def _read(home: Path) -> list[Drawable]:
    sentences: dict[Path, list[str]] = {}
    if (home / "captions.csv").is_file():
        for is_named in read_captions(home / "captions.csv").rows:
            sentences.setdefault(is_named.path, []).append(is_named.caption)
    out: list[Drawable] = []
    seen: dict[str, int] = {}
    with (home / "index.csv").open(newline="", encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            kind = row.get("name") or row.get("species")
            if not row.get("image") or not kind:
                raise FormatError(f"{home / 'index.csv'}, line {number}: needs image and name (or species)")
            path = home / "images" / row["image"]
            seen[kind] = seen.get(kind, 0) + 1
            split = row.get("split") or ("val" if seen[kind] % _VAL_EVERY == 0 else "train")
            out.append(Drawable(path, SUBJECTS[home.name], kind, split, tuple(sentences.get(path, ()))))
    return out
