"""Scripts for composed scenes: one table of stories, each with its exact truth.

The kinds of truth are those of `szem.tasks.surveillance.settings.KINDS`. This file does not know how scenes are
drawn or judged.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.scenes.scenes import Camera, Light, Points, Scene
from benchmarks.scenes.sprites import SpriteBox, draw_place
from benchmarks.scenes.stage import Stage
from benchmarks.scenes.story_truth import SETTINGS, gone_truth, left_truth, ways_truth
from szem.arrays import Picture8
from szem.errors import UnknownNameError
from szem.tasks.surveillance.event_metrics import TrueEvent

__all__ = ["STORIES", "compose_scene"]

Rng = np.random.Generator
F = NDArray[np.float32]


def compose_scene(
    story: str,
    seed: int,
    sprites: SpriteBox,
    *,
    size: tuple[int, int] = (640, 360),
    rate_hz: float = 10.0,
    duration_s: float = 30.0,
    label: str = "person",
    extras: bool = True,
) -> Scene:
    """Write and set up one scene.

    Args:
        story: A key of `STORIES`.
        seed: Same seed, same scene.
        sprites: From `read_sprites` or `draw_sprites`.
        size: Width and height of the picture.
        rate_hz: Pictures a second.
        duration_s: How long it lasts; stories need about 25 s.
        label: Who acts, for the story "passes": a class of the sprites.
        extras: Also what happens by the way: noise, leaves that move, passers-by, slow light.
    Raises:
        UnknownNameError: no such story or class.
    """
    if story not in STORIES:
        raise UnknownNameError(f"no story called {story!r}; there are {', '.join(STORIES)}")
    rng = np.random.default_rng([seed, list(STORIES).index(story), 5])
    margin = round(0.2 * size[0])
    whole = size[0] + 2 * margin, size[1] + 2 * margin
    if sprites.places and rng.uniform() < 0.75:
        place = _fit(sprites.places[int(rng.integers(len(sprites.places)))], whole)
    else:
        place = draw_place(*whole, rng)
    stage = Stage(
        rng=rng,
        box=sprites,
        size=size,
        duration_s=duration_s,
        horizon=float(rng.uniform(0.05, 0.2)),
        tall=float(rng.uniform(0.5, 0.75)),
        noise=float(rng.uniform(1.0, 4.0)),
        label=label,
    )
    STORIES[story](stage)
    if extras:
        _add_extras(stage, story)
    truth = [*stage.truth, *ways_truth(stage)]
    return Scene(
        name=story,
        seed=seed,
        place=place,
        margin=margin,
        size=size,
        rate_hz=rate_hz,
        duration_s=duration_s,
        horizon=stage.horizon,
        tall=stage.tall,
        actors=tuple(stage.actors),
        objects=tuple(stage.objects),
        lights=tuple(stage.lights),
        cameras=tuple(stage.cameras),
        swaying=stage.swaying,
        noise=stage.noise,
        zones=stage.zones,
        lines=stage.lines,
        settings=dict(SETTINGS),
        truth=tuple(sorted(truth, key=lambda t: (t.start_s, t.kind))),
    )


# Stories ----------------------------------------------------------------------------------------------------------


def _quiet(stage: Stage) -> None:
    """Nothing; what the extras bring."""


def _left(stage: Stage) -> None:
    """Somebody brings a thing and goes away."""
    x, y, left = stage.pick(0.3, 0.7), stage.pick(0.6, 0.92), bool(stage.rng.integers(2))
    way = stage.go(stage.pick(3.2, 5), [stage.outside(y, left=left), (x, y), stage.outside(y, left=not left)],
                   waits={1: stage.pick(0.8, 2.5)})  # fmt: skip
    stage.act(way)
    beside = 0.3 * stage.height_at(y) * stage.size[1] / stage.size[0] * (1 if left else -1)
    left_truth(stage, stage.lay(min(max(x + beside, 0.08), 0.92), min(y + 0.01, 0.98), way[1][0] + 0.5))


def _dropped(stage: Stage) -> None:
    """A thing appears and nobody was seen to bring it."""
    left_truth(stage, stage.lay(stage.pick(0.1, 0.9), stage.pick(0.5, 0.95), stage.pick(5, 9)))


def _left_and_taken(stage: Stage) -> None:
    """A thing is left; somebody else takes it later."""
    x, y = stage.pick(0.3, 0.7), stage.pick(0.6, 0.9)
    way = stage.go(3.2, [stage.outside(y, left=True), (x, y), stage.outside(y, left=True)], waits={1: 0.8}, speed=1.0)
    stage.act(way)
    side = stage.outside(y, left=False)
    later = stage.go(way[-1][0] + stage.pick(6, 8), [side, (x, y), side], waits={1: 0.8}, speed=1.1)
    stage.act(later)
    beside = 0.25 * stage.height_at(y) * stage.size[1] / stage.size[0]
    obj = stage.lay(min(x + beside, 0.95), min(y + 0.01, 0.98), way[1][0] + 0.4, later[1][0] + 0.4)
    left_truth(stage, obj)


def _removed(stage: Stage) -> None:
    """Somebody takes a thing that stood there."""
    x, y, left = stage.pick(0.3, 0.7), stage.pick(0.55, 0.9), bool(stage.rng.integers(2))
    way = stage.go(stage.pick(5, 8), [stage.outside(y, left=left), (x, y), stage.outside(y, left=not left)],
                   waits={1: stage.pick(0.6, 1.5)})  # fmt: skip
    stage.act(way)
    obj = stage.lay(x, max(y - 0.02, 0.3), -1.0, way[1][0] + 0.5, size=stage.pick(0.3, 0.45))
    gone_truth(stage, obj)


def _vanished(stage: Stage) -> None:
    """A thing that stood there is gone, nobody was seen."""
    gone_truth(
        stage,
        stage.lay(stage.pick(0.1, 0.9), stage.pick(0.5, 0.95), -1.0, stage.pick(6, 10), size=stage.pick(0.3, 0.45)),
    )


def _attended(stage: Stage) -> None:
    """Somebody puts a thing down, stays with it and takes it along."""
    x, y = stage.pick(0.3, 0.7), stage.pick(0.65, 0.92)
    stays = stage.pick(9, 13)
    way = stage.go(
        3.2, [stage.outside(y, left=True), (x, y), stage.outside(y, left=False)], waits={1: stays}, speed=1.1
    )
    stage.act(way)
    beside = 0.28 * stage.height_at(y) * stage.size[1] / stage.size[0]
    stage.lay(x + beside, min(y + 0.01, 0.98), way[1][0] + 0.5, way[2][0])


def _stands(stage: Stage) -> None:
    """Somebody stands about for a while, too short to loiter or not."""
    x, y = stage.pick(0.25, 0.75), stage.pick(0.65, 0.95)
    stage.act(stage.go(3.5, [stage.outside(y, left=True), (x, y), stage.outside(y, left=False)],
                       waits={1: stage.pick(2, 14)}, speed=1.1))  # fmt: skip


def _passes(stage: Stage) -> None:
    """Something goes through the picture."""
    stage.walk(
        stage.pick(4, 8), stage.pick(0.7, 0.95), label=stage.label, speed=1.0 if stage.label == "person" else 1.4
    )


def _zone(stage: Stage) -> None:
    """Somebody goes into a zone and out again, somebody else passes it by."""
    x, y = stage.pick(0.4, 0.6), stage.pick(0.72, 0.85)
    stage.zones["yard"] = _around(x, y, 0.16, 0.1)
    stage.act(stage.go(3.5, [stage.outside(y, left=True), (x, y), stage.outside(y, left=False)],
                       waits={1: stage.pick(0, 3)}, speed=1.1))  # fmt: skip
    stage.walk(stage.pick(8, 14), 0.62 if y > 0.78 else 0.97, speed=1.1)


def _crosses(stage: Stage) -> None:
    """People cross a line, one turns round before it."""
    x = stage.pick(0.42, 0.58)
    stage.lines["gate"] = ((x, 0.45), (x + stage.pick(-0.04, 0.04), 1.0))
    stage.walk(3.5, stage.pick(0.65, 0.78), to_right=True)
    stage.walk(stage.pick(8, 11), stage.pick(0.8, 0.95), to_right=False)
    y = stage.pick(0.7, 0.9)
    stage.act(
        stage.go(
            stage.pick(14, 16), [stage.outside(y, left=True), (x - 0.16, y), stage.outside(y, left=True)], speed=1.1
        )
    )


def _loiters(stage: Stage) -> None:
    """Somebody hangs about in a zone."""
    x, y = stage.pick(0.4, 0.6), stage.pick(0.75, 0.88)
    stage.zones["corner"] = _around(x, y, 0.2, 0.11)
    points = [stage.outside(y, left=bool(stage.rng.integers(2)))]
    points += [(x + stage.pick(-0.1, 0.1), y + stage.pick(-0.04, 0.04)) for _ in range(4)]
    points.append(stage.outside(y, left=bool(stage.rng.integers(2))))
    stage.act(stage.go(3.2, points, waits={1: 3.0, 2: 3.0, 3: 3.0, 4: 2.0}, speed=1.2))


def _crowd(stage: Stage) -> None:
    """Several people come together; or, as often, one too few."""
    many = int(SETTINGS["crowd_people"]) + int(stage.rng.integers(-1, 3))
    for k in range(many):
        x, y = 0.14 + 0.72 * (k + 0.5) / many, stage.pick(0.75, 0.97)
        left = x < 0.5
        stage.act(stage.go(3.2 + 0.8 * k, [stage.outside(y, left=left), (x, y), stage.outside(y, left=left)],
                           waits={1: 9.0 - 0.5 * k}, speed=1.2))  # fmt: skip


def _approach(stage: Stage) -> None:
    """Somebody runs towards the camera; somebody else walks away from it, slowly."""
    x, start = stage.pick(0.35, 0.65), stage.pick(4, 8)
    y0, y1 = stage.horizon + 0.3, 0.98
    over = stage.pick(1.3, 1.9)
    way = [(start, x, y0), (start + 1.5, x, y0), (start + 1.5 + over, x + stage.pick(-0.1, 0.1), y1)]
    last = way[-1]
    way.append((last[0] + 0.5, last[1], 1.0))
    stage.act(way)
    stage.truth.append(TrueEvent(kind="fast approach", start_s=way[1][0], end_s=last[0], label="person"))
    far = stage.pick(0.15, 0.3) if x > 0.5 else stage.pick(0.7, 0.85)
    begin = last[0] + 3
    stage.act([(begin, far, 1.05), (begin + 9, far, stage.horizon + 0.35), (begin + 9.5, far, stage.horizon + 0.35)])


def _lamp(stage: Stage) -> None:
    """A lamp is switched, in a part of the picture or all of it."""
    factor = float(stage.rng.choice([stage.pick(0.45, 0.7), stage.pick(1.2, 1.5)]))
    part = None if stage.rng.uniform() < 0.4 else _glow(stage)
    stage.lights.append(
        Light(factor=factor, start_s=stage.pick(6, 9), over_s=0.15, end_s=stage.pick(16, 22), field=part)
    )


def _cloud(stage: Stage) -> None:
    """It gets darker or brighter within seconds, and its colour changes."""
    tint = (1.0, 1.0, stage.pick(1.0, 1.15))
    start, over, end = stage.pick(4, 8), stage.pick(3, 8), stage.pick(18, 22)
    stage.lights.append(Light(factor=stage.pick(0.45, 0.75), start_s=start, over_s=over, end_s=end, tint=tint))


def _shadow(stage: Stage) -> None:
    """A shadow or a patch of sun comes to lie on the ground and stays."""
    width, height = stage.size
    shape = np.zeros((height, width), np.float32)
    x, y, w, h = stage.pick(0.2, 0.8), stage.pick(0.55, 0.9), stage.pick(0.1, 0.3), stage.pick(0.06, 0.2)
    corners = cv2.boxPoints(((x * width, y * height), (w * width, h * height), stage.pick(-30, 30)))
    cv2.fillPoly(shape, [corners.round().astype(np.int32)], 1.0)
    soft = np.asarray(cv2.GaussianBlur(shape, (0, 0), stage.pick(1.5, 5)), np.float32)
    factor = float(stage.rng.choice([stage.pick(0.5, 0.75), stage.pick(1.25, 1.5)]))
    stage.lights.append(Light(factor=factor, start_s=stage.pick(5, 9), over_s=stage.pick(0.5, 3), field=soft))


def _exposure(stage: Stage) -> None:
    """Something bright comes by and the camera regulates its exposure."""
    start = stage.pick(5, 8)
    stage.walk(start - 1, stage.pick(0.8, 0.95))
    stage.lights.append(
        Light(factor=stage.pick(0.7, 0.85), start_s=start, over_s=0.6, end_s=start + stage.pick(4, 8))
    )


def _camera(kind: str) -> Callable[[Stage], None]:
    def write(stage: Stage) -> None:
        start = stage.pick(7, 10)
        end = math.inf if stage.rng.uniform() < 0.5 else start + stage.pick(9, 11)
        cover, shift = None, (0.0, 0.0)
        if kind == "covered":
            cover = _cover(stage)
        if kind == "moved":
            end = math.inf
            turn = stage.pick(0, 2 * math.pi)
            shift = (0.17 * math.cos(turn), 0.17 * math.sin(turn))
        stage.cameras.append(Camera(kind=kind, start_s=start, end_s=end, cover=cover, shift=shift))
        stage.truth.append(TrueEvent(kind=f"camera {kind}", start_s=start, end_s=min(end, stage.duration_s)))

    return write


STORIES: dict[str, Callable[[Stage], None]] = {
    "quiet": _quiet,
    "left": _left,
    "dropped": _dropped,
    "left and taken": _left_and_taken,
    "removed": _removed,
    "vanished": _vanished,
    "attended": _attended,
    "stands": _stands,
    "passes": _passes,
    "zone": _zone,
    "crosses": _crosses,
    "loiters": _loiters,
    "crowd": _crowd,
    "approach": _approach,
    "lamp": _lamp,
    "cloud": _cloud,
    "shadow": _shadow,
    "exposure": _exposure,
    "covered": _camera("covered"),
    "moved": _camera("moved"),
    "frozen": _camera("frozen"),
    "dark": _camera("dark"),
    "blurred": _camera("blurred"),
}


def _add_extras(stage: Stage, story: str) -> None:
    """What happens by the way and is not an event of its own, or only a passer-by."""
    rng = stage.rng
    if rng.uniform() < 0.35:
        stage.swaying = _leaves(stage)
    if rng.uniform() < 0.3 and story not in ("lamp", "cloud", "exposure"):
        stage.lights.append(Light(factor=stage.pick(0.75, 1.2), start_s=stage.pick(2, 10), over_s=stage.pick(6, 15)))
    if rng.uniform() < 0.5 and story in ("quiet", "dropped", "vanished", "lamp", "cloud", "shadow"):
        stage.walk(stage.pick(4, 18), stage.pick(0.65, 0.95))


# Pieces -----------------------------------------------------------------------------------------------------------


def _around(x: float, y: float, across: float, down: float) -> Points:
    return (
        (x - across, y - down),
        (x + across, y - down),
        (x + across, min(y + down, 1)),
        (x - across, min(y + down, 1)),
    )


def _glow(stage: Stage) -> F:
    """(h, w) where a lamp shines."""
    width, height = stage.size
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    x, y, r = stage.pick(0, 1) * width, stage.pick(0, 0.6) * height, stage.pick(0.4, 0.8) * width
    out: F = np.exp(-((((xs - x) ** 2 + (ys - y) ** 2) / (r * r)) ** 1.5)).astype(np.float32)
    return out


def _leaves(stage: Stage) -> F:
    """(h, w) pixels by which the upper part of one side moves."""
    width, height = stage.size
    field = np.zeros((height, width), np.float32)
    x = 0.0 if stage.rng.uniform() < 0.5 else width
    cv2.ellipse(
        field, (int(x), int(0.15 * height)), (int(0.22 * width), int(0.3 * height)), 0, 0, 360, stage.pick(2, 5), -1
    )
    out: F = np.asarray(cv2.GaussianBlur(field, (0, 0), 12), np.float32)
    return out


def _cover(stage: Stage) -> Picture8:
    """A hand, a cloth or a bag before the lens: out of focus, hardly any structure."""
    width, height = stage.size
    color = stage.rng.uniform(25, 150, 3).astype(np.float32)
    coarse = stage.rng.normal(0, 14, (4, 6, 1)).astype(np.float32)
    soft = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    out: Picture8 = (color + soft).clip(5, 250).astype(np.uint8)
    return out


def _fit(picture: Picture8, size: tuple[int, int]) -> Picture8:
    """Fill a size, cutting off what is too much."""
    scale = max(size[0] / picture.shape[1], size[1] / picture.shape[0])
    wide, high = math.ceil(picture.shape[1] * scale), math.ceil(picture.shape[0] * scale)
    large = np.asarray(cv2.resize(picture, (wide, high), interpolation=cv2.INTER_CUBIC), np.uint8)
    x, y = (wide - size[0]) // 2, (high - size[1]) // 2
    return np.ascontiguousarray(large[y : y + size[1], x : x + size[0]])
