"""proto3 JSON for frozen dataclasses: reading as Google's parsers do, writing as Google's servers do.

A message is a frozen dataclass whose fields all have defaults. Field types stand for the wire's: `int` int32, `float`
float, `str`, `bool`, `bytes` (base64), an `IntEnum`, another message or None, `tuple[T, ...]` repeated,
`dict[str, str]` a map, `Json` anything. Names on the wire are camelCase; snake_case is read too. This file does not
know which messages there are.

Source: protobuf.dev, "ProtoJSON Format".
"""

import binascii
import dataclasses
import json
import math
import types
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import cache
from itertools import islice
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

import pybase64

from szem.files import no_nan
from szem.serve.status import FieldsError, Violation
from szem.tasks.option import camel, faults_of

__all__ = ["Json", "dump_json", "parse_json", "read_message", "write_message"]

Json = NewType("Json", object)
"""A field that holds any JSON value, passed through."""

MAX_ITEMS = 10_000  # in one repeated field or map; every limit on counts lies below
_MAX_FAULTS = 16  # reported of one request
_INT32 = (-(2**31), 2**31 - 1)

M = TypeVar("M")
_Read = Callable[[Any, str, list[Violation]], Any]


def parse_json(body: bytes) -> Any:
    """Parse a body as strict JSON: UTF-8, no NaN, no depth that would exhaust the stack.

    An empty body is an empty object.

    Raises:
        FieldsError: not JSON; the message says where.
    """
    if not body:
        return {}
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is not UTF-8"
    except RecursionError:
        reason = "it is nested too deeply"
    except json.JSONDecodeError as error:
        reason = str(error)
    except ValueError as error:
        reason = str(error) if "NaN" in str(error) or "Infinity" in str(error) else "a number has thousands of digits"
    raise FieldsError(f"Invalid JSON payload received. {reason}; send one JSON object, with double quotes")


