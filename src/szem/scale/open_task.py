"""What is done with one input, by the registry's row of its task: nothing about a task is written here again.

Kernels are no task of the registry, and tracking is one of videos that are cut; their rows stand here. This file does
not know Ray.
"""

import dataclasses
import io
from collections.abc import Mapping
from functools import partial
from typing import Any

import cv2
import numpy as np

from szem.arrays import Picture8
from szem.errors import UnknownNameError
from szem.kernels import DEFAULT_MODE, parse_kernel, plan_convolution, view
from szem.media.pictures import encode_picture, read_picture
from szem.scale.track import answer_boxes, open_analyzer
from szem.tasks.detection.answer import DetectRequest
from szem.tasks.models import open_model
from szem.tasks.option import check_options
from szem.tasks.registry import TASKS, load

__all__ = ["TRACK", "OpenTask", "open_task", "task_names"]

TRACK = "track"
_TAKES = ("picture", "sound", "video")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilterOptions:
    """A kernel and how it is applied; as in `szem.kernels.plan_convolution` and `szem.kernels.view`."""

    kernel: str = "outline"
    stride: int = 1
    dilation: int = 1
    border: str = "reflect"
    mode: str = DEFAULT_MODE
    view: str = ""


def _answer_filter(picture: Picture8, options: FilterOptions, _: Any) -> bytes:
    kernel = parse_kernel(options.kernel)
    plan = plan_convolution(
        picture.shape,
        kernel,
        stride_px=options.stride,
        dilation=options.dilation,
        border=options.border,
        mode=options.mode,
    )
    return encode_picture(view(plan.run(picture), how=options.view, kernel=kernel))


def task_names() -> list[str]:
    """What can be run: tasks of the registry that answer one picture, video or sound, `filter`, and `track`."""
    rows = [name for name, row in TASKS.items() if row.request is not None and row.takes in _TAKES]
    return [*rows, "filter", TRACK]


class OpenTask:
    """A task with its options, ready to be called with bytes.

    Sessions compute in one thread each: a worker has a processor of its own.

    Args:
        task: One of `task_names()`.
        options: Fields of the task's request, those of `POST /v1/szem/NAME` in Python's spelling.
    Raises:
        UnknownNameError: no such task, option or model.
        RangeError: an option lies outside its range.
    """

    def __init__(self, task: str, options: Mapping[str, Any]) -> None:
        if task not in task_names():
            raise UnknownNameError(f"no task called {task!r} runs on many inputs; choose {', '.join(task_names())}")
        kind: Any = FilterOptions
        self.takes, self._answer = "picture", _answer_filter
        self.cuts = task == TRACK  # whether videos are cut into pieces
        if self.cuts:
            self.takes, kind = "video", DetectRequest
        if task in TASKS:
            request = TASKS[task].request
            assert request is not None
            self.takes, kind, self._answer = TASKS[task].takes, load(request.options), load(request.answer)
        known = {field.name for field in dataclasses.fields(kind)}
        if strange := sorted(set(options) - known):
            raise UnknownNameError(f"{task} has no option {', '.join(strange)}; there are {', '.join(sorted(known))}")
        self._options = kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in options.items()})
        check_options(self._options)
        self._open_model = partial(open_model, threads=1)

    def check(self) -> None:
        """Find out what is wrong with the options before any input is read, where a picture tells.

        Raises:
            SzemError: as the task does.
        """
        if self.cuts:
            open_analyzer(self._options, self._open_model)
        elif self.takes == "picture":
            self._answer(np.full((64, 64, 3), 128, np.uint8), self._options, self._open_model)

    def __call__(self, data: bytes | str, piece: tuple[float, float | None] | None = None) -> dict[str, Any] | bytes:
        """The answer: JSON values, or a PNG file.

        Args:
            data: The input's bytes; of a video that is cut also its path on this machine.
            piece: Which part of it; None: all.
        Raises:
            SzemError: the input cannot be read, or the task cannot be done on it.
        """
        if self.cuts:
            return answer_boxes(data, piece, self._options, self._open_model)
        assert isinstance(data, bytes)
        given: Any = read_picture(io.BytesIO(data)) if self.takes == "picture" else data
        answer: dict[str, Any] | bytes = self._answer(given, self._options, self._open_model)
        return answer


def open_task(task: str, options: Mapping[str, Any]) -> OpenTask:
    """A job for a process that shares the machine with others like it; raises as `OpenTask`."""
    cv2.setNumThreads(1)
    return OpenTask(task, options)
