"""Picture files that are odd but fine, and files that are not pictures or not whole; all made here."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from szem.errors import EmptyFileError, FormatError, MediaError, SzemError, TooLargeError


def photo(width: int = 24, height: int = 16) -> Image.Image:
    """A picture with a colour and a grey slope, each corner different."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [
        x * 255 // max(width - 1, 1),
        y * 255 // max(height - 1, 1),
        (x + y) * 255 // max(width + height - 2, 1),
    ]
    return Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))


def turned() -> list[Image.Image]:
    return [photo().rotate(angle) for angle in (30, 90, 180)]


def encoded(image: Image.Image, fmt: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, body: bytes, *, interlaced: bool = False) -> bytes:
    """A grey 8-bit PNG with any claimed size and any compressed body."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def interlaced_png(grey: int = 77) -> bytes:
    """8×8 pixels of one grey in the seven passes of Adam7."""
    passes = [(1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)]  # width, height of each
    rows = b"".join((b"\0" + bytes([grey]) * width) * height for width, height in passes)
    return png_of(8, 8, zlib.compress(rows), interlaced=True)


def icon_around(png: bytes) -> bytes:
    return struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(png), 22) + png


def tiff_header(width: int, height: int) -> bytes:
    """A grey TIFF of one strip that is not there."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    tags += [(278, 4, height), (279, 4, min(width * height, 2**32 - 1))]
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + body + bytes(4)


def webp_header(width: int, height: int) -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + (width - 1).to_bytes(3, "little")
    body += (height - 1).to_bytes(3, "little") + b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def jpeg_with_size(width: int, height: int) -> bytes:
    data = bytearray(encoded(photo(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_of_many_scans(scans: int = 400) -> bytes:
    """A large progressive JPEG whose last scan is said again and again."""
    data = encoded(Image.new("L", (4000, 4000), 90), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]


BOMBS: dict[str, Callable[[], bytes]] = {
    "bomb.png": lambda: png_of(60_000, 60_000, zlib.compress(bytes(1000))),
    "bomb-90M.png": lambda: png_of(9_500, 9_500, zlib.compress(bytes(1000))),  # above szem's limit, below Pillow's
    "bomb.gif": lambda: b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + encoded(photo(), "GIF")[10:],
    "bomb.webp": lambda: webp_header(16_000, 16_000),
    "bomb-giant.webp": lambda: webp_header(60_000, 60_000),
    "bomb.tif": lambda: tiff_header(60_000, 60_000),
    "bomb.bmp": lambda: (
        b"BM" + struct.pack("<IHHIIiiHHIIIIII", 99, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    ),
    "bomb.ppm": lambda: b"P6\n60000 60000\n255\n" + bytes(100),
    "bomb.ico": lambda: icon_around(png_of(12_000, 12_000, zlib.compress(bytes(12_001 * 12_000)))),
    "bomb.jpg": lambda: jpeg_with_size(65_000, 65_000),
    "scans.jpg": jpeg_of_many_scans,
}

WHOLE: dict[str, Callable[[], bytes]] = {
    "photo.jpg": lambda: encoded(photo(), "JPEG"),
    "progressive.jpg": lambda: encoded(photo(), "JPEG", progressive=True),
    "photo.png": lambda: encoded(photo(), "PNG"),
    "photo.gif": lambda: encoded(photo(), "GIF"),
    "photo.webp": lambda: encoded(photo(), "WEBP"),
    "photo.bmp": lambda: encoded(photo(), "BMP"),
    "photo.tif": lambda: encoded(photo(), "TIFF"),
    "deflate.tif": lambda: encoded(photo(), "TIFF", compression="tiff_adobe_deflate"),
    "photo.ico": lambda: encoded(photo(16, 16), "ICO"),
    "photo.ppm": lambda: encoded(photo(), "PPM"),
    "animated.gif": lambda: encoded(photo(), "GIF", save_all=True, append_images=turned()),
    "animated.webp": lambda: encoded(photo(), "WEBP", save_all=True, append_images=turned()),
    "animated.png": lambda: encoded(photo(), "PNG", save_all=True, append_images=turned()),
    "pages.tif": lambda: encoded(photo(), "TIFF", save_all=True, append_images=[photo(9, 7)]),
}

NOT_PICTURES: dict[str, bytes] = {
    "empty.jpg": b"",
    "one-byte.png": b"\x89",
    "text.jpg": b"To whom it may concern: this is a letter.",
    "page.jpg": b"<!doctype html><title>404</title>",
    "drawing.jpg": b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>',
    "archive.jpg": b"PK\x03\x04" + bytes(60),
    "script.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nquit",
    "zeros.png": bytes(500),
    "head-only.png": b"\x89PNG\r\n\x1a\n",
    "head-only.jpg": b"\xff\xd8\xff",
    "no-pixels.png": png_of(0, 5, zlib.compress(b"")),
    "nothing.ico": struct.pack("<HHH", 0, 1, 0),
}


def bad_files(folder: Path) -> dict[Path, type[SzemError]]:
    """Write every bad file; each with the error it must give."""
    bad: dict[Path, type[SzemError]] = {}
    for name, data in NOT_PICTURES.items():
        (folder / name).write_bytes(data)
        bad[folder / name] = EmptyFileError if not data else MediaError
    for name, make in BOMBS.items():
        (folder / name).write_bytes(make())
        bad[folder / name] = TooLargeError
    for name in ("photo.jpg", "photo.png", "photo.webp", "photo.bmp", "deflate.tif", "photo.ppm"):
        path = folder / f"half-{name}"
        path.write_bytes(WHOLE[name]()[: len(WHOLE[name]()) // 2])
        bad[path] = FormatError
    (folder / "folder.png").mkdir()
    bad[folder / "folder.png"] = FormatError
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.png")
        bad[folder / "pipe.png"] = FormatError
    (folder / "round.png").symlink_to(folder / "round.png")
    bad[folder / "round.png"] = SzemError
    (folder / "nowhere.png").symlink_to(folder / "gone.png")
    bad[folder / "nowhere.png"] = SzemError
    return bad