def dump_json(value: Any) -> bytes:
    """JSON values as a body; numbers that are not finite become null, for JSON has no word for them.

    >>> dump_json({"a": [1.0, float("nan")]})
    b'{"a":[1.0,null]}'
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:  # rare: only then is the whole value walked through
        text = json.dumps(no_nan(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def read_message(kind: type[M], value: Any) -> M:
    """Read a message from parsed JSON.

    Args:
        kind: The dataclass.
        value: What `parse_json` gave.
    Raises:
        FieldsError: unknown names, wrong types, numbers out of range; each fault with its place.
    """
    faults: list[Violation] = []
    message = _read_object(kind)(value, "", faults)
    if faults:
        raise FieldsError(faults[0].description, violations=faults[:_MAX_FAULTS])
    return message


@dataclasses.dataclass(frozen=True)
class _Field:
    name: str
    read: _Read
    write: "_Write"


@cache
def _fields(kind: type) -> dict[str, _Field]:
    """JSON name and snake_case name -> field."""
    hints = get_type_hints(kind)
    table: dict[str, _Field] = {}
    for field in dataclasses.fields(kind):
        read = _within(field.metadata, _reader(hints[field.name]))
        entry = _Field(field.name, read, _writer(hints[field.name]))
        table[camel(field.name)] = entry
        table[field.name] = entry
    return table


def _read_object(kind: type) -> _Read:
    def read(value: Any, path: str, faults: list[Violation]) -> Any:
        if not isinstance(value, dict):
            _fault(faults, path, f"Invalid value at {_at(path)} (an object), {_short(value)}")
            return kind()
        table = _fields(kind)
        given: dict[str, Any] = {}
        for key, item in value.items():
            if len(faults) >= _MAX_FAULTS:
                break
            field = table.get(key)
            if field is None:
                where = f" at '{path}'" if path else ""
                text = f"Invalid JSON payload received. Unknown name {_short(key)}{where}: Cannot find field."
                _fault(faults, path, text)
            elif item is not None:  # null is the same as absent
                given[field.name] = field.read(item, f"{path}.{camel(field.name)}".lstrip("."), faults)
        return kind(**given)

    return read


def _within(limits: Mapping[str, Any], read: _Read) -> _Read:
    """Read a field that has a range; see `szem.tasks.option`."""
    if not limits:
        return read

    def read_within(value: Any, path: str, faults: list[Violation]) -> Any:
        before = len(faults)
        found = read(value, path, faults)
        if len(faults) == before:  # else it is something else already
            for text in islice(faults_of(limits, found, name=path), 1):
                _fault(faults, path, text)
        return found

    return read_within


def _reader(hint: Any) -> _Read:
    origin = get_origin(hint)
    if origin is tuple:
        return _read_repeated(_reader(get_args(hint)[0]))
    if origin is dict:
        return _read_map
    if origin in (types.UnionType, Union):
        return _reader(next(arg for arg in get_args(hint) if arg is not type(None)))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _read_object(hint)
    if hint is Json:
        return lambda value, path, faults: value  # noqa: ARG005
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return _read_enum(hint)
    return _SCALARS[hint]


def _read_repeated(read: _Read) -> _Read:
    def read_all(value: Any, path: str, faults: list[Violation]) -> Any:
        if not isinstance(value, list):
            _fault(faults, path, f"Invalid value at {_at(path)} (a list), {_short(value)}; put it in [ ]")
            return ()
        if len(value) > MAX_ITEMS:
            _fault(faults, path, f"{path}: {len(value):,} items, more than any limit here; send fewer")
            return ()
        items = []
        for index, item in enumerate(value):
            if len(faults) >= _MAX_FAULTS:
                break
            place = f"{path}[{index}]"
            if item is None:
                _fault(faults, place, f"Invalid value at {_at(place)}, null; leave it out")
            else:
                items.append(read(item, place, faults))
        return tuple(items)

    return read_all


def _read_map(value: Any, path: str, faults: list[Violation]) -> Any:
    if not isinstance(value, dict) or len(value) > MAX_ITEMS:
        _fault(faults, path, f"Invalid value at {_at(path)} (a map of strings), {_short(value)}")
        return {}
    for key, item in value.items():
        if not isinstance(item, str):
            place = f"{path}[{_short(key)}]"
            _fault(faults, place, f"Invalid value at {_at(place)} (TYPE_STRING), {_short(item)}")
            return {}
    return value


def _read_enum(kind: type[IntEnum]) -> _Read:
    def read(value: Any, path: str, faults: list[Violation]) -> Any:
        if isinstance(value, str) and value in kind.__members__:
            return kind[value]
        number = _whole(value)
        if number is None or not _INT32[0] <= number <= _INT32[1]:
            known = ", ".join(kind.__members__)
            text = f"Invalid value at {_at(path)} ({kind.__name__}), {_short(value)}; it is one of {known}"
            _fault(faults, path, text)
            return kind(0)
        try:
            return kind(number)
        except ValueError:  # enums are open: a number of a later version is kept
            return number

    return read


def _read_int32(value: Any, path: str, faults: list[Violation]) -> Any:
    number = _whole(value)
    if number is None or not _INT32[0] <= number <= _INT32[1]:
        _fault(faults, path, f"Invalid value at {_at(path)} (TYPE_INT32), {_short(value)}")
        return 0
    return number


def _whole(value: Any) -> int | None:
    """A whole number, also as 3.0 or "3"."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and value.lstrip("-").isascii() and value.lstrip("-").isdigit() and len(value) <= 11:
        try:
            return int(value)
        except ValueError:  # "--3"
            return None
    return None


def _read_float(value: Any, path: str, faults: list[Violation]) -> Any:
    if not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    _fault(faults, path, f"Invalid value at {_at(path)} (TYPE_FLOAT), {_short(value)}")
    return 0.0


def _read_str(value: Any, path: str, faults: list[Violation]) -> Any:
    if not isinstance(value, str):
        _fault(faults, path, f"Invalid value at {_at(path)} (TYPE_STRING), {_short(value)}")
        return ""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair
        _fault(faults, path, f"Invalid value at {_at(path)} (TYPE_STRING), it holds half a surrogate pair")
        return ""
    return value


