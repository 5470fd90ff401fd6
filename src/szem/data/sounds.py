"""Sounds with what is heard in them: `index.csv` with audio, label and perhaps source and fold."""

import csv
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from szem.errors import FileMissingError, FormatError, UnknownNameError

__all__ = ["SPLITS", "LabelledSound", "in_split", "kind_of", "read_labelled_sounds", "recording_of"]

_TUNED = 8  # one recording in so many of the folds learned from is held out for tuning


@dataclass(frozen=True)
class LabelledSound:
    """A file and what is heard in it."""

    path: Path
    kind: str  # "dog bark"
    source: str = ""  # the set it is from
    fold: int = 0


def read_labelled_sounds(folder: Path) -> list[LabelledSound]:
    """Read a folder's `index.csv`; the files lie in `audio/` or beside it.

    Raises:
        FileMissingError: no index, or a file it names is not there.
        FormatError: a column is missing, a fold is not a number, or no row.
    """
    index = folder / "index.csv"
    if not index.is_file():
        raise FileMissingError(f"{index}: no such file; list the sounds there: audio, label, source, fold")
    base = folder / "audio" if (folder / "audio").is_dir() else folder
    found = []
    with index.open(newline="", encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                path, fold = base / row["audio"], int(row.get("fold") or 0)
                found.append(LabelledSound(path, kind_of(row["label"]), row.get("source") or "", fold))
            except (KeyError, TypeError, ValueError) as error:
                raise FormatError(f"{index}, line {number}: needs audio, label and a whole fold ({error})") from error
            if not path.is_file():
                raise FileMissingError(f"{index}, line {number}: no such file {path.name!r} in {base.name}/")
    if not found:
        raise FormatError(f"{index}: not one row; list the sounds there")
    return found


def kind_of(label: str) -> str:
    """A label as people write it.

    >>> kind_of("dog_bark")
    'dog bark'
    """
    return " ".join(label.replace("_", " ").split()).lower()


def recording_of(labelled: LabelledSound) -> str:
    """The recording a clip was cut from: its number at Freesound, which both sets' file names tell.

    >>> recording_of(LabelledSound(Path("101415-3-0-2.ogg"), "dog bark", "urbansound8k", 1))
    '101415'
    >>> recording_of(LabelledSound(Path("1-100032-A.ogg"), "dog bark", "esc10", 1))
    '100032'
    """
    parts = labelled.path.stem.split("-")
    return parts[1] if labelled.source.startswith("esc") and len(parts) > 1 else parts[0]


# What the recipe `sounds` never sees: a fold of each set. Of the others one recording in eight is for tuning.
_TEST_FOLDS: Mapping[str, int] = {"urbansound8k": 3, "esc10": 4}
SPLITS = ("all", "train", "tune", "test", "test-urbansound8k", "test-esc10")


def in_split(labelled: Sequence[LabelledSound], split: str) -> list[LabelledSound]:
    """Those of one split; recordings never cross, also where both sets cut clips from the same.

    Raises:
        UnknownNameError: no such split.
    """
    if split not in SPLITS:
        raise UnknownNameError(f"no split called {split!r}; there are {', '.join(SPLITS)}")
    if split == "all":
        return list(labelled)
    test = [h for h in labelled if _TEST_FOLDS.get(h.source) == h.fold]
    if split.startswith("test"):
        _, _, source = split.partition("-")
        return [h for h in test if source in ("", h.source)]
    crossing = {recording_of(h) for h in test}
    rest = [h for h in labelled if _TEST_FOLDS.get(h.source) != h.fold and recording_of(h) not in crossing]
    return [h for h in rest if (zlib.crc32(recording_of(h).encode()) % _TUNED == 0) == (split == "tune")]
