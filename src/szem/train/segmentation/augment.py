"""Pieces of pictures for training: scaled, cut, flipped and relit at random, their labels with them.

One warp does all of the geometry, so only pixels that are wanted are computed. This file does not know about
networks.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.data.pixels import IGNORED

__all__ = ["Augmentation", "cut_sample", "paint_sky", "relight", "warp_piece"]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How a sample is changed at random before it teaches."""

    height_px: int  # of the piece that is cut out
    width_px: int
    scale_low: float = 0.75  # the picture is scaled by something between these two first
    scale_high: float = 1.5
    stretch: float = 0.1  # the width by this share more or less
    flip: bool = True
    light: float = 0.3  # brightness, contrast and saturation by this share more or less
    hue: float = 0.05  # share by which red and blue are pulled apart
    sky_class: int | None = None  # class whose pixels are painted anew, for data with one kind of weather
    sky: float = 0.0  # fraction of the samples in which they are


def cut_sample(
    picture: Picture8, label: NDArray[np.uint8], change: Augmentation, rng: np.random.Generator
) -> tuple[Picture8, NDArray[np.uint8]]:
    """One piece of a picture and of its labels, scaled, cut, flipped and relit at random.

    Args:
        picture: (H, W, 3) uint8.
        label: (H, W) uint8.
        change: What may change.
        rng: Where chance comes from.
    Returns:
        (h, w, 3) uint8 and (h, w) uint8; where the picture does not reach, its border is repeated and not counted.
    """
    height, width = label.shape
    scale = float(np.exp(rng.uniform(np.log(change.scale_low), np.log(change.scale_high))))
    x_scale = scale * (1 + rng.uniform(-change.stretch, change.stretch))
    size = (max(8, round(width * x_scale)), max(8, round(height * scale)))
    top = _offset(size[1], change.height_px, rng)
    left = _offset(size[0], change.width_px, rng)
    # one warp scales and cuts at once: only pixels that are wanted are computed
    to_source = np.array(
        [
            [width / size[0], 0, (left + 0.5) * width / size[0] - 0.5],
            [0, height / size[1], (top + 0.5) * height / size[1] - 0.5],
        ]
    )
    if change.flip and rng.random() < 0.5:
        to_source[0, 2] += to_source[0, 0] * (change.width_px - 1)
        to_source[0, 0] *= -1
    piece, mask = warp_piece(picture, label, to_source, width_px=change.width_px, height_px=change.height_px)
    if change.sky_class is not None and rng.random() < change.sky:
        piece = paint_sky(piece, mask == change.sky_class, rng)
    return relight(piece, light=change.light, hue=change.hue, rng=rng), mask


def warp_piece(
    picture: Picture8, label: NDArray[np.uint8], to_source: NDArray[np.float64], *, width_px: int, height_px: int
) -> tuple[Picture8, NDArray[np.uint8]]:
    """Cut a piece whose pixel (x, y) is read at `to_source @ (x, y, 1)`.

    Args:
        picture: (H, W, 3) uint8; beyond its border the last pixel is repeated.
        label: (H, W) uint8; beyond its border nothing counts (`IGNORED`).
        to_source: (2, 3).
        width_px: Of the piece.
        height_px: Of the piece.
    """
    out = (width_px, height_px)
    smooth, near = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    piece = cv2.warpAffine(picture, to_source, out, flags=smooth, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(label, to_source, out, flags=near, borderMode=cv2.BORDER_CONSTANT, borderValue=IGNORED)
    return piece.astype(np.uint8, copy=False), mask.astype(np.uint8, copy=False)


def _offset(side_px: int, cut_px: int, rng: np.random.Generator) -> float:
    """Where the cut begins; a picture smaller than the cut lies anywhere inside it."""
    low, high = sorted((0, side_px - cut_px))
    return float(rng.integers(low, high + 1))


# RGB at the zenith and at the horizon of a painted sky: deep blue, haze, overcast, evening, storm.
_SKIES = np.array(
    [
        [[30, 80, 170], [150, 190, 230]],
        [[70, 130, 205], [205, 220, 235]],
        [[215, 218, 222], [240, 240, 240]],
        [[95, 110, 150], [245, 190, 140]],
        [[90, 95, 105], [170, 175, 180]],
    ],
    float,
)


def paint_sky(picture: Picture8, sky: NDArray[np.bool_], rng: np.random.Generator) -> Picture8:
    """Another sky: a gradient from zenith to horizon between two of the known ones, with soft clouds, grain kept.

    Args:
        picture: (H, W, 3) uint8.
        sky: (H, W): where the sky is.
        rng: Where chance comes from.
    """
    if not sky.any():
        return picture
    height, width = sky.shape
    first, second = _SKIES[rng.integers(0, len(_SKIES), 2)]
    zenith, horizon = first + (second - first) * rng.random()
    lowest = int(np.flatnonzero(sky.any(1))[-1]) + 1
    down = np.clip(np.arange(height) / lowest, 0, 1)[:, None, None]
    painted = np.broadcast_to(zenith + (horizon - zenith) * down, (height, width, 3))
    # Clouds: white where smooth noise is high; the noise is a small random grid made large.
    grid = rng.random((int(rng.integers(3, 9)), int(rng.integers(3, 9)))).astype(np.float32)
    cover = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    cloud = np.clip((cover - rng.uniform(0.4, 1.2)) * 2.5, 0, 0.9)[..., None]
    painted = painted + (rng.uniform(170, 250) - painted) * cloud
    # The detail of the old sky stays: wires and noise, which would otherwise betray what was painted.
    smooth = cv2.GaussianBlur(picture, (0, 0), 6).astype(np.float32)
    detail = picture.astype(np.float32) - smooth
    soft = cv2.GaussianBlur(sky.astype(np.float32), (0, 0), 1.0)[..., None]
    mixed = picture * (1 - soft) + (painted + detail) * soft
    return np.clip(mixed, 0, 255).astype(np.uint8)


def relight(picture: Picture8, *, light: float, hue: float, rng: np.random.Generator) -> Picture8:
    """Change brightness, contrast and saturation by up to `light`, and pull red and blue apart by up to `hue`."""
    if light == 0:
        return picture
    bright, contrast, colour = 1 + rng.uniform(-light, light, 3)
    pull = rng.uniform(-hue, hue)
    mean = float(picture.mean())
    # colour' = grey + colour (c - grey); then contrast about the mean; then brightness: one 3×3 matrix and an offset
    grey = np.array([0.299, 0.587, 0.114])
    mix = colour * np.eye(3) + (1 - colour) * np.tile(grey, (3, 1))
    mix = np.diag([1 + pull, 1.0, 1 - pull]) @ mix * contrast * bright
    offset = mean * (1 - contrast) * bright
    out: Picture8 = np.clip(cv2.transform(picture, np.c_[mix, np.full(3, offset)]), 0, 255).astype(np.uint8)
    return out
