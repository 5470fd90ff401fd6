"""Whether a camera still sees its scene: covered, moved, frozen, dark, out of focus.

The picture is compared, block by block, with what the camera used to see; correlation does not mind how bright it is.
This file does not know what happens in the scene.
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.tasks.surveillance.settings import WatchSettings

__all__ = ["CameraState", "TamperingDetector"]

F = NDArray[np.float32]
_GRID = (9, 16)  # blocks down and across
_WIDTH, _HEIGHT = 160, 90  # pixels of the picture that is compared
_TEXTURE = 3.0  # grey levels by which a block's pixels differ before there is something to recognise in it
_SAME = 0.5  # correlation from which a block shows what it used to show
_LOST, _BACK = 0.25, 0.5  # shares of the known blocks: fewer are seen, it is not the scene; more, it is again
_FLAT = 0.4  # of the texture there was: less is a cover, more another scene
_DARK_MEAN, _DARK_BRIGHT = 14.0, 45.0  # grey levels: all of the picture, and its brightest hundredth
_SOFT = 0.3  # of the sharpness there was
_COARSE = 0.4  # of the fine detail there was: what is close before the lens is out of focus
_TURN_S = 1.1  # a camera is turned within so long; people who gather before it take longer
_ALIKE = 12.0  # grey levels by which flat blocks may differ
_SHIFT = 0.02  # of the picture's width
_STILL = 0.02  # grey levels two pictures differ by on average, at most, to be the same
_ALIVE = 0.04  # grey levels that a live picture differs by
_REFERENCE_S = 30.0  # how slowly the remembered scene follows
_LEARN_S = 2.0
_CALM_S = 1.5  # for so long a fault must be gone


@dataclass(frozen=True, kw_only=True)
class CameraState:
    """How a camera sees at one moment."""

    fault: str = ""  # "camera covered" and so on; nothing: it sees
    score: float = 0.0  # of the fault
    since_s: float = 0.0  # when the fault began
    seen: float = 1.0  # share of the known scene that is recognised
    is_confirmed: bool = False  # the fault has lasted for as long as the settings want
    is_new_scene: bool = False  # the camera looks elsewhere from now on: what was learned is worth nothing

    @property
    def sees(self) -> bool:
        """Whether what is found in this picture can be believed."""
        return not self.fault


class TamperingDetector:
    """Watches over one camera; call it with pictures in order, a few a second.

    Args:
        settings: From when on a fault counts.
    """

    def __init__(self, settings: WatchSettings | None = None) -> None:
        self._settings = settings or WatchSettings()
        self._reference: F | None = None
        self._sharpness = 0.0
        self._before: F | None = None
        self._same: deque[tuple[float, float]] = deque(maxlen=100)  # of the last moments
        self._alive = False
        self._same_since: float | None = None
        self._started_s = self._time_s = 0.0
        self._fault, self._since_s, self._gone_s = "", 0.0, 0.0
        self._score = 0.0
        self._window = cv2.createHanningWindow((_WIDTH, _HEIGHT), cv2.CV_32F)
        self._view: F | None = None  # of a camera that has moved: what it sees now, to know when it stands still

    def __call__(self, grey: NDArray[np.uint8], *, time_s: float) -> CameraState:
        """Take in a picture.

        Args:
            grey: (H, W) uint8, of any size; always the same.
            time_s: When.
        """
        small = cv2.resize(grey, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
        if self._reference is None:
            self._begin(small, time_s)
        assert self._reference is not None
        dt_s, self._time_s = max(time_s - self._time_s, 0.0), time_s
        seen, texture, same = self._compare(small)
        found, score = self._decide(small, seen, texture, same, time_s)
        self._settle(found, score, time_s)
        is_new = False
        if not self._fault and found == "":
            learning = time_s - self._started_s < _LEARN_S
            fraction = 1 - np.exp(-dt_s / (_LEARN_S if learning else _REFERENCE_S))
            self._reference += np.float32(fraction) * (small - self._reference)
            self._sharpness += float(fraction) * (_sharpness(small) - self._sharpness)
        elif self._fault == "camera moved":
            is_new = self._stands(small, time_s)
            if is_new:
                self._begin(small, time_s)
        lasts_s = time_s - self._since_s
        wanted = self._settings.frozen_after_s if self._fault == "camera frozen" else self._settings.camera_after_s
        return CameraState(
            fault=self._fault,
            score=self._score,
            since_s=self._since_s,
            seen=seen,
            is_confirmed=bool(self._fault) and lasts_s >= wanted,
            is_new_scene=is_new,
        )

    def _begin(self, small: F, time_s: float) -> None:
        self._reference, self._sharpness = small.copy(), _sharpness(small)
        self._started_s = self._time_s = time_s
        self._fault, self._view = "", None

    def _compare(self, small: F) -> tuple[float, float, float]:
        """Share of the known blocks that look as they used to; texture in proportion to what there was; share of all
        blocks, also of those with nothing in them, that look as they used to."""
        assert self._reference is not None
        now, then = _blocks(small), _blocks(self._reference)
        now_spread, then_spread = now.std(-1), then.std(-1)
        known = then_spread > _TEXTURE
        if not known.any():
            return 1.0, 1.0, 1.0
        product = ((now - now.mean(-1, keepdims=True)) * (then - then.mean(-1, keepdims=True))).mean(-1)
        alike = product / np.maximum(now_spread * then_spread, 0.25 * _TEXTURE**2)
        texture = float(np.minimum(now_spread[known] / then_spread[known], 1).mean())
        brighter = now.mean(-1) - then.mean(-1)
        flat = (now_spread < 1.5 * _TEXTURE) & (np.abs(brighter - np.median(brighter)) < _ALIKE)
        same = np.where(known, alike > _SAME, flat)
        return float((alike[known] > _SAME).mean()), texture, float(same.mean())

    def _fits(self, small: F, dx: float, dy: float) -> float:
        """Share of the known blocks that look as they used to if the picture is pushed back."""
        back = np.array([[1, 0, -dx], [0, 1, -dy]], np.float32)
        pushed = cv2.warpAffine(small, back, (_WIDTH, _HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        return self._compare(np.asarray(pushed, np.float32))[0]

    def _decide(self, small: F, seen: float, texture: float, same: float, time_s: float) -> tuple[str, float]:
        """What is wrong with this picture, and how sure that is."""
        assert self._reference is not None
        if self._is_frozen(small, time_s):
            return "camera frozen", 0.95
        lost = _BACK if self._fault in ("camera covered", "camera moved") else _LOST
        bright = float(np.percentile(small[::2, ::2], 99))
        was_dark = float(self._reference.mean()) < 2 * _DARK_MEAN
        if small.mean() < _DARK_MEAN and bright < _DARK_BRIGHT and not was_dark:
            return "camera dark", min(0.99, 0.6 + 0.4 * (1 - bright / _DARK_BRIGHT))
        self._same.append((time_s, same))
        while time_s - self._same[0][0] > _TURN_S:
            self._same.popleft()
        if seen < lost:
            certain = min(0.99, 0.6 + 0.4 * (1 - seen / lost))
            if texture < _FLAT or _fine(small) < _COARSE * _fine(self._reference):
                return "camera covered", certain
            if self._fault or max(s for _, s in self._same) > _BACK + same:
                return "camera moved", certain
        if time_s - self._started_s > _LEARN_S and _sharpness(small) < _SOFT * self._sharpness:
            return "camera blurred", 0.8
        if time_s - self._started_s > _LEARN_S and seen < 0.8:
            then, now = self._reference.copy(), small.copy()  # OpenCV lays the window over them in place
            (dx, dy), likeness = cv2.phaseCorrelate(then, now, self._window)
            if (
                likeness > 0.1
                and np.hypot(dx, dy) > _SHIFT * _WIDTH
                and self._fits(small, dx, dy) > max(0.8, seen + 0.2)
            ):
                return "camera moved", min(0.95, 0.6 + likeness / 2)
        return "", 0.0

    def _is_frozen(self, small: F, time_s: float) -> bool:
        before, self._before = self._before, small
        if before is None:
            return False
        difference = float(np.abs(small - before).mean())
        if difference > _STILL:
            self._alive = self._alive or difference > _ALIVE
            self._same_since = None
            return False
        self._same_since = time_s if self._same_since is None else self._same_since
        wait_s = 1.0 if self._alive else 2 * self._settings.frozen_after_s  # it may be a video without noise
        return time_s - self._same_since >= wait_s

    def _settle(self, found: str, score: float, time_s: float) -> None:
        """Keep to a fault until it has been gone for a while."""
        if found and found != self._fault:
            kinds = {found, self._fault}
            if (
                self._fault
                and kinds <= {"camera covered", "camera moved", "camera dark"}
                and (time_s - self._since_s > self._settings.camera_after_s)
            ):
                self._gone_s = time_s  # a cover that shakes is still a cover
                return
            keeps = kinds <= {"camera covered", "camera moved", "camera dark"} and bool(self._fault)
            start_s = self._same_since if found == "camera frozen" and self._same_since is not None else time_s
            self._fault, self._since_s = found, self._since_s if keeps else start_s
            self._gone_s, self._score = time_s, score
        elif found:
            self._gone_s, self._score = time_s, max(self._score, score)
        elif self._fault and time_s - self._gone_s >= (_CALM_S if self._was_confident() else 0.0):
            self._fault, self._view = "", None

    def _was_confident(self) -> bool:
        return self._gone_s - self._since_s >= self._settings.camera_after_s

    def _stands(self, small: F, time_s: float) -> bool:
        """Whether a camera that was moved has seen one and the same scene for a while."""
        if self._view is None:
            self._view, self._view_s = small.copy(), time_s
            return False
        now, then = _blocks(small), _blocks(self._view)
        spread, was = now.std(-1), then.std(-1)
        product = ((now - now.mean(-1, keepdims=True)) * (then - then.mean(-1, keepdims=True))).mean(-1)
        known = was > _TEXTURE
        same = (product[known] / np.maximum(spread[known] * was[known], 1.0) > _SAME).mean() if known.any() else 1.0
        if same < 0.7:
            self._view, self._view_s = small.copy(), time_s
            return False
        long_s = max(self._settings.camera_after_s, _CALM_S) + _CALM_S
        return time_s - self._view_s >= long_s


def _blocks(picture: F) -> F:
    """(rows, columns, pixels)"""
    rows, columns = _GRID
    high, wide = _HEIGHT // rows, _WIDTH // columns
    return picture.reshape(rows, high, columns, wide).swapaxes(1, 2).reshape(rows, columns, -1)


def _fine(picture: F) -> float:
    """How much detail there is, finer than a hand before the lens shows, coarser than noise; in grey levels."""
    return float(cv2.Laplacian(cv2.GaussianBlur(picture, (0, 0), 1.2), cv2.CV_32F).std())


def _sharpness(picture: F) -> float:
    """How much of the picture's contrast lies in its finest details."""
    return float(cv2.Laplacian(picture, cv2.CV_32F).std() / max(float(picture.std()), 4.0))
