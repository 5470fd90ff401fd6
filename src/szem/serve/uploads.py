"""How pictures and videos come to szem's own routes: as the body, a form, or inside JSON as Google's API takes them.

All three end in the same message: options from the query, from the form's other fields, or from the JSON object.
"""

import dataclasses
from typing import Any, TypeVar, get_type_hints

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from szem.errors import UnsupportedError
from szem.serve.dispatcher import Dispatcher
from szem.serve.messages import Image
from szem.serve.protojson import parse_json, read_message
from szem.serve.status import FieldsError, Violation
from szem.tasks.option import camel

__all__ = ["read_upload"]

M = TypeVar("M")
_FILE_FIELDS = {"image": "picture", "video": "video", "sound": "sound"}  # field of a message -> what it brings


async def read_upload(request: Request, kind: type[M], dispatcher: Dispatcher) -> M:
    """Read a request that brings one file.

    Args:
        request: JSON, multipart/form-data with a file called as the message's field, or the bytes of a file.
        kind: A message with a field of `_FILE_FIELDS`.
        dispatcher: Parses large bodies on its threads.
    Raises:
        FieldsError: no file, unknown options, or options of the wrong type.
        UnsupportedError: a form that is not multipart.
    """
    field = next(name for name in _FILE_FIELDS if name in get_type_hints(kind))
    options = _options(dict(request.query_params), kind)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "application/json":
        body = await request.body()
        return await dispatcher.run(lambda: _read_json(body, options, kind))
    if media == "multipart/form-data":
        data, fields = await _read_form(request, field)
        message = read_message(kind, options | _options(fields, kind))
    elif media == "application/x-www-form-urlencoded":
        raise UnsupportedError(
            "a form must be multipart/form-data (curl -F image=@photo.jpg); or send the file as the body "
            "(curl --data-binary @photo.jpg -H 'content-type: image/jpeg')"
        )
    else:
        data, message = await request.body(), read_message(kind, options)
    if not data:
        what = _FILE_FIELDS[field]
        raise FieldsError(
            f"no {what} came; send a {what} file as the body, a form with the file in its field {field!r}, "
            f'or JSON: {{"{field}": {{"content": BASE64}}}}'
        )
    return dataclasses.replace(message, **{field: Image(content=data)})  # type: ignore[type-var]


def _read_json(body: bytes, options: dict[str, Any], kind: type[M]) -> M:
    value = parse_json(body)
    return read_message(kind, options | value if isinstance(value, dict) else value)


async def _read_form(request: Request, field: str) -> tuple[bytes, dict[str, str]]:
    try:
        async with request.form(max_files=1, max_fields=32, max_part_size=64 * 1024) as form:
            file = form.get(field)
            data = await file.read() if isinstance(file, UploadFile) else b""
            return data, {name: value for name, value in form.items() if isinstance(value, str)}
    except (HTTPException, MultiPartException) as error:
        detail = error.detail if isinstance(error, HTTPException) else error.message
        raise FieldsError(f"the form cannot be read ({detail}); send multipart/form-data") from error


def _options(given: dict[str, str], kind: type) -> dict[str, Any]:
    """Options that came as text, in the types their fields have; `key` is the API key, `$…` Google's.

    Raises:
        FieldsError: a list or object that is not JSON.
    """
    hints = get_type_hints(kind)
    names = {camel(name): name for name in hints}
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name == "key" or name.startswith("$"):
            continue
        hint = hints.get(names.get(name, name))
        if hint is bool:
            values[name] = {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
        elif hint in (None, str, int, float):
            values[name] = text
        else:
            values[name] = _parse_option(name, text)
    return values


def _parse_option(name: str, text: str) -> Any:
    """A list or an object in the query or in a form is JSON: `boxesXyxy=[[40,60,120,220]]`."""
    try:
        return parse_json(text.encode("utf-8", "surrogatepass"))
    except FieldsError as error:
        fault = Violation(name, f"must be JSON, got {text[:40]!r}")
        raise FieldsError(f"{name}: {fault.description}", violations=[fault]) from error
