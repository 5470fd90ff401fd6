"""Takes of single words and phrases as mouth crops: `clips/` and `index.csv` (video, speaker, kind, text, take).

The parts are made by speaker, so that nobody who is measured on was learned from. This file does not know how the
crops were made.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.errors import FileMissingError, FormatError, UnknownNameError
from szem.media.video import read_video

__all__ = ["TEST_SPEAKERS", "LipTake", "LipTakeFile", "list_lip_takes", "read_lip_takes"]

TEST_SPEAKERS = ("F04", "F09", "M07")  # fixed before anything was trained; never learned from, never tuned on


@dataclass(frozen=True, eq=False)
class LipTake:
    """One take."""

    frames: NDArray[np.uint8]  # (T, h, w) grey
    speaker: str
    kind: str  # word or phrase
    text: str


@dataclass(frozen=True)
class LipTakeFile:
    """One take that has not been read."""

    path: Path
    speaker: str  # "" where the index does not say
    kind: str  # word or phrase
    text: str


def read_lip_takes(folder: Path, *, split: str = "all", size: tuple[int, int] | None = None) -> list[LipTake]:
    """The takes of a part, in the order of the index.

    Args:
        folder: The data.
        split: train (all but `TEST_SPEAKERS`), test (these), all, or speakers' names joined by commas.
        size: Rows and columns to bring the crops to; as they are if left out.
    Raises:
        FileMissingError: a video is missing.
        As `list_lip_takes`.
    """
    listed = list_lip_takes(folder, split=split)
    return [LipTake(_read(take.path, size), take.speaker, take.kind, take.text) for take in listed]


def list_lip_takes(folder: Path, *, split: str = "all") -> list[LipTakeFile]:
    """The takes of a part, in the order of the index; their videos are not read.

    Args:
        folder: The data; `index.csv` needs the columns video and text, and may have speaker and kind.
        split: As of `read_lip_takes`.
    Raises:
        UnknownNameError: no such part or speaker.
        FileMissingError: there is no index.
        FormatError: the index lacks a column.
    """
    index = folder / "index.csv"
    try:
        with index.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise FileMissingError(f"{index}: cannot be read ({error.strerror}); give a folder of takes") from error
    if not rows or not {"video", "text"} <= rows[0].keys():
        raise FormatError(f"{index}: needs rows with columns video and text, perhaps speaker and kind")
    takes = []
    for row in rows:
        text = " ".join((row["text"] or "").split())
        kind = row.get("kind") or ("phrase" if " " in text else "word")
        takes.append(LipTakeFile(folder / (row["video"] or ""), row.get("speaker") or "", kind, text))
    wanted = _speakers(split, sorted({take.speaker for take in takes}))
    return [take for take in takes if take.speaker in wanted]


def _speakers(split: str, known: Sequence[str]) -> set[str]:
    if split == "all":
        return set(known)
    held_out = set(TEST_SPEAKERS) & set(known)
    if split in ("train", "test"):
        return held_out if split == "test" else set(known) - held_out
    named = set(split.split(","))
    if not named <= set(known):
        raise UnknownNameError(
            f"no split called {split!r}; there are train, test, all and speakers {', '.join(known)}"
        )
    return named


def _read(video: Path, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    frames = []
    for frame in read_video(video):
        grey = cv2.cvtColor(frame.picture, cv2.COLOR_RGB2GRAY)
        if size is not None and grey.shape != size:
            grey = cv2.resize(grey, size[::-1], interpolation=cv2.INTER_AREA)
        frames.append(grey)
    return np.stack(frames).astype(np.uint8)