def _read_bool(value: Any, path: str, faults: list[Violation]) -> Any:
    if not isinstance(value, bool):
        _fault(faults, path, f"Invalid value at {_at(path)} (TYPE_BOOL), {_short(value)}; write true or false")
        return False
    return value


_URL_SAFE = str.maketrans("-_", "+/", " \t\r\n")


def _read_bytes(value: Any, path: str, faults: list[Violation]) -> Any:
    """Base64, standard or URL-safe, with or without padding; line breaks are forgiven."""
    if not isinstance(value, str):
        _fault(faults, path, f"Invalid value at {_at(path)} (TYPE_BYTES), {_short(value)}; send base64 text")
        return b""
    try:
        return _decode_base64(value)
    except (binascii.Error, ValueError):
        hint = "; send only what follows the comma of a data: URL" if value.startswith("data:") else ""
        text = f"Invalid value at {_at(path)} (TYPE_BYTES), Base64 decoding failed for {_short(value)}{hint}"
        _fault(faults, path, text)
        return b""


def _decode_base64(text: str) -> bytes:
    # pybase64 takes a fortieth of the time of binascii, which held the interpreter's lock for a sixth of a request.
    try:
        return pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        plain = text.translate(_URL_SAFE).rstrip("=")
        return pybase64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


_SCALARS: dict[Any, _Read] = {
    int: _read_int32,
    float: _read_float,
    str: _read_str,
    bool: _read_bool,
    bytes: _read_bytes,
}


def _fault(faults: list[Violation], path: str, text: str) -> None:
    if len(faults) < _MAX_FAULTS:
        faults.append(Violation(path, text))


def _at(path: str) -> str:
    return f"'{path}'" if path else "the top"


def _short(value: Any) -> str:
    """A value for a message: its first characters, never a whole picture."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**20:
        return "a huge number"
    text = json.dumps(value, ensure_ascii=True) if isinstance(value, str) else str(value)
    return text if len(text) <= 48 else f"{text[:44]}…"


# Writing ------------------------------------------------------------------------------------------------------------

_Write = Callable[[Any, bool, bool], Any]
DENSE = "_dense"  # a message with this attribute keeps its zeros when the operator or the caller asks for it


def write_message(message: Any, *, enums_as_int: bool = False, keep_zeros: bool = False) -> dict[str, Any]:
    """Write a message as JSON values; what has its default value is left out, as proto3 JSON does.

    Args:
        message: An instance of a message dataclass.
        enums_as_int: Numbers instead of names, as `$alt=json;enum-encoding=int` asks.
        keep_zeros: Write x: 0 in points and colours.
    """
    kind: type = type(message)
    dense = keep_zeros and hasattr(kind, DENSE)
    table = _fields(kind)
    out: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        value = getattr(message, field.name)
        if value is None:
            continue
        is_message = dataclasses.is_dataclass(value)
        if not is_message and not dense and not value and not isinstance(field.default, types.NoneType):
            continue
        out[camel(field.name)] = table[field.name].write(value, enums_as_int, keep_zeros)
    return out


def _writer(hint: Any) -> _Write:
    origin = get_origin(hint)
    if origin is tuple:
        write = _writer(get_args(hint)[0])
        return lambda value, ints, zeros: [write(item, ints, zeros) for item in value]
    if origin in (types.UnionType, Union):
        return _writer(next(arg for arg in get_args(hint) if arg is not type(None)))
    if dataclasses.is_dataclass(hint):
        return lambda value, ints, zeros: write_message(value, enums_as_int=ints, keep_zeros=zeros)
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return lambda value, ints, zeros: value.name if isinstance(value, IntEnum) and not ints else int(value)  # noqa: ARG005
    if hint is float:
        return lambda value, ints, zeros: _float32(value)  # noqa: ARG005
    if hint is bytes:
        return lambda value, ints, zeros: pybase64.b64encode(value).decode("ascii")  # noqa: ARG005
    return lambda value, ints, zeros: value  # noqa: ARG005


def _float32(value: float) -> float | str:
    """A float with the digits that 32 bits hold; what JSON cannot say, as a word."""
    if math.isfinite(value):
        return float(f"{value:.7g}")
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
