"""Samples for a detector, put together from kept maps: pieces of one view of a picture, or of four.

A view is a picture scaled, stretched, flipped and relit at random; its maps at stride 8 are kept. A sample is a
canvas of cells that one view, or four (a mosaic), are laid on, moved by whole cells: what the first stages see there
is what they saw in the view.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.data.boxes import BoxedPicture
from szem.media.pictures import read_picture
from szem.runtime.sessions import OnnxFile
from szem.train.detection.feature_cache import JoinedMaps, MapCache, open_maps, write_maps
from szem.train.segmentation.augment import relight

__all__ = ["PictureView", "PictureViews", "Piece", "build_views", "list_views", "picture_to_input"]

CELL_PX = 8
_STRETCH = 0.12  # sides are stretched against each other by up to this share
_WANDER = 0.12  # sizes of views differ by up to this share
_MIN_VISIBLE = 0.35  # an object of which less is on the canvas is not learned
_MIN_SIDE_PX = 6.0  # nor is one with a shorter side


@dataclass(frozen=True)
class PictureView:
    """How a picture is changed before its maps are kept."""

    picture: int  # place in the list of pictures
    rows: int  # cells
    columns: int
    is_flipped: bool
    seed: tuple[int, ...]  # of its light


@dataclass(frozen=True, eq=False)
class Piece:
    """One sample."""

    maps: NDArray[np.float16]  # (rows, columns, C)
    boxes_xyxy: NDArray[np.float32]  # (N, 4) in pixels of the canvas
    labels: NDArray[np.int64]
    is_hard: NDArray[np.bool_]
    origins: NDArray[np.int64]  # (rows, columns) place of the picture that a cell is from; −1 where it is empty


def list_views(pictures: Sequence[BoxedPicture], sizes_px: Sequence[int], *, seed: int) -> list[PictureView]:
    """The views of all pictures, as many a picture as there are sizes (of the longer side)."""
    views = []
    for number, picture in enumerate(pictures):
        for turn, size in enumerate(sizes_px):
            rng = np.random.default_rng((seed, 3, number, turn))
            scale = size * rng.uniform(1 - _WANDER, 1 + _WANDER) / max(picture.width_px, picture.height_px)
            stretch = np.exp(rng.uniform(-_STRETCH, _STRETCH) / 2)
            rows, columns = (
                max(1, round(side * scale * f / CELL_PX))
                for side, f in ((picture.height_px, 1 / stretch), (picture.width_px, stretch))
            )
            views.append(PictureView(number, rows, columns, (number + turn) % 2 == 1, (seed, 4, number, turn)))
    return views


def picture_to_input(picture: Picture8) -> NDArray[np.float32]:
    """(H, W, 3) uint8 to (1, 3, H, W) float32 `(value - 127) / 128`."""
    return np.ascontiguousarray(((picture.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None])


def build_views(
    pictures: Sequence[BoxedPicture],
    views: Sequence[PictureView],
    encoder: OnnxFile,
    folder: Path,
    *,
    about: dict[str, Any],
) -> MapCache:
    """Keep the maps of all views, and after them those of an empty grey picture; taken as they are if already there.

    Args:
        pictures: With boxes.
        views: Of these pictures, grouped by picture.
        encoder: (1, 3, H, W) to (1, C, H / 8, W / 8).
        folder: Where they are kept.
        about: What they depend on.
    """
    kept = open_maps(folder, about=about)
    return kept if kept is not None else write_maps(folder, _encoded(pictures, views, encoder), about=about)


def _encoded(
    pictures: Sequence[BoxedPicture], views: Sequence[PictureView], encoder: OnnxFile
) -> Iterator[NDArray[np.float32]]:
    now, picture = -1, np.zeros((1, 1, 3), np.uint8)
    name, out = encoder.inputs[0].name, encoder.outputs[0].name
    for view in views:
        if view.picture != now:
            now, picture = view.picture, read_picture(pictures[view.picture].path)
        size = (view.columns * CELL_PX, view.rows * CELL_PX)
        way = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_LINEAR
        changed = np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
        changed = relight(changed, light=0.3, hue=0.06, rng=np.random.default_rng(view.seed))
        if view.is_flipped:
            changed = changed[:, ::-1]
        yield encoder.run({name: picture_to_input(changed)}, [out])[0][0].transpose(1, 2, 0)
    grey = np.full((64, 64, 3), 127, np.uint8)
    yield encoder.run({name: picture_to_input(grey)}, [out])[0][0].transpose(1, 2, 0)


class PictureViews:
    """Kept maps with their boxes, ready to be put together.

    Args:
        pictures: With boxes.
        views: Of these pictures.
        maps: Those of all views, and after them those of an empty picture.
        per_picture: How many views each picture has.
    """

    def __init__(
        self,
        pictures: Sequence[BoxedPicture],
        views: Sequence[PictureView],
        maps: MapCache | JoinedMaps,
        *,
        per_picture: int,
    ) -> None:
        self.pictures, self.views, self.maps, self.per_picture = pictures, views, maps, per_picture
        self.grey = np.asarray(maps[len(maps) - 1][4, 4])  # (C,) what an empty place looks like

    def single(self, picture: int, rows: int, columns: int, rng: np.random.Generator) -> Piece:
        """One view somewhere on a canvas, cut where it is larger."""
        canvas = self._canvas(rows, columns)
        number = self._pick(picture, rng)
        view = self.views[number]
        top, left = _anywhere(view.rows, rows, rng), _anywhere(view.columns, columns, rng)
        return self._joined(canvas, [self._lay(canvas, number, (top, left), (0, 0, rows, columns))])

    def mosaic(self, pictures: Sequence[int], rows: int, columns: int, rng: np.random.Generator) -> Piece:
        """Four views about a point of a canvas.

        Source: A. Bochkovskiy et al., YOLOv4, 2020, arXiv:2004.10934, section 3.3.
        """
        canvas = self._canvas(rows, columns)
        row, column = (round(side * rng.uniform(0.3, 0.7)) for side in (rows, columns))
        parts = []
        for place, picture in enumerate(pictures[:4]):
            number = self._pick(picture, rng, largest=self.per_picture * 2 // 3)
            view = self.views[number]
            window = (
                0 if place < 2 else row,
                0 if place % 2 == 0 else column,
                row if place < 2 else rows,
                column if place % 2 == 0 else columns,
            )
            top = self._beside(window[0], window[2], view.rows, place < 2, rng)
            left = self._beside(window[1], window[3], view.columns, place % 2 == 0, rng)
            parts.append(self._lay(canvas, number, (top, left), window))
        return self._joined(canvas, parts)

    def _pick(self, picture: int, rng: np.random.Generator, *, largest: int | None = None) -> int:
        return picture * self.per_picture + int(rng.integers(0, largest or self.per_picture))

    def _canvas(self, rows: int, columns: int) -> "_Canvas":
        maps = np.broadcast_to(self.grey, (rows, columns, len(self.grey))).copy()
        return _Canvas(maps, np.full((rows, columns), -1, np.int64))

    @staticmethod
    def _beside(begin: int, end: int, length: int, is_before: bool, rng: np.random.Generator) -> int:
        """Where a view begins: cut at random where it is longer than its window, else beside the mosaic's point."""
        extent = end - begin
        if length >= extent:
            return begin - int(rng.integers(0, length - extent + 1))
        return end - length if is_before else begin

    def _lay(
        self, canvas: "_Canvas", number: int, corner: tuple[int, int], window: tuple[int, int, int, int]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
        view, maps = self.views[number], self.maps[number]
        (top, left), (row0, column0, row1, column1) = corner, window
        y0, x0 = max(top, row0), max(left, column0)
        y1, x1 = min(top + view.rows, row1), min(left + view.columns, column1)
        canvas.origins[y0:y1, x0:x1] = view.picture
        canvas.maps[y0:y1, x0:x1] = maps[y0 - top : y1 - top, x0 - left : x1 - left]
        picture = self.pictures[view.picture]
        sides = np.array([view.columns, view.rows] * 2, np.float32) * CELL_PX
        whole = np.array([picture.width_px, picture.height_px] * 2, np.float32)
        boxes = picture.boxes_xyxy / whole * sides
        if view.is_flipped:
            boxes = np.stack([sides[0] - boxes[:, 2], boxes[:, 1], sides[0] - boxes[:, 0], boxes[:, 3]], 1)
        boxes = boxes + np.array([left, top] * 2, np.float32) * CELL_PX
        limits = np.array([x0, y0, x1, y1], np.float32) * CELL_PX
        cut = np.stack(
            [boxes[:, i].clip(limits[i % 2], limits[i % 2 + 2]) for i in range(4)], 1
        ) if len(boxes) else boxes  # fmt: skip
        area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
        short = (cut[:, 2:] - cut[:, :2]).min(1, initial=np.inf)
        seen = (cut[:, 2:] - cut[:, :2]).prod(1) / np.maximum(area, 1e-6)
        there = short > 1
        hard = picture.is_hard | (seen < _MIN_VISIBLE) | (short < _MIN_SIDE_PX)
        return cut[there].astype(np.float32), picture.labels[there], hard[there]

    def _joined(
        self,
        canvas: "_Canvas",
        parts: Sequence[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]],
    ) -> Piece:
        boxes, labels, hard = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Piece(canvas.maps, boxes, labels, hard, canvas.origins)


@dataclass(frozen=True, eq=False)
class _Canvas:
    """Cells that views are laid on."""

    maps: NDArray[np.float16]  # (rows, columns, C)
    origins: NDArray[np.int64]  # (rows, columns)


def _anywhere(length: int, extent: int, rng: np.random.Generator) -> int:
    """Where a view begins on a canvas: inside it, or cut on both sides."""
    low, high = sorted((0, extent - length))
    return int(rng.integers(low, high + 1))
