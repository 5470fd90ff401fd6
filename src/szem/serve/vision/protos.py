"""Google's published messages in binary form, and the way between them and szem's own.

The protocol comes as compiled descriptors (`v1.binpb`, see `scripts/vision_protos.py`): no package of Google's is
needed but protobuf. They live in a pool of their own: a program that has Google's client beside szem keeps its own.
Fields go by name. This file knows neither gRPC nor HTTP.
"""

import dataclasses
import types
from collections.abc import Callable
from enum import IntEnum
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError, Message

from szem.serve.protojson import MAX_ITEMS
from szem.serve.status import FieldsError

__all__ = ["PACKAGE", "descriptors", "json_to_proto", "message_to_proto", "parse_proto", "proto_to_message"]

PACKAGE = "google.cloud.vision.v1"
_MOST_FIELDS = 200_000  # in one message, inner ones counted; a request within the limits has some thousands
_DEEPEST = 20

M = TypeVar("M")


@cache
def descriptors() -> descriptor_pool.DescriptorPool:
    """The protocol: messages, enums and services."""
    pool = descriptor_pool.DescriptorPool()
    data = files("szem.serve.vision").joinpath("v1.binpb").read_bytes()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


@cache
def _class_of(name: str) -> type[Message]:
    return message_factory.GetMessageClass(descriptors().FindMessageTypeByName(name))


def parse_proto(name: str, data: bytes) -> Message:
    """Read a binary message.

    Args:
        name: Its full name, `google.cloud.vision.v1.BatchAnnotateImagesRequest`.
        data: The bytes.
    Raises:
        FieldsError: not such a message, or one of so many parts that it would fill the memory.
    """
    kind = _class_of(name)
    try:
        _count(data, kind.DESCRIPTOR, 0, len(data), 0, 0)
        return kind.FromString(data)
    except (DecodeError, IndexError) as error:
        raise FieldsError(f"the request is not a {name}: its bytes are damaged; send it again") from error


def json_to_proto(name: str, value: dict[str, Any]) -> Message:
    """A message from JSON values; `@type` says what an Any holds."""
    return json_format.ParseDict(value, _class_of(name)(), descriptor_pool=descriptors())


# Reading ------------------------------------------------------------------------------------------------------------


def proto_to_message(kind: type[M], proto: Message, path: str = "") -> M:
    """One of szem's messages from one of Google's; what szem does not know is passed over.

    Args:
        kind: The dataclass.
        proto: A message of the same name.
        path: Where it stands in the whole request, for messages.
    Raises:
        FieldsError: a field has more items than any limit allows.
    """
    readers: dict[str, _Read] = _readers(kind)  # type: ignore[arg-type]  # a class can be hashed
    values = {}
    for field, value in proto.ListFields():
        read = readers.get(field.name)
        if read is not None:
            values[field.name] = read(value, f"{path}.{field.name}".lstrip("."))
    return kind(**values)


_Read = Callable[[Any, str], Any]


@cache
def _readers(kind: type) -> dict[str, _Read]:
    hints = get_type_hints(kind)
    return {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}


def _reader(hint: Any) -> _Read:
    origin = get_origin(hint)
    if origin is tuple:
        read = _reader(get_args(hint)[0])
        return lambda value, path: tuple(read(item, f"{path}[{n}]") for n, item in enumerate(_few(value, path)))
    if origin is dict:
        return lambda value, path: dict(_few(value, path))
    if origin in (types.UnionType, Union):
        return _reader(next(arg for arg in get_args(hint) if arg is not type(None)))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return lambda value, path: proto_to_message(hint, value, path)
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        known = {int(member): member for member in hint}
        return lambda value, path: known.get(value, value)  # noqa: ARG005 - enums are open
    return lambda value, path: value  # noqa: ARG005


def _few(value: Any, path: str) -> Any:
    if len(value) > MAX_ITEMS:
        raise FieldsError(f"{path}: {len(value):,} items, more than any limit here; send fewer")
    return value


# Writing ------------------------------------------------------------------------------------------------------------


def message_to_proto(message: Any, name: str) -> Message:
    """One of Google's messages from one of szem's.

    Args:
        message: A message dataclass; fields that are szem's own are left out.
        name: Full name of the message to make.
    """
    proto = _class_of(name)()
    _write(message, proto)
    return proto


def _write(message: Any, proto: Message) -> None:
    known = proto.DESCRIPTOR.fields_by_name
    for field in dataclasses.fields(message):
        value = getattr(message, field.name)
        if value is None or field.name not in known or (not value and not dataclasses.is_dataclass(value)):
            continue
        if isinstance(value, tuple):
            _write_items(value, getattr(proto, field.name))
        elif dataclasses.is_dataclass(value):
            inner = getattr(proto, field.name)
            inner.SetInParent()
            _write(value, inner)
        elif isinstance(value, dict):
            getattr(proto, field.name).update(value)
        else:
            setattr(proto, field.name, value)


def _write_items(items: tuple[Any, ...], target: Any) -> None:
    if dataclasses.is_dataclass(items[0]):
        for item in items:
            _write(item, target.add())
    elif isinstance(items[0], dict):  # Json: the details of an error
        for item in items:
            json_format.ParseDict(item, target.add(), descriptor_pool=descriptors())
    else:
        target.extend(items)


# Counting -----------------------------------------------------------------------------------------------------------


def _count(data: bytes, kind: Any, place: int, end: int, seen: int, depth: int) -> int:
    """Count the fields of a message before it is parsed: two bytes can stand for an object of fifty.

    Raises:
        FieldsError: there are too many, or they are too deep.
        IndexError: the bytes end in the midst of a field.
    """
    if depth > _DEEPEST:
        raise FieldsError("the request is nested too deeply; send one as Google's client does")
    inner = _inner_messages(kind)
    while place < end:
        seen += 1
        if seen > _MOST_FIELDS:
            raise FieldsError(f"the request has more than {_MOST_FIELDS:,} fields; send fewer")
        tag, place = _varint(data, place)
        wire = tag & 7
        if wire == 0:
            _, place = _varint(data, place)
        elif wire == 2:
            length, place = _varint(data, place)
            if length > end - place:
                raise IndexError("cut off")
            message = inner.get(tag >> 3)
            if message is not None:
                seen = _count(data, message, place, place + length, seen, depth + 1)
            place += length
        elif wire in (1, 5):
            place += 8 if wire == 1 else 4
        else:  # groups, which no message of the protocol has
            raise IndexError("a group")
    return seen


@cache
def _inner_messages(kind: Any) -> dict[int, Any]:
    return {field.number: field.message_type for field in kind.fields if field.message_type is not None}


def _varint(data: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
        shift += 7
        if shift > 63:
            raise IndexError("a number of more than ten bytes")
