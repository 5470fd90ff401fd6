"""What a picture file claims about itself in its first bytes, read before any decoder is let near it.

Pillow checks most headers before it decodes, but it allocates the canvas of a WebP and decodes an icon while merely
opening them, and it follows every scan of a progressive JPEG. Those three are read here. This file decodes nothing.
"""

import struct
from collections.abc import Iterator

__all__ = ["claimed_size", "count_jpeg_scans"]


def claimed_size(data: bytes) -> tuple[int, int] | None:
    """The (width, height) a WebP or an icon claims; None for other formats and for headers that make no sense.

    >>> claimed_size(b"RIFF....WEBPVP8X...." + bytes(4) + b"\\xff\\xff\\x00\\x0f\\x00\\x00")
    (65536, 16)
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_size(data)
    if data[:4] == b"\0\0\1\0":
        return max(_icon_sizes(data), key=lambda size: size[0] * size[1], default=None)
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _icon_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """The sizes the pictures inside an icon claim; the table in front of them holds one byte a side and may lie."""
    (count,) = struct.unpack_from("<H", data.ljust(6, b"\0"), 4)
    for index in range(count):
        entry = data[6 + 16 * index : 22 + 16 * index]
        if len(entry) < 16:
            return
        (offset,) = struct.unpack_from("<I", entry, 12)
        inner = data[offset : offset + 24]
        if len(inner) < 24:
            continue
        if inner[:8] == b"\x89PNG\r\n\x1a\n":
            yield struct.unpack(">II", inner[16:24])
        else:  # a bitmap whose height counts the picture and its mask
            width, height = struct.unpack("<ii", inner[4:12])
            yield abs(width), abs(height) // 2


def count_jpeg_scans(data: bytes) -> int:
    """How many times a JPEG goes over its picture: 1, or about 10 when progressive; 0 when it is no JPEG.

    >>> count_jpeg_scans(b"not a JPEG")
    0
    """
    if data[:2] != b"\xff\xd8":
        return 0
    scans, at, end = 0, 2, len(data)
    while at + 4 <= end:
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > end:
            break
        marker = data[at + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:  # stuffing, fill, restarts: no length follows
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:  # the end; a second picture may follow (MPO), which is a picture of its own
            break
        scans += marker == 0xDA
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return scans
