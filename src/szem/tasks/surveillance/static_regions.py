"""What has come to lie still, or has gone: regions of a scene that differ from it, and what evidence they show.

A thing that was left has its outline in the picture and not in the scene; where something was taken it is the other
way round; light and shadow change how bright the ground is and leave what is drawn on it. This file does not know
about people, nor when something is to be reported.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.tasks.surveillance.background_model import Foreground

__all__ = ["Evidence", "Region", "find_regions", "weigh"]

F = NDArray[np.float32]
B = NDArray[np.bool_]
_CLOSE = np.ones((3, 3), np.uint8)
_AROUND = 6  # pixels around a region that are compared with it
_EDGE_NOISE = 0.02  # gradient of logarithms that is none
_TONE_NOISE = 0.03


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """One connected region of the small picture that differs from the scene and keeps still."""

    box: tuple[int, int, int, int]  # x0, y0, x1, y1
    mask: B  # (y1 - y0, x1 - x0)
    area_px: int
    age_s: float  # median
    shown: float  # share of it that is not hidden now

    def overlap(self, other: "Region") -> float:
        """Intersection over union with another region's pixels."""
        common = _common(self, other)
        return common / max(self.area_px + other.area_px - common, 1)

    def covered_by(self, other: "Region") -> float:
        """Share of it that lies in another's box."""
        x0, y0 = max(self.box[0], other.box[0]), max(self.box[1], other.box[1])
        x1, y1 = min(self.box[2], other.box[2]), min(self.box[3], other.box[3])
        if x0 >= x1 or y0 >= y1:
            return 0.0
        inner = self.mask[y0 - self.box[1] : y1 - self.box[1], x0 - self.box[0] : x1 - self.box[0]]
        return float(inner.sum()) / max(self.area_px, 1)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a region shows, each about -1 to 1 or in logarithms."""

    outline: float  # log of how much more of its outline is in the picture than in the scene
    tone: float  # log of how much more it differs from its surroundings in the picture than in the scene
    ground: float  # 0..1: how well what is drawn on the ground can still be seen in it
    evenness: float  # 0..1: by how even a factor it is darker or brighter
    tint: float  # by how much its colour differs from the scene's
    contrast: float  # by how much its brightness does, signed
    fill: float  # share of its box
    age_s: float
    area: float  # share of the picture

    def values(self) -> NDArray[np.float64]:
        """(9,) the numbers that chances are reckoned from."""
        return np.array(
            [
                np.clip(self.outline, -2, 2),
                np.clip(self.tone, -2, 2),
                self.ground,
                self.evenness,
                min(self.tint, 0.5),
                min(abs(self.contrast), 1.5),
                self.ground * self.evenness,
                self.fill,
                np.log(max(self.area, 1e-5)),
            ]
        )


def find_regions(scene: Foreground, *, min_age_s: float, min_px: float, max_px: float) -> list[Region]:
    """The regions that have been still for long enough, by falling size.

    Args:
        scene: From `Background`.
        min_age_s: For how long each pixel has been still.
        min_px: Smallest area.
        max_px: Largest.
    """
    old = (scene.age_s >= min_age_s).astype(np.uint8)
    if not old.any():
        return []
    joined = cv2.morphologyEx(old, cv2.MORPH_CLOSE, _CLOSE)
    joined = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, marks, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    regions = []
    for k in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[k])
        if not min_px <= area <= max_px:
            continue
        mask = marks[y : y + h, x : x + w] == k
        ages = scene.age_s[y : y + h, x : x + w][mask]
        ages = ages[ages >= min_age_s]
        regions.append(
            Region(
                box=(x, y, x + w, y + h),
                mask=mask,
                area_px=area,
                age_s=float(np.median(ages)) if len(ages) else 0.0,
                shown=float(scene.shown[y : y + h, x : x + w][mask].mean()),
            )
        )
    return sorted(regions, key=lambda region: -region.area_px)


def weigh(scene: Foreground, region: Region) -> Evidence:
    """What a region shows: compare its place in the picture and in the scene."""
    height, width = scene.age_s.shape
    x0, y0, x1, y1 = region.box
    left, top = max(x0 - _AROUND, 0), max(y0 - _AROUND, 0)
    right, bottom = min(x1 + _AROUND, width), min(y1 + _AROUND, height)
    part = np.s_[top:bottom, left:right]
    mask = np.zeros((bottom - top, right - left), np.uint8)
    mask[y0 - top : y1 - top, x0 - left : x1 - left] = region.mask
    now, then = scene.fast[part], scene.slow[part]
    seen_now = np.where(mask[..., None] > 0, now, scene.log[part])  # around it the picture, in it what lies there
    inner = cv2.erode(mask, _CLOSE) > 0
    # So small or thin that eroding leaves nothing to measure.
    if inner.sum() < 6:
        inner = mask > 0
    wide = cv2.dilate(mask, _CLOSE) > 0
    rim = wide & ~(cv2.erode(mask, _CLOSE) > 0)
    # Only what shows the scene now: a person who stands beside it must not set the tone.
    around = (cv2.dilate(mask, np.ones((9, 9), np.uint8)) > 0) & ~wide & (scene.age_s[part] < 0.5)
    edges_now, edges_then = _edges(seen_now), _edges(then)
    outline = np.log((float(edges_now[rim].mean()) + _EDGE_NOISE) / (float(edges_then[rim].mean()) + _EDGE_NOISE))
    # The tone of a region is compared with that of its surroundings, since light changes both.
    if around.sum() >= 8:
        tone_now, tone_then = (_tone(picture, inner, around) for picture in (seen_now, then))
        tone = float(np.log((tone_now + _TONE_NOISE) / (tone_then + _TONE_NOISE)))
    else:
        tone = 0.0
    difference = (now - then)[inner]
    brightness = difference.mean(-1)
    contrast = float(np.median(brightness))
    scatter = float(np.median(np.abs(brightness - contrast)))
    return Evidence(
        outline=float(outline),
        tone=tone,
        ground=_likeness(now, then, inner),
        evenness=float(np.exp(-4 * scatter / (abs(contrast) + 0.05))),
        tint=float(np.abs(np.median(difference, axis=0) - contrast).max()),
        contrast=contrast,
        fill=region.area_px / max((x1 - x0) * (y1 - y0), 1),
        age_s=region.age_s,
        area=region.area_px / (height * width),
    )


def _common(a: Region, b: Region) -> int:
    x0, y0 = max(a.box[0], b.box[0]), max(a.box[1], b.box[1])
    x1, y1 = min(a.box[2], b.box[2]), min(a.box[3], b.box[3])
    if x0 >= x1 or y0 >= y1:
        return 0
    one = a.mask[y0 - a.box[1] : y1 - a.box[1], x0 - a.box[0] : x1 - a.box[0]]
    two = b.mask[y0 - b.box[1] : y1 - b.box[1], x0 - b.box[0] : x1 - b.box[0]]
    return int((one & two).sum())


def _edges(picture: F) -> F:
    """(h, w) how steep the logarithms are, all channels together."""
    dx = cv2.Scharr(picture, cv2.CV_32F, 1, 0, scale=1 / 32)
    dy = cv2.Scharr(picture, cv2.CV_32F, 0, 1, scale=1 / 32)
    out: F = np.sqrt((dx * dx + dy * dy).sum(-1))
    return out


def _tone(picture: F, inner: B, around: B) -> float:
    """By how much a region differs from what is around it."""
    return float(np.linalg.norm(np.median(picture[inner], axis=0) - np.median(picture[around], axis=0)))


def _likeness(now: F, then: F, inner: B) -> float:
    """0..1: correlation of what is drawn in both, where the scene has something drawn; 0.5 where it has not."""
    a, b = (picture.mean(-1) - cv2.blur(picture.mean(-1), (9, 9)) for picture in (now, then))
    a, b = a[inner], b[inner]
    drawn = float(b.std())
    if drawn < 0.01:
        return 0.5
    correlation = float((a * b).mean() - a.mean() * b.mean()) / max(float(a.std()) * drawn, 1e-6)
    trust = min(drawn / 0.03, 1.0)
    return float(np.clip(correlation, 0, 1)) * trust + 0.5 * (1 - trust)
