"""Scenes composed of cut-outs on a still place, with exact truth: who is where when, and what has happened.

A scene is told by its script (`benchmarks.scenes.stories` writes scripts) and drawn frame by frame; the same seed
gives the same film. The truth follows from the script alone, never from the pictures. This file does not know how
events are found.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.scenes.sprites import Sprite
from szem.arrays import Picture8
from szem.tasks.surveillance.event_metrics import TrueEvent

__all__ = ["Actor", "Camera", "Light", "Prop", "Scene"]

F = NDArray[np.float32]
Points = tuple[tuple[float, float], ...]
_GRAIN_PX = 64
_HALF = 0.5  # share of an actor that must be in the picture for it to be in sight


@dataclass(frozen=True, kw_only=True, eq=False)
class Actor:
    """Somebody or something that moves along a way; his size follows from where he stands."""

    number: int
    sprite: Sprite
    way: tuple[tuple[float, float, float], ...]  # time, x and y of the foot in shares of the picture; times rise
    size: float = 1.0  # of a person's at the same place
    phase: float = 0.0

    def at(self, time_s: float) -> tuple[float, float, bool] | None:
        """Where the foot is, and whether it walks; None before and after."""
        if not self.way[0][0] <= time_s <= self.way[-1][0]:
            return None
        for (t0, x0, y0), (t1, x1, y1) in zip(self.way, self.way[1:], strict=False):
            if time_s <= t1:
                part = (time_s - t0) / max(t1 - t0, 1e-6)
                walks = math.hypot(x1 - x0, y1 - y0) > 1e-3
                return x0 + part * (x1 - x0), y0 + part * (y1 - y0), walks
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Prop:
    """Something that lies still from one moment to another."""

    sprite: Sprite
    foot: tuple[float, float]  # shares
    height: float  # share of the picture's
    start_s: float = -1.0  # before 0: it belongs to the scene
    end_s: float = math.inf


@dataclass(frozen=True, kw_only=True, eq=False)
class Light:
    """A change of the light: by a factor, in a part or everywhere, within a time, and perhaps back."""

    factor: float
    start_s: float
    over_s: float  # how long the change takes
    end_s: float = math.inf  # when it goes back
    field: F | None = None  # (h, w) 0..1 where; None: everywhere
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)  # factors of red, green, blue at its full

    def fraction(self, time_s: float) -> float:
        """How much of it there is."""
        rise = min(max((time_s - self.start_s) / max(self.over_s, 1e-6), 0.0), 1.0)
        fall = min(max((time_s - self.end_s) / max(self.over_s, 1e-6), 0.0), 1.0)
        return rise - fall


@dataclass(frozen=True, kw_only=True, eq=False)
class Camera:
    """Something that befalls the camera."""

    kind: str  # "covered", "moved", "frozen", "dark", "blurred"
    start_s: float
    end_s: float = math.inf
    cover: Picture8 | None = None
    shift: tuple[float, float] = (0.0, 0.0)  # shares, for "moved"


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A script, and the film of it."""

    name: str
    seed: int
    place: Picture8  # larger than the picture by `margin` on each side
    margin: int
    size: tuple[int, int]  # width and height
    rate_hz: float
    duration_s: float
    horizon: float  # share of the height at which people would have no size
    tall: float  # share of the height that a person has at the lower edge
    actors: tuple[Actor, ...] = ()
    objects: tuple[Prop, ...] = ()
    lights: tuple[Light, ...] = ()
    cameras: tuple[Camera, ...] = ()
    swaying: F | None = None  # (h, w) pixels by which leaves move
    noise: float = 2.0  # grey levels
    zones: dict[str, Points] = field(default_factory=dict)  # shares
    lines: dict[str, Points] = field(default_factory=dict)
    settings: dict[str, float] = field(default_factory=dict)  # that truth was reckoned with
    truth: tuple[TrueEvent, ...] = ()

    def frames(self) -> Iterator[tuple[float, Picture8]]:
        """Times, and pictures (H, W, 3)."""
        frozen: Picture8 | None = None
        sprites: dict[tuple[int, int, bool], Sprite] = {}
        grain = self._grain()
        for index in range(round(self.duration_s * self.rate_hz)):
            time_s = index / self.rate_hz
            is_frozen = any(c.kind == "frozen" and c.start_s <= time_s < c.end_s for c in self.cameras)
            if is_frozen and frozen is not None:
                yield time_s, frozen
                continue
            frozen = self._draw(time_s, index, sprites, grain)
            yield time_s, frozen

    def boxes(self, time_s: float) -> list[tuple[int, str, tuple[float, float, float, float]]]:
        """Number, class and box in pixels of all actors in sight, hidden or not."""
        width, height = self.size
        found = []
        for actor in self.actors:
            placed = self._placed(actor, time_s)
            if placed is None:
                continue
            x0, y0, w, h = placed
            box = max(x0, 0.0), max(y0, 0.0), min(x0 + w, width), min(y0 + h, height)
            inside = max(box[2] - box[0], 0) * max(box[3] - box[1], 0)
            if inside >= _HALF * w * h:
                found.append((actor.number, actor.sprite.label, box))
        return found

    def height_at(self, y: float) -> float:
        """Of a person whose foot is at a share of the picture's height; a share too."""
        return self.tall * max(y - self.horizon, 0.02) / (1 - self.horizon)

    def box_of(self, obj: Prop) -> tuple[float, float, float, float]:
        """A thing's box in pixels."""
        width, height = self.size
        h = obj.height * height
        w = h * obj.sprite.color.shape[1] / obj.sprite.color.shape[0]
        x, y = obj.foot[0] * width, obj.foot[1] * height
        return max(x - w / 2, 0), max(y - h, 0), min(x + w / 2, width), min(y, height)

    # Drawing ----------------------------------------------------------------------------------------------------

    def _placed(self, actor: Actor, time_s: float) -> tuple[float, float, float, float] | None:
        """Left, top, width, height in pixels."""
        where = actor.at(time_s)
        if where is None:
            return None
        width, height = self.size
        x, y, walks = where
        h = self.height_at(y) * actor.size * height
        w = h * actor.sprite.color.shape[1] / actor.sprite.color.shape[0]
        bob = 0.012 * h * abs(math.sin(5.5 * time_s + actor.phase)) if walks else 0.0
        lean = 0.0 if walks else 0.012 * h * math.sin(0.9 * time_s + actor.phase)  # nobody stands quite still
        return x * width - w / 2 + lean, y * height - h - bob, w, h

    def _draw(self, time_s: float, index: int, sprites: dict[tuple[int, int, bool], Sprite], grain: F) -> Picture8:
        width, height = self.size
        place = self._place_at(time_s).copy()
        drawn: list[tuple[float, Sprite, float, float]] = []
        for k, obj in enumerate(self.objects):
            if obj.start_s <= time_s < obj.end_s:
                x0 = self.box_of(obj)[0]
                key = (1000 + k, round(obj.height * height), False)
                sprite = sprites.setdefault(key, obj.sprite.scaled(key[1]))
                drawn.append((obj.foot[1], sprite, x0, obj.foot[1] * height - sprite.color.shape[0]))
        for actor in self.actors:
            placed = self._placed(actor, time_s)
            where = actor.at(time_s)
            if placed is None or where is None:
                continue
            key = (actor.number, round(placed[3]), self._faces_left(actor, time_s))
            if key not in sprites:
                sprites[key] = actor.sprite.scaled(key[1], flip=key[2])
            drawn.append((where[1], sprites[key], placed[0], placed[1]))
        for _, sprite, x, y in sorted(drawn, key=lambda item: item[0]):
            _put_shadow(place, sprite, x, y)
            _put(place, sprite, x, y)
        picture = place.astype(np.float32)
        for light in self.lights:
            fraction = light.fraction(time_s)
            if fraction > 0:
                factors = 1 + fraction * (light.factor * np.array(light.tint, np.float32) - 1)
                where_lit = np.float32(1) if light.field is None else light.field[..., None]
                picture *= 1 + where_lit * (factors - 1)
        picture = self._befall(picture, time_s)
        rng = np.random.default_rng([self.seed, 3, index])
        x, y = (int(v) for v in rng.integers(0, _GRAIN_PX, 2))
        picture += grain[y : y + height, x : x + width]
        out: Picture8 = picture.clip(0, 255).astype(np.uint8)
        return out

    def _grain(self) -> F:
        """Noise of which each picture shows another part: of single pixels in brightness, coarser in colour."""
        width, height = self.size[0] + _GRAIN_PX, self.size[1] + _GRAIN_PX
        rng = np.random.default_rng([self.seed, 3])
        fine = rng.normal(0, self.noise, (height, width, 1)).astype(np.float32)
        coarse = rng.normal(0, self.noise / 2, (height // 2 + 1, width // 2 + 1, 3)).astype(np.float32)
        both: F = fine + coarse.repeat(2, 0).repeat(2, 1)[:height, :width]
        return both

    def _place_at(self, time_s: float) -> Picture8:
        width, height = self.size
        dx, dy = 0.0, 0.0
        for camera in self.cameras:
            if camera.kind == "moved" and camera.start_s <= time_s < camera.end_s:
                part = min((time_s - camera.start_s) / 0.4, 1.0)
                dx, dy = camera.shift[0] * width * part, camera.shift[1] * height * part
        x0, y0 = round(self.margin + dx), round(self.margin + dy)
        part_of = self.place[y0 : y0 + height, x0 : x0 + width]
        if self.swaying is None:
            return np.ascontiguousarray(part_of)
        ys, xs = np.mgrid[:height, :width].astype(np.float32)
        wind = math.sin(2.1 * time_s) + 0.6 * math.sin(3.7 * time_s + 1) + 0.3 * math.sin(9.1 * time_s)
        gust = 0.6 + 0.4 * math.sin(0.35 * time_s)
        xs += self.swaying * wind * gust + self.swaying * 0.5 * np.sin(ys / 9 + 4 * time_s, dtype=np.float32)
        return np.asarray(
            cv2.remap(np.ascontiguousarray(part_of), xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT),
            np.uint8,
        )

    def _befall(self, picture: F, time_s: float) -> F:
        height, width = picture.shape[:2]
        for camera in self.cameras:
            if not camera.start_s <= time_s < camera.end_s:
                continue
            part = min((time_s - camera.start_s) / 0.6, 1.0, max((camera.end_s - time_s) / 0.6, 0.0))
            if camera.kind == "covered" and camera.cover is not None:
                edge = round(part * width)
                picture[:, :edge] = camera.cover[:height, width - edge : width] if edge else picture[:, :0]
            elif camera.kind == "dark":
                picture = picture * np.float32(1 - 0.97 * part)
            elif camera.kind == "blurred":
                picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.1 + 0.012 * width * part), np.float32)
        return picture

    def _faces_left(self, actor: Actor, time_s: float) -> bool:
        now, later = actor.at(time_s), actor.at(min(time_s + 0.3, actor.way[-1][0]))
        return now is not None and later is not None and later[0] < now[0] - 1e-4


