"""A task of the registry as a request: its message, and its input loaded and handed to a worker."""

import dataclasses
from contextlib import AsyncExitStack
from functools import cache
from typing import Any, get_type_hints

from szem.errors import TooLargeError
from szem.serve.jobs import answer_task, check_task
from szem.serve.messages import Image
from szem.serve.pictures import PictureFile, PictureLoader
from szem.serve.status import FieldsError, Violation
from szem.tasks.registry import TaskRequest, TaskSpec, load

__all__ = ["FIELDS", "hand_to_worker", "message_of"]

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
    name, hint, default = FIELDS[row.takes]
    fields = [(name, hint, dataclasses.field(default=default))]
    for field in dataclasses.fields(options):
        own = dataclasses.field(default=field.default, metadata=field.metadata)  # with its range
        fields.append((field.name, hints[field.name], own))
    return dataclasses.make_dataclass(
        options.__name__,
        fields,
        namespace={"__doc__": options.__doc__},
        frozen=True,
        kw_only=True,
    )


async def hand_to_worker(row: TaskSpec, pictures: PictureLoader, message: Any) -> tuple[str, bytes]:
    """Answer `POST /v1/szem/NAME`.

    Args:
        row: The task.
        pictures: Loads pictures; its dispatcher has the workers.
        message: An instance of `message_of(row)`.
    Returns:
        Media type and body.
    Raises:
        SzemError: the input cannot be read, an option is wrong, or no model is installed.
    """
    dispatcher, kind = pictures.dispatcher, load(_request_of(row).options)
    options = kind(**{field.name: getattr(message, field.name) for field in dataclasses.fields(kind)})
    async with AsyncExitStack() as stack:
        files: list[PictureFile] = []
        if row.takes == "picture":
            files.append(await stack.enter_async_context(pictures.loaded(message.image or Image(), place="")))
        elif row.takes == "pictures":
            await dispatcher.work(check_task, row.name, options, len(message.images))
            for number, image in enumerate(message.images):
                async with pictures.loaded(image, place=f"images[{number}]") as file:
                    files.append(file)
                most = dispatcher.settings.max_body_bytes_in_flight
                if sum(len(file.data) for file in files) > most:
                    raise TooLargeError(f"images: the pictures of a request have at most {most:,} bytes; send fewer")
        elif row.takes != "text":
            field = FIELDS[row.takes][0]
            files.append(PictureFile(_content_of(getattr(message, field), field), field))
        return await dispatcher.work(answer_task, row.name, options, tuple(files))


def _request_of(row: TaskSpec) -> TaskRequest:
    assert row.request is not None
    return row.request


def _content_of(file: Image | None, field: str) -> bytes:
    if file is None or not file.content:
        text = f'no {field} came; send the file as the body, or JSON: {{"{field}": {{"content": BASE64}}}}'
        raise FieldsError(text, violations=[Violation(field, "missing")])
    return file.content
