"""Head layouts: what the outputs of a model mean, so that a model of one's own can be plugged in.

Each task lists its layouts in its own folder (`szem/tasks/TASK/heads.py`) as a `ModelFormat`; `szem.tasks.registry`
names it. Here are the types, and what several tasks share. This file sees names and shapes, not files or sessions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from szem.errors import CardError, UnknownNameError
from szem.runtime.outputs import Output

if TYPE_CHECKING:
    from szem.runtime.cards import PictureInput, SoundInput
    from szem.runtime.sessions import OnnxFile

__all__ = [
    "BYTES_BGR",
    "IMAGENET",
    "UNIT",
    "UNIT_BGR",
    "Fit",
    "Head",
    "ModelFormat",
    "PixelScaling",
    "find_head",
    "fit_head",
    "fit_nothing",
    "fit_pixel_scores",
    "fit_scores",
]


@dataclass(frozen=True)
class PixelScaling:
    """How pixels of 0..255 become a network's input: (value - mean) / scale, in an order of colours."""

    about: str
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    colours: str = "RGB"


IMAGENET = PixelScaling("ImageNet's mean and deviation", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
UNIT = PixelScaling("0..1", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
UNIT_BGR = PixelScaling("0..1, blue first", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0), "BGR")
BYTES_BGR = PixelScaling("0..255, blue first", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "BGR")


Fit = Callable[[Sequence[Output], int], dict[str, str] | None]
"""Outputs and number of labels -> role -> name of the output; None where they do not fit."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """One layout of outputs."""

    about: str  # what the outputs hold, for people
    fit: Fit
    scaling: PixelScaling = IMAGENET  # how networks with this layout are usually trained


@dataclass(frozen=True, kw_only=True)
class ModelFormat:
    """Which models a task accepts."""

    task: str
    heads: Mapping[str, Head]
    takes: Literal["picture", "sound"] = "picture"
    resize: str = "centre-crop"  # how most networks of this task are trained, unless a model's owner says otherwise
    # Chooses among layouts that shapes alone do not tell apart, by running the file once; the first one if left out.
    choose: "Callable[[OnnxFile, PictureInput | SoundInput, int], str] | None" = None

    @property
    def is_addable(self) -> bool:
        """Whether a single ONNX file can be one of its models."""
        return any(head.fit is not fit_nothing for head in self.heads.values())


def fit_scores(role: str) -> Fit:
    """Fit one output (N, classes); beside it `maps` (N, classes, h, w), if there is one."""

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


def fit_pixel_scores(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    """Fit one output (N, classes, h, w)."""
    maps = [o for o in outputs if len(o.shape) == 4 and o.shape[1] in (labels, None)]
    return {"scores": maps[0].name} if len(maps) == 1 else None


def fit_nothing(outputs: Sequence[Output], labels: int) -> None:
    """Fit nothing: a layout of several files, or of inputs that no single file of a user's own has."""


def find_head(accepts: ModelFormat, layout: str) -> Head:
    """Look a layout up.

    Raises:
        UnknownNameError: the task has no such layout; the message lists those it has.
    """
    head = accepts.heads.get(layout)
    if head is None:
        raise UnknownNameError(
            f"task {accepts.task} has no head layout {layout!r}; there are {', '.join(accepts.heads)}"
        )
    return head


def fit_head(accepts: ModelFormat, layout: str, outputs: Sequence[Output], *, labels: int) -> dict[str, str]:
    """Find which output plays which role.

    Args:
        accepts: What the task accepts.
        layout: A layout of that task.
        outputs: What the ONNX file gives.
        labels: How many classes there are.
    Raises:
        UnknownNameError: no such layout.
        CardError: the outputs do not fit the layout.

    >>> accepts = ModelFormat(task="classify", heads={"logits": Head(about="", fit=fit_scores("logits"))})
    >>> fit_head(accepts, "logits", [Output("y", (None, 7))], labels=7)
    {'logits': 'y'}
    """
    head = find_head(accepts, layout)
    roles = head.fit(outputs, labels)
    if roles is None:
        seen = ", ".join(f"{o.name} {_shape(o.shape)}" for o in outputs)
        raise CardError(
            f"the outputs do not fit head layout {layout!r} of task {accepts.task} with {labels} labels "
            f"({head.about}); got {seen}; check the labels or choose another layout"
        )
    return roles


def _shape(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("?" if side is None else str(side) for side in shape) + ")"
