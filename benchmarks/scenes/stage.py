"""A composed scene while it is being written: who is there, where they go, what lies where.

This file does not know stories or truth.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.scenes.scenes import Actor, Camera, Light, Points, Prop
from benchmarks.scenes.sprites import SpriteBox
from szem.tasks.surveillance.event_metrics import TrueEvent

__all__ = ["Stage"]


@dataclass
class Stage:
    """A scene while it is being written."""

    rng: np.random.Generator
    box: SpriteBox
    size: tuple[int, int]
    duration_s: float
    horizon: float
    tall: float
    actors: list[Actor] = field(default_factory=list)
    objects: list[Prop] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)
    cameras: list[Camera] = field(default_factory=list)
    truth: list[TrueEvent] = field(default_factory=list)
    zones: dict[str, Points] = field(default_factory=dict)
    lines: dict[str, Points] = field(default_factory=dict)
    swaying: NDArray[np.float32] | None = None
    noise: float = 2.0
    label: str = "person"

    def height_at(self, y: float) -> float:
        """Of a person with his foot there, as a share of the picture's height."""
        return self.tall * max(y - self.horizon, 0.02) / (1 - self.horizon)

    def pick(self, low: float, high: float) -> float:
        """A number between two."""
        return float(self.rng.uniform(low, high))

    def act(self, way: list[tuple[float, float, float]], *, label: str = "person", size: float = 1.0) -> Actor:
        """Somebody who goes a way."""
        sprite = self.box.mover(label, self.rng)
        if label not in ("person",):
            size *= 0.55 if label in ("dog", "cat", "bird", "sheep") else 0.95
        actor = Actor(
            number=len(self.actors) + 1, sprite=sprite, way=tuple(way), size=size, phase=self.pick(0, 6)
        )  # fmt: skip
        self.actors.append(actor)
        return actor

    def walk(
        self, start_s: float, y: float, *, to_right: bool | None = None, speed: float = 1.0, label: str = "person"
    ) -> Actor:
        """Somebody who walks through the picture from one side to the other."""
        right = bool(self.rng.integers(2)) if to_right is None else to_right
        height = self.height_at(y) * self.size[1] / self.size[0]  # in shares of the width
        edge = 0.6 * height + 0.02
        pace = speed * self.pick(0.65, 0.95) * max(height, 0.12)
        over_s = (1 + 2 * edge) / pace
        xs = (-edge, 1 + edge) if right else (1 + edge, -edge)
        drift = self.pick(-0.03, 0.03)
        return self.act([(start_s, xs[0], y), (start_s + over_s, xs[1], min(y + drift, 0.98))], label=label)

    def go(
        self,
        start_s: float,
        points: list[tuple[float, float]],
        *,
        speed: float = 0.85,
        waits: dict[int, float] | None = None,
    ) -> list[tuple[float, float, float]]:
        """A way through points, with waits (seconds) at some of them: times and points."""
        way = [(start_s, *points[0])]
        now = start_s
        for k, (x, y) in enumerate(points[1:], 1):
            x0, y0 = points[k - 1]
            height = self.height_at((y + y0) / 2) * self.size[1] / self.size[0]
            now += math.hypot(x - x0, (y - y0) * 1.6 * self.size[1] / self.size[0]) / (speed * max(height, 0.1))
            way.append((now, x, y))
            if waits and k in waits:
                now += waits[k]
                way.append((now, x, y))
        return way

    def outside(self, y: float, *, left: bool) -> tuple[float, float]:
        """A point beside the picture."""
        edge = 0.6 * self.height_at(y) * self.size[1] / self.size[0] + 0.02
        return (-edge, y) if left else (1 + edge, y)

    def lay(self, x: float, y: float, start_s: float, end_s: float = math.inf, *, size: float | None = None) -> Prop:
        """A bag or another thing."""
        sprite = self.box.objects[int(self.rng.integers(len(self.box.objects)))]
        fraction = self.pick(0.24, 0.4) if size is None else size
        obj = Prop(sprite=sprite, foot=(x, y), height=fraction * self.height_at(y), start_s=start_s, end_s=end_s)
        self.objects.append(obj)
        return obj