def _put(picture: Picture8, sprite: Sprite, x: float, y: float) -> None:
    """Lay a sprite over a picture, in place."""
    x0, y0 = round(x), round(y)
    height, width = picture.shape[:2]
    h, w = sprite.alpha.shape
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x0 + w, width), min(y0 + h, height)
    if left >= right or top >= bottom:
        return
    part = np.s_[top:bottom, left:right]
    own = np.s_[top - y0 : bottom - y0, left - x0 : right - x0]
    alpha = sprite.alpha[own][..., None].astype(np.float32) / 255
    picture[part] = (picture[part] * (1 - alpha) + sprite.color[own] * alpha).astype(np.uint8)


def _put_shadow(picture: Picture8, sprite: Sprite, x: float, y: float) -> None:
    """A soft dark spot where a thing touches the ground."""
    height, width = picture.shape[:2]
    h, w = sprite.alpha.shape
    cx, cy, rx, ry = x + w / 2, y + h, max(w * 0.6, 2.0), max(h * 0.035, 2.0)
    left, top = max(int(cx - 1.5 * rx), 0), max(int(cy - 3 * ry), 0)
    right, bottom = min(int(cx + 1.5 * rx) + 1, width), min(int(cy + 3 * ry) + 1, height)
    if left >= right or top >= bottom:
        return
    ys, xs = np.mgrid[top:bottom, left:right].astype(np.float32)
    depth = 0.45 * np.exp(-(((xs - cx) / rx) ** 2) - ((ys - cy) / ry) ** 2, dtype=np.float32)
    picture[top:bottom, left:right] = (picture[top:bottom, left:right] * (1 - depth[..., None])).astype(np.uint8)
