"""Partial answers: which fields a caller wants, as Google's `fields` says it.

`responses/labelAnnotations(description,score)` and `responses.labelAnnotations.description` both work; `*` is every
field of its level. Source: cloud.google.com, "System parameters" (`fields`, `$fields`, `X-Goog-FieldMask`).
"""

import dataclasses
import re
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from szem.serve.protojson import Json
from szem.serve.status import FieldsError, Violation
from szem.tasks.option import camel

__all__ = ["ANYTHING", "FieldMask", "Shape", "apply_mask", "parse_mask", "shape_of"]

_MOST_CHARACTERS = 4_000
_DEEPEST = 20
_TOKEN = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*|[*(),/.])")

FieldMask = dict[str, "FieldMask | None"]
"""Name in JSON, or `*` -> the fields wanted below it; None: all of them."""
Shape = Mapping[str, "Shape | None"]
"""Name in JSON -> the fields below it; None: it has none. A shape with `*` takes any name."""
ANYTHING: dict[str, Any] = {}
ANYTHING["*"] = ANYTHING


@cache
def shape_of(kind: type) -> Shape:
    """The fields of a message dataclass, those of the messages inside it too."""
    hints = get_type_hints(kind)
    return {camel(field.name): _shape_of_hint(hints[field.name]) for field in dataclasses.fields(kind)}


def _shape_of_hint(hint: Any) -> Shape | None:
    if get_origin(hint) is tuple:
        hint = get_args(hint)[0]
    if get_origin(hint) in (types.UnionType, Union):
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    if hint is Json or get_origin(hint) is dict:
        return ANYTHING
    return shape_of(hint) if dataclasses.is_dataclass(hint) and isinstance(hint, type) else None


def parse_mask(text: str, shape: Shape) -> FieldMask | None:
    """Read a mask.

    Args:
        text: What the caller sent; empty means everything.
        shape: The fields that the answer may have.
    Returns:
        The fields wanted; None for all.
    Raises:
        FieldsError: it cannot be read, or names what no answer has.

    >>> parse_mask("a/b,a(c),d", ANYTHING)
    {'a': {'b': None, 'c': None}, 'd': None}
    """
    if not text.strip():
        return None
    if len(text) > _MOST_CHARACTERS:
        raise _wrong(f"must have at most {_MOST_CHARACTERS} characters, got {len(text)}")
    tokens = []
    place = 0
    while place < len(text.rstrip()):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _wrong(f"cannot be read from {text[place : place + 20]!r} on; write a/b,c(d,e)")
        tokens.append(found[1])
        place = found.end()
    mask: FieldMask = {}
    rest = _read_list(tokens, 0, mask, shape, depth=0)
    if rest < len(tokens):
        raise _wrong(f"has a {tokens[rest]!r} too many")
    return mask


def apply_mask(mask: FieldMask | None, value: Any) -> Any:
    """What a caller wants of JSON values; each item of a list is treated alike.

    >>> apply_mask({"a": {"b": None}}, {"a": [{"b": 1, "c": 2}, {"c": 3}], "d": 4})
    {'a': [{'b': 1}, {}]}
    """
    if mask is None:
        return value
    if isinstance(value, list):
        return [apply_mask(mask, item) for item in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for name, item in value.items():
        if name in mask:
            out[name] = apply_mask(mask[name], item)
        elif "*" in mask:
            out[name] = apply_mask(mask["*"], item)
    return out


def _read_list(tokens: list[str], place: int, mask: FieldMask, shape: Shape, *, depth: int) -> int:
    """Read `a/b,c(d)` up to its end or a closing bracket; gives the place behind it."""
    while True:
        place = _read_path(tokens, place, mask, shape, depth=depth)
        if place >= len(tokens) or tokens[place] != ",":
            return place
        place += 1


def _read_path(tokens: list[str], place: int, mask: FieldMask, shape: Shape, *, depth: int) -> int:
    if depth > _DEEPEST:
        raise _wrong(f"is nested more than {_DEEPEST} deep")
    name = tokens[place] if place < len(tokens) else ""
    if not name or name in ",()/.":
        raise _wrong(f"needs the name of a field where it has {name or 'its end'!r}")
    name = name if name == "*" or "_" not in name else camel(name)
    below = _below(name, shape)
    place += 1
    follows = tokens[place] if place < len(tokens) else ""
    if follows not in ("/", ".", "("):
        mask[name] = None
        return place
    if below is None:
        raise _wrong(f"asks for fields of {name}, which has none")
    known = mask.setdefault(name, {})
    inner: FieldMask = {} if known is None else known  # all of it was asked for before: what follows is read only
    if follows == "(":
        place = _read_list(tokens, place + 1, inner, below, depth=depth + 1)
        if place >= len(tokens) or tokens[place] != ")":
            raise _wrong("lacks a closing bracket")
        return place + 1
    return _read_path(tokens, place + 1, inner, below, depth=depth + 1)


def _below(name: str, shape: Shape) -> Shape | None:
    if name in shape:
        return shape[name]
    if "*" in shape:
        return shape["*"]
    if name == "*":
        merged: dict[str, Shape | None] = {}
        for inner in shape.values():
            merged |= inner or {}
        return merged or None
    raise _wrong(f"names {name[:60]!r}, which no answer has; there are {', '.join(shape)}")


def _wrong(text: str) -> FieldsError:
    return FieldsError(f"fields: the mask {text}", violations=[Violation("fields", f"the mask {text}")])
