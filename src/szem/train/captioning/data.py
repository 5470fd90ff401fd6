"""The pictures of a caption data set with all their sentences."""

from dataclasses import dataclass
from pathlib import Path

from szem.data.folders import read_captions
from szem.errors import TrainError

__all__ = ["CaptionedPictures", "read_captioned"]


@dataclass(frozen=True)
class CaptionedPictures:
    """Pictures with their sentences."""

    files: tuple[Path, ...]
    sentences: tuple[tuple[str, ...], ...]  # for each picture


def read_captioned(folder: Path, *, split: str) -> tuple[CaptionedPictures, tuple[object, ...]]:
    """The pictures of one split of `captions.csv`, in the order of the file; and its broken lines.

    Raises:
        TrainError: the split has no picture.
    """
    found = read_captions(folder / "captions.csv")
    by_file: dict[Path, list[str]] = {}
    for row in found.rows:
        if row.split in (split, ""):
            by_file.setdefault(row.path, []).append(row.caption)
    if not by_file:
        raise TrainError(f"{folder}/captions.csv: no row is of split {split!r}")
    return CaptionedPictures(tuple(by_file), tuple(tuple(s) for s in by_file.values())), found.broken
