"""Pictures made worse on purpose, by known amounts: to find out until when something is still recognised.

This file does not know what is in the pictures.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from szem.arrays import Picture8
from szem.errors import RangeError

__all__ = ["Degradation", "degrade"]


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """By how much a picture is made worse; the defaults leave it alone."""

    blur: float = 0.0  # radius (sigma) as a share of the picture's width
    light: float = 1.0  # of the light that there was
    noise: float = 0.0  # grey levels, added after the light has gone, as in a camera
    hidden: float = 0.0  # share of the picture behind something
    seed: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.blur <= 0.5 and 0 <= self.light <= 4 and 0 <= self.noise <= 255 and 0 <= self.hidden <= 1):
            raise RangeError(f"blur 0..0.5, light 0..4, noise 0..255, hidden 0..1, got {self}")


def degrade(picture: Picture8, how: Degradation, *, index: int = 0) -> Picture8:
    """One picture of a film made worse; what hides it stays where it is from picture to picture.

    Args:
        picture: (H, W, 3) uint8.
        how: By how much.
        index: Of the picture: noise differs from one to the next.

    >>> grey = np.full((40, 60, 3), 100, np.uint8)
    >>> int(degrade(grey, Degradation(light=0.5)).mean())
    50
    """
    height, width = picture.shape[:2]
    out = picture.astype(np.float32)
    if how.blur:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), max(how.blur * width, 0.1)), np.float32)
    out *= how.light
    if how.hidden:
        rng = np.random.default_rng([how.seed, 1])
        hidden = np.zeros((height, width), np.uint8)
        color = rng.uniform(20, 200, 3) * how.light
        for _ in range(400):  # beams and boards before the lens
            if float(hidden.mean()) >= how.hidden:
                break
            x, y = rng.uniform(0, width), rng.uniform(0, height)
            w, h = rng.uniform(0.1, 0.4) * width, rng.uniform(0.1, 0.4) * height
            turn = float(rng.uniform(0, 180))
            corners = cv2.boxPoints(((float(x), float(y)), (float(w), float(h)), turn)).round().astype(np.int32)
            cv2.fillPoly(hidden, [corners], 1)
        out[hidden > 0] = color
    if how.noise:
        out += np.random.default_rng([how.seed, 2, index]).normal(0, how.noise, out.shape).astype(np.float32)
    worse: Picture8 = out.clip(0, 255).astype(np.uint8)
    return worse
