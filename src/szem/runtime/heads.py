"""Head layouts: what the outputs of a model mean, by task, so that a model of one's own can be plugged in.

`HEADS[task][layout]` says which roles a layout has and how to find them among an ONNX file's outputs. A new task adds
its layouts here. This file does not know about files or sessions: it sees names and shapes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from szem.errors import CardError, UnknownNameError

__all__ = ["HEADS", "Head", "Output", "find_head", "fit_head"]


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
    "segment": {
        "scores": Head(
            about="(N, classes, h, w) scores before softmax, evenly spread over the input", fit=_fit_pixel_scores
        ),
    },
    "outline": {
        "scores": Head(
            about="(N, 2, h, w) scores of other and object, evenly spread over the box and its margin",
            fit=_fit_pixel_scores,
        ),
    },
}


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
