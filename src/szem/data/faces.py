"""Pictures of faces with 68 points each: `images/` and `landmarks.csv` (image, x0, y0 … x67, y67).

Parts are made by person, as the file's name says who it is (`Jane_Doe_12.webp`), so that nobody is in two of them.
The points are numbered as by iBUG: 0–16 the chin, 17–26 the brows, 27–35 the nose, 36–47 the eyes, 48–67 the mouth.
"""

import csv
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.errors import FileMissingError, FormatError, UnknownNameError

__all__ = ["FACE_PARTS", "MIRRORED", "MOUTH", "LabelledFace", "eye_distance", "read_labelled_faces"]

FACE_PARTS = ("fit", "tune", "test")
MOUTH = slice(48, 68)
_EYES = (slice(36, 42), slice(42, 48))
# Point -> the point that lies there in a mirror.
_CHIN_BROWS_NOSE = (np.arange(16, -1, -1), np.arange(26, 16, -1), np.arange(27, 31), np.arange(35, 30, -1))
_EYES_MIRRORED = np.array([45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40])
_LIPS = (np.arange(54, 47, -1), np.arange(59, 54, -1), np.arange(64, 59, -1), np.arange(67, 64, -1))
MIRRORED = np.concatenate([*_CHIN_BROWS_NOSE, _EYES_MIRRORED, *_LIPS])


@dataclass(frozen=True, eq=False)
class LabelledFace:
    """One picture and its points."""

    path: Path
    person: str
    points_xy: NDArray[np.float32]  # (68, 2) in pixels


def read_labelled_faces(folder: Path, *, part: str = "all") -> list[LabelledFace]:
    """The pictures of one part, in the order of the table.

    Args:
        folder: Holds `images/` and `landmarks.csv`.
        part: One of `FACE_PARTS` (seven, one and two of ten persons), or all.
    Raises:
        UnknownNameError: no such part.
        FileMissingError: there is no table, or it names nobody of this part.
        FormatError: a row has not 68 points.
    """
    if part not in (*FACE_PARTS, "all"):
        raise UnknownNameError(f"no split called {part!r}; faces have {', '.join(FACE_PARTS)}, all")
    table = folder / "landmarks.csv"
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
    except OSError as error:
        raise FileMissingError(f"{table}: cannot be read ({error.strerror}); give a folder of faces") from error
    found = []
    for number, (name, *values) in enumerate(rows, start=2):
        try:
            points = np.array(values, np.float32).reshape(68, 2)
        except ValueError as error:
            raise FormatError(f"{table}, line {number}: needs a picture and 68 points") from error
        person = Path(name).stem.rsplit("_", 1)[0]
        if part in ("all", _part_of(person)):
            found.append(LabelledFace(folder / "images" / name, person, points))
    if not found:
        raise FileMissingError(f"{table}: no face of part {part}; give a folder of faces")
    return found


def eye_distance(points_xy: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far the middles of the two eyes are apart: (..., 68, 2) to (...)."""
    left, right = (points_xy[..., eye, :].mean(axis=-2) for eye in _EYES)
    found: NDArray[np.float32] = np.linalg.norm(right - left, axis=-1)
    return found


def _part_of(person: str) -> str:
    return ("test", "test", "tune", *["fit"] * 7)[zlib.crc32(person.encode()) % 10]
