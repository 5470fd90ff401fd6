"""How sharp a picture is, how it is exposed, and how rich in edges it is."""

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.media.pictures import PictureLike, as_picture
from szem.results.measures import Measures

__all__ = ["measure_picture"]

_SIDE = 1024  # larger pictures are brought to this longer side first; smaller ones are measured as they are
_FINE, _COARSE = 1.0, 2.0  # standard deviations in pixels of the two views whose edges are compared
_FAINT = 0.008  # light per pixel, 0..1: what is fainter in the fine view is no edge
_FEW = 20  # with fewer edge pixels than this, nothing can be said
_SOFT, _BLURRED = 1.1, 2.2  # smear in pixels at which the words begin
_DARK, _BRIGHT, _PALE = 0.22, 0.82, 0.08
_EDGE = 0.05  # light per pixel


def measure_picture(picture: PictureLike) -> Measures:
    """Measure sharpness, edges and exposure.

    The picture is smoothed a little and a little more; how much an edge loses between the two tells how smeared it
    was before: a step smeared by s has, smoothed by a, the slope 1 / sqrt(s² + a²). The median over the strongest
    edges is taken, so that a blurred background does not make a portrait blurred. It is an estimate of the standard
    deviation of a Gaussian blur; pixels that are as sharp as can be give about 0 to 0.7.

    Args:
        picture: What `as_picture` takes: a path, a file's bytes, an open file, a Pillow image or an array.
    Source: after Zhuo and Sim, Defocus map estimation from a single image, Pattern Recognition 44, 2011.

    >>> half = np.zeros((64, 64, 3), np.uint8)
    >>> half[:, 32:] = 200
    >>> measure_picture(half).word, measure_picture(cv2.GaussianBlur(half, (0, 0), 4)).word
    ('sharp', 'blurred')
    """
    grey = _grey(as_picture(picture))  # (h, w) in 0..1
    smear = _smear_px(grey)
    slopes = cv2.magnitude(*_slopes(grey))
    brightness, contrast = float(grey.mean()), float(grey.std())
    if smear is None:
        word, sharpness = "flat", 0.0
    else:
        word = "sharp" if smear < _SOFT else "soft" if smear < _BLURRED else "blurred"
        sharpness = 1 / (1 + (smear / _BLURRED) ** 2)
    return Measures(
        word=word,
        sharpness=sharpness,
        blur_px=smear,
        laplacian_variance=float((cv2.Laplacian(grey, cv2.CV_32F) * 255).var()),
        tenengrad=float((slopes * slopes).mean()),
        edge_fraction=float((slopes > _EDGE).mean()),
        exposure=_exposure(brightness, contrast),
        brightness=min(brightness, 1.0),
        contrast=min(contrast, 1.0),
        clipped_dark=float((grey <= 2 / 255).mean()),
        clipped_bright=float((grey >= 253 / 255).mean()),
    )


def _exposure(brightness: float, contrast: float) -> str:
    if brightness < _DARK:
        return "dark"
    if brightness > _BRIGHT:
        return "bright"
    return "low contrast" if contrast < _PALE else "balanced"


def _grey(picture: Picture8) -> NDArray[np.float32]:
    height, width = picture.shape[:2]
    scale = _SIDE / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey /= 255
    return grey


def _slopes(grey: Array) -> tuple[Array, Array]:
    """Light per pixel to the right and downwards."""
    return cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8)


def _smear_px(grey: Array) -> float | None:
    """Standard deviation of the blur of the strongest edges in pixels; None where there are too few edges."""
    if min(grey.shape) < 5:
        return None
    right, down = _slopes(cv2.GaussianBlur(grey, (0, 0), _FINE))
    fine = cv2.magnitude(right, down)
    inner = fine[1:-1, 1:-1]
    ridge = np.where(  # highest across the edge: only there does the rule above hold
        (np.abs(right) >= np.abs(down))[1:-1, 1:-1],
        (inner >= fine[1:-1, :-2]) & (inner >= fine[1:-1, 2:]),
        (inner >= fine[:-2, 1:-1]) & (inner >= fine[2:, 1:-1]),
    )
    ridge &= inner > _FAINT
    if np.count_nonzero(ridge) < _FEW:
        return None
    ridge &= inner >= np.percentile(inner[ridge], 80)
    coarse = cv2.magnitude(*_slopes(cv2.GaussianBlur(grey, (0, 0), _COARSE)))[1:-1, 1:-1]
    ratio = np.square(inner[ridge] / np.maximum(coarse[ridge], 1e-6))
    ratio = np.maximum(ratio, 1.003)  # nothing above about 30 px can be told apart
    smear = np.sqrt(np.maximum((_COARSE**2 - ratio * _FINE**2) / (ratio - 1), 0))
    return float(np.median(smear))
