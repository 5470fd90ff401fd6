"""Head layouts: what the outputs of a model mean, by task, so that a model of one's own can be plugged in.

`HEADS[task][layout]` says which roles a layout has and how to find them among an ONNX file's outputs. A new task adds
its layouts here. This file does not know about files or sessions: it sees names and shapes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from szem.errors import CardError, UnknownNameError

__all__ = ["ADDABLE", "HEADS", "Head", "Output", "find_head", "fit_head"]


@dataclass(frozen=True)
class Output:
    """An output of an ONNX file: its name and its shape, None where a side is open."""

    name: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class Head:
    """One layout of outputs."""

    about: str  # what the outputs hold, for people
    fit: Callable[[Sequence[Output], int], dict[str, str] | None]  # outputs, number of labels -> role -> output


def _fit_scores(role: str) -> Callable[[Sequence[Output], int], dict[str, str] | None]:
    def fit(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
        vectors = [o for o in outputs if len(o.shape) == 2 and o.shape[1] in (labels, None)]
        if len(vectors) != 1:
            return None
        roles = {role: vectors[0].name}
        maps = [o for o in outputs if len(o.shape) == 4 and o.shape[1] == labels]
        if len(maps) == 1:
            roles["maps"] = maps[0].name
        return roles

    return fit


def _fit_pixel_scores(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    maps = [o for o in outputs if len(o.shape) == 4 and o.shape[1] in (labels, None)]
    return {"scores": maps[0].name} if len(maps) == 1 else None


def _fit_moments(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    found = [o for o in outputs if len(o.shape) == 3 and o.shape[2] in (labels, None)]
    return {"frames": found[0].name} if len(found) == 1 else None


def _fit_points(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    scores = _listed(outputs, labels, name="scores")
    distances = [o for o in _listed(outputs, 4, name="distances") if o not in scores[:1]]
    return _pair("scores", scores, "distances", distances)


def _fit_ssd(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    boxes = _listed(outputs, 4, name="boxes")
    scores = [o for n in (labels, labels + 1) for o in _listed(outputs, n, name="scores") if o not in boxes[:1]]
    return _pair("boxes", boxes, "scores", scores)


def _fit_detr(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    boxes = _listed(outputs, 4, name="boxes")
    logits = [o for n in (labels, labels + 1) for o in _listed(outputs, n, name="logits") if o not in boxes[:1]]
    return _pair("logits", logits, "boxes", boxes)


def _listed(outputs: Sequence[Output], wide: int, *, name: str) -> list[Output]:
    """Outputs (N, places, wide); where several are, those of that name."""
    found = [o for o in outputs if len(o.shape) == 3 and o.shape[2] in (wide, None)]
    return [o for o in found if name in o.name.lower()] or found if len(found) > 1 else found


def _pair(first: str, ones: list[Output], second: str, others: list[Output]) -> dict[str, str] | None:
    return {first: ones[0].name, second: others[0].name} if len(ones) == len(others) == 1 else None


def _fit_rows(more: int, *, last: bool) -> Callable[[Sequence[Output], int], dict[str, str] | None]:
    """One output (N, places, more + classes), or (N, more + classes, places)."""

    def fit(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
        axis = 2 if last else 1
        found = [o for o in outputs if len(o.shape) == 3 and o.shape[axis] in (more + labels, None)]
        return {"predictions": found[0].name} if len(found) == 1 else None

    return fit


def _fit_fastestdet(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    maps = [o for o in outputs if len(o.shape) == 4 and o.shape[1] in (5 + labels, None)]
    return {"predictions": maps[0].name} if len(maps) == 1 else None


def _fit_nothing(outputs: Sequence[Output], labels: int) -> None:
    """Of layouts that are not added by hand."""


HEADS: Mapping[str, Mapping[str, Head]] = {
    "classify": {
        "logits": Head(
            about="(N, classes) scores before softmax; optional (N, classes, h, w) `maps` whose mean they are",
            fit=_fit_scores("logits"),
        ),
        "probabilities": Head(
            about="(N, classes) scores after softmax or sigmoid, each 0..1; optional (N, classes, h, w) `maps`",
            fit=_fit_scores("probabilities"),
        ),
    },
    "listen": {
        "logits": Head(
            about="(N, classes) scores of a window of sound before sigmoid, each kind by itself",
            fit=_fit_scores("logits"),
        ),
        "probabilities": Head(
            about="(N, classes) scores of a window of sound, each 0..1", fit=_fit_scores("probabilities")
        ),
        "frames": Head(
            about="(N, moments, classes) scores 0..1 of each moment of a window of sound", fit=_fit_moments
        ),
    },
    "segment": {
        "scores": Head(
            about="(N, classes, h, w) scores before softmax, evenly spread over the input", fit=_fit_pixel_scores
        ),
    },
    "caption": {
        "steps": Head(
            about="(N, …) `memory` for a part `step` that says one word at a time; optional (N, D) `space`",
            fit=_fit_nothing,  # one file is not enough
        ),
    },
    "faces": {
        "mesh": Head(
            about="(N, 1404) `mesh`, (N, 136) `points68`, (N, 1) `presence` before sigmoid; parts `near`, `far`",
            fit=_fit_nothing,  # one file is not enough
        ),
    },
    "lipread": {
        "moments": Head(
            about="(B, T, D) `seen` of each frame; parts `listen`, `join` and `spell` take it on to words",
            fit=_fit_nothing,  # one file is not enough
        ),
    },
    "generate": {
        "stages": Head(
            about="(N, D) `space`, a sentence's place, for a part `sketch` that draws there; optional part `refine`",
            fit=_fit_nothing,  # one file is not enough
        ),
    },
    "lipwords": {
        "logits": Head(
            about="from `crops` and `seconds`: (N, words) scores before softmax, the words first, then the phrases",
            fit=_fit_nothing,  # it takes clips
        ),
    },
    "outline": {
        "scores": Head(
            about="(N, 2, h, w) scores of other and object, evenly spread over the box and its margin",
            fit=_fit_pixel_scores,
        ),
    },
    "detect": {
        "points": Head(
            about="szem's own: (N, places, classes) scores 0..1 and (N, places, 4) distances to the left, upper, "
            "right and lower side in pixels; the places of strides 8, 16, 32 one after the other",
            fit=_fit_points,
        ),
        "yolox": Head(
            about="YOLOX not decoded: (N, places, 5 + classes) middle in cells, logarithm of the sides in strides, "
            "objectness, class scores; strides 8, 16, 32",
            fit=_fit_rows(5, last=True),
        ),
        "yolov5": Head(
            about="YOLOv5 style, decoded: (N, places, 5 + classes) middle and sides in pixels of the input, "
            "objectness, class scores",
            fit=_fit_rows(5, last=True),
        ),
        "yolov8": Head(
            about="YOLOv8 style: (N, 4 + classes, places) middle and sides in pixels of the input, class scores",
            fit=_fit_rows(4, last=False),
        ),
        "ssd": Head(
            about="SSD: (N, places, 4) boxes as x0, y0, x1, y1 in shares of the sides, and (N, places, classes) "
            "scores 0..1, or one more with the background first",
            fit=_fit_ssd,
        ),
        "detr": Head(
            about="DETR style: (N, queries, classes + 1) logits with nothing last, or (N, queries, classes) before "
            "sigmoid; (N, queries, 4) boxes as middle and sides in shares of the sides",
            fit=_fit_detr,
        ),
        "fastestdet": Head(
            about="FastestDet: (N, 5 + classes, h, w) objectness, offset of the middle, sides, class scores",
            fit=_fit_fastestdet,
        ),
    },
}

# Tasks that take a model of one's own.
ADDABLE = tuple(
    task for task, layouts in HEADS.items() if any(head.fit is not _fit_nothing for head in layouts.values())
)


def find_head(task: str, layout: str) -> Head:
    """Look a layout up.

    Raises:
        UnknownNameError: no such task or layout; the message lists what there is.
    """
    layouts = HEADS.get(task)
    if layouts is None:
        raise UnknownNameError(f"no task called {task!r} takes models; there are {', '.join(HEADS)}")
    head = layouts.get(layout)
    if head is None:
        raise UnknownNameError(f"task {task} has no head layout {layout!r}; there are {', '.join(layouts)}")
    return head


def fit_head(task: str, layout: str, outputs: Sequence[Output], *, labels: int) -> dict[str, str]:
    """Find which output plays which role.

    Args:
        task: A key of `HEADS`.
        layout: A layout of that task.
        outputs: What the ONNX file gives.
        labels: How many classes there are.
    Raises:
        UnknownNameError: no such task or layout.
        CardError: the outputs do not fit the layout.

    >>> fit_head("classify", "logits", [Output("y", (None, 7))], labels=7)
    {'logits': 'y'}
    """
    head = find_head(task, layout)
    roles = head.fit(outputs, labels)
    if roles is None:
        seen = ", ".join(f"{o.name} {_shape(o.shape)}" for o in outputs)
        raise CardError(
            f"the outputs do not fit head layout {layout!r} of task {task} with {labels} labels ({head.about}); "
            f"got {seen}; check the labels or choose another layout"
        )
    return roles


def _shape(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("?" if side is None else str(side) for side in shape) + ")"
