"""What a line says: cut out level, recognised by one network, each symbol with its place and probability.

A second, small network says whether a line stands on its head. This file does not know how lines are found or
ordered.

Source: A. Graves and others, Connectionist temporal classification, 2006 (greedy decoding).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.errors import CardError
from szem.results.text import Corners
from szem.runtime.sessions import OnnxFile, Session

__all__ = ["DirectionNetwork", "LineRecognizer", "RecognizedLine", "cut_line"]

_MAX_WIDTH_PX = 3_200  # a longer line is squeezed
_MIN_WIDTH_PX = 16
_DIRECTION_PX = (192, 48)  # width and height of what the direction network takes: a line's beginning
_LATIN = (0x0020, 0x0250)  # Basic Latin to Latin Extended-B
_LATIN_MORE = ((0x1E00, 0x1F00), (0x2000, 0x2070), (0x20A0, 0x20D0), (0x2100, 0x2150))  # … marks, currencies


@dataclass(frozen=True)
class RecognizedLine:
    """The symbols of a line, spaces among them."""

    symbols: tuple[str, ...]
    centres: NDArray[np.float64]  # (N,) along the line, as fractions of its length
    probabilities: NDArray[np.float64]  # (N,)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.symbols)

    @property
    def confidence(self) -> float:
        """Mean probability; 0 for an empty line."""
        return float(self.probabilities.mean()) if len(self.symbols) else 0.0


class LineRecognizer:
    """The network that reads a line.

    Args:
        session: A model with head `ctc`; its file names its symbols.
    Raises:
        CardError: the file does not say which symbols it knows, or the card takes something else than lines.
    """

    def __init__(self, session: Session) -> None:
        card = session.model.card
        if card.input.kind != "line":
            raise CardError(f"{session.model.folder}: takes {card.input.kind}, not lines of text; use another model")
        names = session.metadata.get("character", "").split("\n")
        if len(names) < 2:
            raise CardError(f"{session.model.folder}: the file does not name its symbols; use another model")
        self.session, self.input = session, card.input
        self.symbols = ("", *(name for name in names if name), " ")  # CTC's blank first
        self._latin = np.array([i == 0 or all(map(_is_latin, name)) for i, name in enumerate(self.symbols)])

    def __call__(self, picture: Picture8, corners_xy: Corners, *, any_script: bool = False) -> RecognizedLine:
        """Read one line.

        Args:
            picture: (H, W, 3) uint8 RGB.
            corners_xy: Of the line, in its own orientation.
            any_script: Read every script the network knows, not the Latin one only.
        """
        line = cut_line(picture, corners_xy, height_px=self.input.height_px, most_px=_MAX_WIDTH_PX)
        values = (line.astype(np.float32) - self.input.mean) / self.input.scale
        if self.input.colours == "BGR":
            values = values[:, :, ::-1]
        batch = np.ascontiguousarray(values.transpose(2, 0, 1)[None])
        found = self.session.run(batch, roles=("symbols",))["symbols"][0]  # (T, symbols)
        if found.shape[1] != len(self.symbols):
            raise CardError(
                f"{self.session.model.folder}: gives {found.shape[1]} symbols, names {len(self.symbols)}; "
                "use the file of the card"
            )
        if not any_script:
            found = np.where(self._latin, found, 0)
        return self._decode(found)

    def _decode(self, found: NDArray[np.float32]) -> RecognizedLine:
        """The likeliest symbol of each step; repeated ones are one symbol, at the step of its peak."""
        best = found.argmax(axis=1)
        peak = found[np.arange(len(best)), best]
        starts = np.flatnonzero(np.diff(best, prepend=-1))
        ends = np.append(starts[1:], len(best))
        texts, centres, probabilities = [], [], []
        for start, end in zip(starts, ends, strict=True):
            if best[start]:
                top = start + int(peak[start:end].argmax())
                texts.append(self.symbols[best[start]])
                centres.append((top + 0.5) / len(best))
                probabilities.append(min(float(peak[top]), 1.0))
        return RecognizedLine(tuple(texts), np.array(centres), np.array(probabilities))


class DirectionNetwork:
    """Says whether lines stand on their heads.

    Args:
        file: Takes (N, 3, 48, 192) and gives (N, 2) probabilities: upright, upside down.
    """

    def __init__(self, file: OnnxFile) -> None:
        self.file = file
        self._input, self._output = file.inputs[0].name, file.outputs[0].name

    def __call__(self, picture: Picture8, lines: Sequence[Corners]) -> NDArray[np.float64]:
        """(N,) the probability of each line that it stands on its head."""
        width, height = _DIRECTION_PX
        batch = np.zeros((len(lines), height, width, 3), np.float32)
        for row, corners in enumerate(lines):
            piece = cut_line(picture, corners, height_px=height, most_px=width)
            batch[row, :, : piece.shape[1]] = piece[:, :, ::-1].astype(np.float32) / 127.5 - 1
        values = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        return self.file.run({self._input: values}, [self._output])[0][:, 1].astype(np.float64)


def cut_line(picture: Picture8, corners_xy: Corners, *, height_px: int, most_px: int) -> Picture8:
    """Cut a line out so that it lies level.

    Args:
        picture: (H, W, 3) uint8.
        corners_xy: Of the line, in its own orientation.
        height_px: Of the result.
        most_px: A longer line is squeezed to this width.
    """
    points = corners_xy.astype(np.float32)
    sides = [float(side) for side in np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)]
    length, drop = max(sides[0], sides[2], 1.0), max(sides[1], sides[3], 1.0)
    width_px = int(np.clip(np.ceil(height_px * length / drop), _MIN_WIDTH_PX, most_px))
    # First at the size it has, then resized: warping alone would skip pixels of large lines.
    w, h = min(int(np.ceil(length)), 2 * width_px), min(int(np.ceil(drop)), 4 * height_px)
    target = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    way = cv2.getPerspectiveTransform(points - 0.5, target - 0.5)
    piece = cv2.warpPerspective(picture, way, (w, h), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    shrinks = h > height_px
    return np.asarray(
        cv2.resize(piece, (width_px, height_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR),
        np.uint8,
    )


def _is_latin(symbol: str) -> bool:
    code = ord(symbol)
    return _LATIN[0] <= code < _LATIN[1] or any(low <= code < high for low, high in _LATIN_MORE)
