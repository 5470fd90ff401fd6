"""What a worker process does for szem's own routes, from a file to an answer.

Each function gets the worker's engine first. Answers leave as bytes, ready to be sent: the server's process, which
all requests share, neither sees pixels nor writes JSON.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import cv2

from szem.arrays import Picture8
from szem.errors import MediaError, SzemError
from szem.runtime.openvino import is_considered
from szem.serve.engine import Engine
from szem.serve.handlers.filter import FilterRequest, filter_picture
from szem.serve.memory import keep_freed_memory
from szem.serve.pictures import PictureFile, bad_image
from szem.serve.protojson import dump_json
from szem.tasks.models import open_model
from szem.tasks.registry import TASKS, TaskRequest, load

__all__ = ["answer_filter", "answer_task", "check_task", "describe_task", "warm_up"]

Answer = tuple[str, bytes]  # media type and body
JSON, PNG = "application/json", "image/png"


def warm_up() -> None:
    """Before workers are forked: nothing here may start a thread, see `szem.runtime.workers.forkserver`."""
    keep_freed_memory()
    cv2.setNumThreads(1)  # one worker a core; OpenCV's own threads would fight over them
    for row in TASKS.values():  # what a task imports is imported once, for all workers
        if row.request is not None:
            load(row.request.answer)
            if row.request.preload:
                with suppress(SzemError):  # it is missed only when it is asked for
                    if not is_considered():  # OpenVINO's threads would be missing in the workers
                        open_model(task=row.name, threads=1)  # its weights are shared by all workers


async def answer_task(engine: Engine, name: str, options: Any, files: Sequence[PictureFile]) -> Answer:
    """Answer `POST /v1/szem/NAME`.

    Args:
        engine: The worker's.
        name: A key of `TASKS`.
        options: What the task's request says.
        files: What it takes: one file, several pictures, or none for text.
    Raises:
        SzemError: as the task does.
        FieldsError: a picture cannot be read.
    """
    row = TASKS[name]
    request = _request_of(name)
    answer = load(request.answer)
    if row.takes == "picture":
        picture = _read(engine, files[0])
        height, width = picture.shape[:2]
        found = answer(picture, options, engine.open_model)
        return (
            (PNG, found)
            if isinstance(found, bytes)
            else _json({"picture": {"width": width, "height": height}, **found})
        )
    if row.takes == "pictures":
        job = answer(options, len(files), engine.open_model)
        for file in files:
            job.add(_read(engine, file))
        return _json(job.finish())
    if row.takes == "text":
        return _json(answer(options, engine.open_model))
    return _json(answer(files[0].data, options, engine.open_model))


async def check_task(engine: Engine, name: str, options: Any, count: int) -> None:
    """Refuse wrong options, or too many pictures, before any of them is loaded."""
    load(_request_of(name).answer)(options, count, engine.open_model)


async def describe_task(engine: Engine, name: str) -> Answer:
    """Answer `GET /v1/szem/NAME`."""
    return _json(load(_request_of(name).describe)(engine.open_model))


async def answer_filter(engine: Engine, file: PictureFile, options: FilterRequest) -> Answer:
    """Answer `POST /v1/szem/filter`."""
    return PNG, filter_picture(_read(engine, file), options)


def _request_of(name: str) -> TaskRequest:
    request = TASKS[name].request
    assert request is not None
    return request


def _read(engine: Engine, file: PictureFile) -> Picture8:
    try:
        return engine.picture(file.data)
    except MediaError as error:
        raise bad_image(error, file.where) from error


def _json(value: Any) -> Answer:
    return JSON, dump_json(value)
