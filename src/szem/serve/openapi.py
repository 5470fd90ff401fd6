"""The OpenAPI description: bodies and answers of every route, written from the message dataclasses themselves."""

import dataclasses
import types
from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from inspect import getdoc
from typing import Any, Union, get_args, get_origin, get_type_hints

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from szem.serve.protojson import Json
from szem.tasks.option import camel, items_of

__all__ = ["install_openapi", "json_answer", "json_body", "message_schemas"]

_REF = "#/components/schemas/"
_SCALARS: dict[Any, dict[str, Any]] = {
    int: {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
    float: {"type": "number", "format": "float"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    bytes: {"type": "string", "format": "byte", "description": "base64"},
    Json: {},
}
ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "An error of the whole request.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "status"],
            "properties": {
                "code": {"type": "integer", "description": "the HTTP status"},
                "message": {"type": "string"},
                "status": {"type": "string", "description": "google.rpc.Code"},
                "details": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}


def json_body(kind: type, *, example: Any = None) -> dict[str, Any]:
    """The `requestBody` of a route that takes a message."""
    media: dict[str, Any] = {"schema": {"$ref": _REF + kind.__name__}}
    if example is not None:
        media["example"] = example
    return {"required": True, "content": {"application/json": media}}


def upload_body(kind: type) -> dict[str, Any]:
    """The `openapi_extra` of a route that takes one file in any of the three ways."""
    file = {"schema": {"type": "string", "format": "binary"}}
    hints = get_type_hints(kind)
    own = next(name for name in ("image", "video", "sound") if name in hints)
    form = {"type": "object", "required": [own], "properties": {own: {"type": "string", "format": "binary"}}}
    options = [_option(field, hints[field.name]) for field in dataclasses.fields(kind) if field.name != own]
    body = {
        "application/json": {"schema": {"$ref": _REF + kind.__name__}},
        "multipart/form-data": {"schema": form},
        ("audio/*" if own == "sound" else f"{own}/*"): file,
    }
    return {"parameters": options, "requestBody": {"required": True, "content": body}}


def _option(field: "dataclasses.Field[Any]", hint: Any) -> dict[str, Any]:
    """An option in the query; lists are JSON there."""
    schema = _limited(_schema(hint, {}), field.metadata)
    is_plain = hint in (int, str, bool)
    content = {"schema": schema} if is_plain else {"content": {"application/json": {"schema": schema}}}
    return {"name": camel(field.name), "in": "query", "required": False, **content}


def _limited(schema: dict[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with the range of its option, see `szem.tasks.option`."""
    kind = schema.get("type")
    if kind == "array":
        most = {"maxItems": limits["most"]} if "most" in limits else {}
        return schema | most | {"items": _limited(schema["items"], items_of(limits))}
    if kind == "string":
        return schema | ({"maxLength": limits["most"]} if "most" in limits else {})
    if kind in ("integer", "number"):
        return schema | {key: limits[key] for key in ("minimum", "maximum") if key in limits}
    return schema


def json_answer(kind: type, text: str = "The answer.") -> dict[str, Any]:
    """The 200 response of a route that gives a message."""
    return {"description": text, "content": {"application/json": {"schema": {"$ref": _REF + kind.__name__}}}}


def install_openapi(app: FastAPI, kinds: tuple[type, ...]) -> None:
    """Make `app.openapi()` describe messages too.

    Args:
        app: All of whose routes are there already.
        kinds: The messages that its routes name with `json_body` and `json_answer`.
    """

    @cache
    def describe() -> dict[str, Any]:
        whole = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = whole.setdefault("components", {}).setdefault("schemas", {})
        for kind in kinds:
            schemas |= message_schemas(kind)
        schemas["Error"] = ERROR_SCHEMA
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        error = {"description": "An error.", "content": {"application/json": {"schema": {"$ref": _REF + "Error"}}}}
        for path in whole["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
                operation["responses"]["default"] = error
        whole["components"]["securitySchemes"] = {
            "key": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
            "query": {"type": "apiKey", "in": "query", "name": "key"},
        }
        return whole

    app.openapi = describe  # type: ignore[method-assign]


def message_schemas(kind: type) -> dict[str, Any]:
    """JSON schemas of a message and of all messages in it, by name."""
    found: dict[str, Any] = {}
    _collect(kind, found)
    return found


def _collect(kind: type, found: dict[str, Any]) -> None:
    if kind.__name__ in found:
        return
    hints = get_type_hints(kind)
    properties: dict[str, Any] = {}
    found[kind.__name__] = {
        "type": "object",
        "description": getdoc(kind) or "",
        "properties": properties,
        "additionalProperties": False,
    }
    for field in dataclasses.fields(kind):
        properties[camel(field.name)] = _limited(_schema(hints[field.name], found), field.metadata)


def _schema(hint: Any, found: dict[str, Any]) -> dict[str, Any]:
    origin = get_origin(hint)
    if origin is tuple:
        return {"type": "array", "items": _schema(get_args(hint)[0], found)}
    if origin is dict:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if origin in (types.UnionType, Union):
        return _schema(next(arg for arg in get_args(hint) if arg is not type(None)), found)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        _collect(hint, found)
        return {"$ref": _REF + hint.__name__}
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        names = {"type": "string", "enum": list(hint.__members__)}
        return {"anyOf": [names, {"type": "integer", "format": "int32"}]}
    return dict(_SCALARS[hint])
