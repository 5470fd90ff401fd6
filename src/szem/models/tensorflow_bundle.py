"""Read the weights of a TensorFlow checkpoint without TensorFlow.

A checkpoint is an index (a sorted table, as LevelDB writes them) and a file of numbers that it points into. Only what
saved networks hold is read: one shard, no compression, little-endian float32.

Source: `tensor_bundle.proto` and LevelDB's `table_format.md`, which describe both files.
"""

import io
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.errors import ModelError

__all__ = ["read_bundle"]

_MAGIC = 0xDB4775248B80FB57
_FLOAT32 = 1


def read_bundle(path: str | Path, *, inside: str = "") -> dict[str, NDArray[np.float32]]:
    """Read every float32 tensor of a checkpoint.

    Args:
        path: The folder that holds `variables.index`, or a zip (a wheel, say) with it.
        inside: The folder within the zip.
    Returns:
        Name -> array, as TensorFlow lays it out.
    Raises:
        ModelError: there is no such checkpoint, or it is damaged or compressed.
    """
    place = Path(path)
    try:
        if place.is_dir():
            index, data = (
                (place / name).read_bytes() for name in ("variables.index", "variables.data-00000-of-00001")
            )
        else:
            with zipfile.ZipFile(place) as packed:
                base = f"{inside.rstrip('/')}/" if inside else ""
                index, data = (
                    packed.read(f"{base}{name}") for name in ("variables.index", "variables.data-00000-of-00001")
                )
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{place}: holds no TensorFlow checkpoint ({error}); give its folder or wheel") from error
    try:
        return dict(_tensors(index, data))
    except (IndexError, struct.error, ValueError, UnicodeDecodeError) as error:
        raise ModelError(f"{place}: the checkpoint cannot be read ({error}); fetch it again") from error


def _tensors(index: bytes, data: bytes) -> Iterator[tuple[str, NDArray[np.float32]]]:
    footer = index[-48:]
    if struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise ValueError("the index does not end as a table does")
    cursor = io.BytesIO(footer)
    _varint(cursor), _varint(cursor)  # of the meta index, which is empty
    for _, handle in _entries(index, _varint(cursor), _varint(cursor)):
        place = io.BytesIO(handle)
        for key, value in _entries(index, _varint(place), _varint(place)):
            fields = _message(value)
            if not key or _number(fields, 1) != _FLOAT32:
                continue
            sides = [_number(_message(_as_bytes(side)), 1) for side in _message(_bytes(fields, 2)).get(2, [])]
            start, size = _number(fields, 4), _number(fields, 5)
            array = np.frombuffer(data[start : start + size], "<f4").reshape(sides)
            yield key.decode(), array


def _entries(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The entries of one block; keys share their beginning with the key before."""
    if table[start + size] != 0:
        raise ValueError("a block is compressed")
    block = table[start : start + size]
    restarts = struct.unpack("<I", block[-4:])[0]
    end = size - 4 - 4 * restarts
    cursor, key = io.BytesIO(block), b""
    while cursor.tell() < end:
        shared, more, length = _varint(cursor), _varint(cursor), _varint(cursor)
        key = key[:shared] + cursor.read(more)
        yield key, cursor.read(length)


def _message(raw: bytes) -> Mapping[int, list[int | bytes]]:
    """The fields of a protocol buffer, by number."""
    cursor, fields = io.BytesIO(raw), dict[int, list[int | bytes]]()
    while cursor.tell() < len(raw):
        tag = _varint(cursor)
        kind = tag & 7
        value: int | bytes
        if kind == 0:
            value = _varint(cursor)
        elif kind == 2:
            value = cursor.read(_varint(cursor))
        else:
            value = int.from_bytes(cursor.read(4 if kind == 5 else 8), "little")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _number(fields: Mapping[int, list[int | bytes]], field: int) -> int:
    value = fields.get(field, [0])[0]
    if not isinstance(value, int):
        raise ValueError(f"field {field} is not a number")
    return value


def _bytes(fields: Mapping[int, list[int | bytes]], field: int) -> bytes:
    return _as_bytes(fields.get(field, [b""])[0])


def _as_bytes(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else b""


def _varint(cursor: io.BytesIO) -> int:
    result = shift = 0
    while True:
        byte = cursor.read(1)[0]
        result |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return result
