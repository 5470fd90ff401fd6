"""Videos of spoken sentences: an `index.csv` that says for each video its words and, where known, when each is said.

Columns: `video` (path from the index's folder), `words`, and perhaps `split`, `frames` and `alignment_frames`
(`word:first-last`, frame numbers, a word ends where the next begins; `sil` and `sp` are silence). This file does not
open the videos.
"""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from szem.data.broken import Broken
from szem.errors import FileMissingError, FormatError, UnknownNameError

__all__ = ["SILENCES", "SpokenSet", "SpokenVideo", "TimedWord", "read_spoken"]

SILENCES = ("sil", "sp")
_COLUMNS = ("video", "words")


@dataclass(frozen=True)
class TimedWord:
    """A word and its frames: from `first` up to, not with, `last`."""

    text: str
    first: int
    last: int


@dataclass(frozen=True)
class SpokenVideo:
    """A video and what is said in it."""

    path: Path
    name: str  # as the index gives it
    words: tuple[str, ...]
    times: tuple[TimedWord, ...] = ()  # of the words; empty where the index does not tell
    split: str = ""


@dataclass(frozen=True)
class SpokenSet:
    """The videos of an index, in its order."""

    videos: tuple[SpokenVideo, ...]
    broken: tuple[Broken, ...] = field(default=())


def read_spoken(folder: Path, *, split: str = "all") -> SpokenSet:
    """Read the index of a folder.

    Args:
        folder: Holds `index.csv`.
        split: Only videos of this part; `all` for every one.
    Raises:
        FileMissingError: there is no index.
        FormatError: a column is missing.
        UnknownNameError: no video is of this split.
    """
    index = folder / "index.csv"
    if not index.is_file():
        raise FileMissingError(f"{index}: no such file; give the folder of videos with their index.csv")
    videos, broken = [], []
    with index.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [c for c in _COLUMNS if c not in (rows.fieldnames or ())]
        if missing:
            raise FormatError(f"{index}: needs columns {', '.join(_COLUMNS)}; {', '.join(missing)} missing")
        for number, row in enumerate(rows, start=2):
            name, words = row["video"] or "", tuple((row["words"] or "").lower().split())
            if split not in ("all", row.get("split") or ""):
                continue
            times = _times(row.get("alignment_frames") or "")
            if not name or not words:
                broken.append(Broken(f"{index.name}, line {number}", "no video or no words"))
            elif times is None or (times and tuple(t.text for t in times) != words):
                broken.append(Broken(name, "its alignment does not fit its words"))
            else:
                videos.append(SpokenVideo(folder / name, name, words, times, row.get("split") or ""))
    if not videos:
        raise UnknownNameError(f"{index}: no video is of split {split!r}")
    return SpokenSet(tuple(videos), tuple(broken))


def _times(text: str) -> tuple[TimedWord, ...] | None:
    """The words of an alignment, without silences; None where it cannot be read.

    >>> _times("sil:0-24 bin:24-30")
    (TimedWord(text='bin', first=24, last=30),)
    """
    out = []
    for part in text.split():
        word, _, span = part.rpartition(":")
        first, _, last = span.partition("-")
        if not word or not first.isdecimal() or not last.isdecimal() or int(last) < int(first):
            return None
        if word not in SILENCES:
            out.append(TimedWord(word, int(first), max(int(last), int(first) + 1)))
    return tuple(out)
