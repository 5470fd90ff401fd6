"""Runs a task of the registry for a request: loads its input and runs it on a thread."""

import dataclasses
from functools import cache
from typing import Any, get_type_hints

from szem.serve.messages import Image
from szem.serve.pictures import PictureLoader
from szem.serve.status import FieldsError, Violation
from szem.tasks.registry import TaskRequest, TaskSpec, load

__all__ = ["FIELDS", "answer_task", "describe_task", "message_of"]

# What a row takes -> the field that brings it. A sound and a video come as a picture does in Google's API: as bytes.
FIELDS: dict[str, tuple[str, Any, Any]] = {
    "picture": ("image", Image | None, None),
    "pictures": ("images", tuple[Image, ...], ()),
    "video": ("video", Image | None, None),
    "sound": ("sound", Image | None, None),
}


@cache
def message_of(row: TaskSpec) -> type:
    """The message of a task's route: its options, and the field that brings its input."""
    options = load(_request_of(row).options)
    if row.takes not in FIELDS:
        kind: type = options
        return kind
    hints = get_type_hints(options)
    fields = [FIELDS[row.takes], *((f.name, hints[f.name], f.default) for f in dataclasses.fields(options))]
    return dataclasses.make_dataclass(
        options.__name__,
        [(name, hint, dataclasses.field(default=default)) for name, hint, default in fields],
        namespace={"__doc__": options.__doc__},
        frozen=True,
        kw_only=True,
    )


async def answer_task(row: TaskSpec, pictures: PictureLoader, message: Any) -> dict[str, Any] | bytes:
    """Answer `POST /v1/szem/NAME`.

    Args:
        row: The task.
        pictures: Loads pictures; its engine runs the task.
        message: An instance of `message_of(row)`.
    Returns:
        JSON values, or the bytes of a PNG file.
    Raises:
        SzemError: the input cannot be read, an option is wrong, or no model is installed.
    """
    engine, request = pictures.engine, _request_of(row)
    kind, answer = load(request.options), load(request.answer)
    options = kind(**{field.name: getattr(message, field.name) for field in dataclasses.fields(kind)})
    if row.takes == "picture":
        async with pictures.opened(message.image or Image(), place="") as picture:
            height, width = picture.shape[:2]
            if request.batches:
                found = await engine.run_together(
                    (row.name, options), lambda many: answer(many, options, engine.open_model), picture
                )
            else:
                found = await engine.run(answer, picture, options, engine.open_model)
        return found if isinstance(found, bytes) else {"picture": {"width": width, "height": height}, **found}
    if row.takes == "pictures":
        job = await engine.run(answer, options, len(message.images), engine.open_model)
        for number, image in enumerate(message.images):
            async with pictures.opened(image, place=f"images[{number}]") as picture:
                await engine.run(job.add, picture)
        return dict(await engine.run(job.finish))
    if row.takes == "text":
        return dict(await engine.run(answer, options, engine.open_model))
    field = FIELDS[row.takes][0]
    return dict(await engine.run(answer, _content_of(getattr(message, field), field), options, engine.open_model))


async def describe_task(row: TaskSpec, pictures: PictureLoader) -> dict[str, Any]:
    """Answer `GET /v1/szem/NAME`."""
    engine = pictures.engine
    return dict(await engine.run(load(_request_of(row).describe), engine.open_model))


def _request_of(row: TaskSpec) -> TaskRequest:
    assert row.request is not None
    return row.request


def _content_of(file: Image | None, field: str) -> bytes:
    if file is None or not file.content:
        text = f'no {field} came; send the file as the body, or JSON: {{"{field}": {{"content": BASE64}}}}'
        raise FieldsError(text, violations=[Violation(field, "missing")])
    return file.content
