"""What truly happens in a composed scene, told from the ways of those in it, not from pictures.

The kinds of truth are those of `szem.tasks.surveillance.settings.KINDS`. This file does not know stories.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.scenes.scenes import Actor, Points, Prop
from benchmarks.scenes.stage import Stage
from szem.tasks.surveillance.event_metrics import TrueEvent

__all__ = ["SETTINGS", "gone_truth", "left_truth", "ways_truth"]

SETTINGS = {"left_after_s": 4.0, "loiter_after_s": 8.0, "crowd_people": 4.0}
"""Of a watcher that is to be measured on these scenes."""
_STEP_S = 0.1  # by which ways are followed
_NEARLY_S = 1.5  # what is only so much longer or shorter than it should be may be told or not
_HERE_S = 1.0  # what is there by then has not entered


def left_truth(stage: Stage, obj: Prop) -> None:
    """Say of a thing that it was left behind."""
    stage.truth.append(
        TrueEvent(
            kind="left behind",
            start_s=obj.start_s,
            end_s=min(obj.end_s, stage.duration_s),
            box_xyxy=_box(stage, obj),
        )
    )


def gone_truth(stage: Stage, obj: Prop) -> None:
    """Say of a thing that it was removed."""
    stage.truth.append(
        TrueEvent(
            kind="removed",
            start_s=obj.end_s,
            end_s=obj.end_s,
            box_xyxy=_box(stage, obj),
            label=obj.sprite.label,
        )
    )


def _box(stage: Stage, obj: Prop) -> tuple[float, float, float, float]:
    width, height = stage.size
    h = obj.height * height
    w = h * obj.sprite.color.shape[1] / obj.sprite.color.shape[0]
    x, y = obj.foot[0] * width, obj.foot[1] * height
    return x - w / 2, y - h, x + w / 2, y


def ways_truth(stage: Stage) -> list[TrueEvent]:
    """Who enters, leaves, crosses, loiters and crowds, from the ways alone; nothing while the camera is blind."""
    truth: list[TrueEvent] = []
    blind = [(c.start_s, c.end_s) for c in stage.cameras if c.kind in ("covered", "dark", "frozen", "moved")]
    times = np.arange(0, stage.duration_s, _STEP_S)
    inside: dict[str, list[NDArray[np.bool_]]] = {}
    for actor in stage.actors:
        places = [actor.at(float(t)) for t in times]
        seen = np.array([place is not None and _is_visible(stage, actor, place[:2]) for place in places])
        zones = stage.zones or {"": ()}
        for name, corners in zones.items():
            here = np.array([
                bool(s) and p is not None and (not corners or _is_in(corners, p[:2]))
                for s, p in zip(seen, places, strict=True)
            ])  # fmt: skip
            if actor.sprite.label == "person":
                inside.setdefault(name, []).append(here)
            truth += _comings(stage, actor, name, here, times)
        for name, (start, end) in stage.lines.items():
            truth += _crossings(actor, name, (start, end), places, seen, times)
    for name, rows in inside.items():
        many = np.sum(rows, axis=0) >= SETTINGS["crowd_people"]
        truth += [
            TrueEvent(kind="crowd", start_s=a, end_s=b, place=name, label="person", is_doubtful=b - a < 2 * _NEARLY_S)
            for a, b in _spans(many, times)
        ]
    return [t for t in truth if t.start_s < stage.duration_s - 1.0 and not any(a <= t.start_s < b for a, b in blind)]


def _comings(
    stage: Stage, actor: Actor, name: str, here: NDArray[np.bool_], times: NDArray[np.float64]
) -> list[TrueEvent]:
    truth = []
    label = actor.sprite.label
    for start, end in _spans(here, times):
        if start > _HERE_S:
            truth.append(TrueEvent(kind="enters", start_s=start, end_s=start, label=label, place=name))
        if end < stage.duration_s - 2 * _STEP_S:
            truth.append(TrueEvent(kind="leaves", start_s=end, end_s=end, label=label, place=name))
        stays = end - start - SETTINGS["loiter_after_s"]
        if label == "person" and stays >= -_NEARLY_S:
            near = abs(stays) < _NEARLY_S
            loiters = TrueEvent(kind="loiters", start_s=start, end_s=end, label=label, place=name, is_doubtful=near)
            truth.append(loiters)
    return truth


def _crossings(
    actor: Actor,
    name: str,
    line: tuple[tuple[float, float], tuple[float, float]],
    places: list[tuple[float, float, bool] | None],
    seen: NDArray[np.bool_],
    times: NDArray[np.float64],
) -> list[TrueEvent]:
    (x0, y0), (x1, y1) = line
    truth, before = [], 0.0
    for place, is_seen, time_s in zip(places, seen, times, strict=True):
        if place is None or not is_seen:
            continue
        side = (x1 - x0) * (place[1] - y0) - (y1 - y0) * (place[0] - x0)
        along = ((place[0] - x0) * (x1 - x0) + (place[1] - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2)
        if before and side * before < 0 and 0 <= along <= 1:
            way = "right" if side > 0 else "left"
            truth.append(
                TrueEvent(
                    kind="crosses",
                    start_s=float(time_s),
                    end_s=float(time_s),
                    label=actor.sprite.label,
                    place=name,
                    direction=way,
                )
            )
        before = side or before
    return truth


def _is_visible(stage: Stage, actor: Actor, foot: tuple[float, float]) -> bool:
    height = stage.height_at(foot[1]) * actor.size
    width = height * actor.sprite.color.shape[1] / actor.sprite.color.shape[0] * stage.size[1] / stage.size[0]
    across = min(foot[0] + width / 2, 1) - max(foot[0] - width / 2, 0)
    down = min(foot[1], 1) - max(foot[1] - height, 0)
    return max(across, 0) * max(down, 0) >= 0.5 * width * height


def _is_in(corners: Points, point: tuple[float, float]) -> bool:
    return cv2.pointPolygonTest(np.array(corners, np.float32), (float(point[0]), float(point[1])), False) >= 0


def _spans(here: NDArray[np.bool_], times: NDArray[np.float64]) -> list[tuple[float, float]]:
    edges = np.diff(np.concatenate([[0], here.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(float(times[a]), float(times[b - 1])) for a, b in zip(starts, ends, strict=True)]
