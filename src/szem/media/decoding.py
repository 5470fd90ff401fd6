"""Bytes through Pillow to `(H, W, 3)` uint8 RGB: upright, opaque, 8 bits, sRGB; decoder faults to szem's errors.

This file knows decoders and pixels, not paths.
"""

import io
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.ExifTags import Base

from szem.arrays import Array, Picture8
from szem.errors import EmptyFileError, FileMissingError, FormatError, SzemError, TooLargeError
from szem.media.formats import HEAD_BYTES, HEIC, recognize_bytes, why_not_read
from szem.media.headers import claimed_size, count_jpeg_scans
from szem.media.pillow_warnings import pillow_hushed
from szem.media.sources import Limits

__all__ = [
    "PictureSize",
    "check_pixels",
    "faults_named",
    "image_to_picture",
    "open_image",
    "read_picture_size",
    "shrink_jpeg",
]

# Only decoders that parse pictures and nothing else: no PostScript, no font or document formats.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "PPM", "AVIF")  # MPO is read as JPEG
_SCANS = 16  # times a picture of the largest size may be gone over; progressive files have about 10

_UPRIGHT = {  # EXIF orientation -> what makes the picture stand
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FAULTS = (
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    EOFError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    struct.error,
    zlib.error,
)


@contextmanager
def faults_named(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one of our errors that names the file; hush its warnings."""
    try:
        with pillow_hushed():
            yield
    except SzemError:
        raise
    except UnidentifiedImageError as error:
        raise FormatError(
            f"{name}: not a picture szem reads (JPEG, PNG, GIF, BMP, WebP, TIFF, ICO, PNM, AVIF), or damaged in its "
            "first bytes; convert it or save it anew"
        ) from error
    except Image.DecompressionBombError as error:
        raise TooLargeError(
            f"{name}: claims more than {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million pixels, more than is "
            "ever decoded; scale it down first"
        ) from error
    except MemoryError as error:
        raise TooLargeError(f"{name}: does not fit into memory; scale it down first") from error
    except _FAULTS as error:
        what = str(error).strip().rstrip(".") or type(error).__name__
        raise FormatError(f"{name}: damaged or cut short ({what}); save it anew") from error


def open_image(data: bytes, name: str, *, limits: Limits) -> Image.Image:
    """Open the bytes of a picture file with Pillow and check what its header claims; nothing is decoded yet.

    Raises:
        FormatError, EmptyFileError, TooLargeError.
    """
    found = recognize_bytes(data[:HEAD_BYTES])
    if found is not None and not found.is_read:
        raise FormatError(f"{name}: {why_not_read(found)}")
    if found is not None and found.kind != "picture":
        raise FormatError(f"{name}: a {found.kind} ({found.name}), where a picture is wanted")
    claimed = claimed_size(data)
    if claimed is not None:
        check_pixels(claimed, name, limits=limits)
    with faults_named(name):
        opened = Image.open(io.BytesIO(data), formats=_heif_formats() if found == HEIC else _FORMATS)
        check_pixels(opened.size, name, limits=limits)
        _check_work(count_jpeg_scans(data), opened.size, name, limits)
    return opened


@dataclass(frozen=True)
class PictureSize:
    """Sides of a picture file, in pixels: as `read_picture` gives it, and as the file stores it."""

    width_px: int
    height_px: int
    orientation: int = 1  # EXIF's: what turns the stored picture upright

    @property
    def stored(self) -> tuple[int, int]:
        """Width and height before the picture is turned upright."""
        sides = (self.width_px, self.height_px)
        return sides if self.orientation < 5 else (sides[1], sides[0])

    def to_upright(self, points_xy: Array) -> Array:
        """Points of the stored picture as points of the upright one.

        Args:
            points_xy: (N, 2) in pixels of the stored picture.
        Returns:
            (N, 2) of the same type.

        >>> PictureSize(96, 64, orientation=6).to_upright(np.array([[0.0, 0.0], [64.0, 96.0]])).tolist()
        [[96.0, 0.0], [0.0, 64.0]]
        """
        width, height = self.stored
        x, y = points_xy[:, 0], points_xy[:, 1]
        if self.orientation in (5, 6, 7, 8):
            x, y, width, height = y, x, height, width
        if self.orientation in (2, 3, 6, 7):
            x = width - x
        if self.orientation in (3, 4, 7, 8):
            y = height - y
        return np.stack([x, y], axis=1)


def read_picture_size(path: str | os.PathLike[str]) -> PictureSize:
    """The size of the picture that `read_picture` gives, from the file's header; no pixel is decoded.

    Raises:
        FileMissingError: no such file.
        FormatError: not a picture, or its header is damaged.
        EmptyFileError: no pixels.
    """
    name = Path(path).name
    try:
        with faults_named(name), Image.open(path, formats=_FORMATS) as opened:
            orientation = _orientation(opened)
            width, height = opened.size
            if opened.format == "TIFF":  # newer Pillows turn its size already here, older ones when it is loaded
                width, height = int(opened.tag_v2[256]), int(opened.tag_v2[257])  # type: ignore[attr-defined]
    except FormatError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise FileMissingError(f"{name}: no such picture; check its path") from error
        raise
    if width <= 0 or height <= 0:
        raise EmptyFileError(f"{name}: {width}×{height} pixels; there is no picture in it")
    if orientation not in _UPRIGHT:
        orientation = 1
    return PictureSize(*((width, height) if orientation < 5 else (height, width)), orientation)


def _heif_formats() -> tuple[str, ...]:
    """Pillow's name of HEIC, once the optional decoder is known to it; it reads no pixels while opening."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    return ("HEIF",)


def shrink_jpeg(image: Image.Image, min_side_px: int) -> None:
    """Let a JPEG that is open, not yet decoded, be decoded from the lower frequencies of its blocks only.

    Source: Pillow, `Image.draft`; libjpeg, `scale_denom`.

    Args:
        image: Opened by `open_image`; of another format, it is left as it is.
        min_side_px: What its shorter side keeps at least.
    """
    if image.format == "JPEG":
        factor = min_side_px / min(image.size)
        image.draft(None, (max(1, math.ceil(image.width * factor)), max(1, math.ceil(image.height * factor))))


def check_pixels(size: tuple[int, int], name: str, *, limits: Limits) -> None:
    """Refuse a picture or frame that is too large or has no pixels.

    Raises:
        EmptyFileError, TooLargeError.
    """
    width, height = size
    if width <= 0 or height <= 0:
        raise EmptyFileError(f"{name}: {width}×{height} pixels; there is no picture in it")
    if width * height > limits.max_pixels:
        raise TooLargeError(
            f"{name}: {width}×{height} is {width * height / 1e6:.1f} million pixels, the limit is "
            f"{limits.max_pixels / 1e6:g}; scale it down first"
        )


def _check_work(scans: int, size: tuple[int, int], name: str, limits: Limits) -> None:
    """A progressive JPEG may ask for its whole picture to be gone over thousands of times."""
    if scans > _SCANS and scans * size[0] * size[1] > _SCANS * limits.max_pixels:
        raise TooLargeError(f"{name}: a JPEG of {scans} scans, made to keep a decoder busy; save it anew")


def image_to_picture(image: Image.Image) -> Picture8:
    """Decode one frame.

    Args:
        image: Opened by Pillow, in any mode.
    Returns:
        (H, W, 3) uint8 RGB: upright by its EXIF orientation, laid over white where transparent, in sRGB where it
        carries a colour profile, 16-bit and float greys scaled to 8 bits.
    """
    image.load()
    orientation = _orientation(image)  # after loading: TIFF files turn themselves and drop the tag
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        upright = image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image
        return np.repeat(_grey_to_8_bits(np.asarray(upright), mode)[..., None], 3, axis=2)
    rgb = _opaque(image) if image.has_transparency_data else _profiled(image) or _as_rgb(image)
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
    return np.array(rgb)


def _orientation(image: Image.Image) -> int:
    """1..8; a picture whose EXIF block is damaged is still a picture, and stands as it is."""
    try:
        return int(image.getexif().get(Base.Orientation, 1))
    except _FAULTS:
        return 1


def _as_rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")  # convert() copies even where nothing changes


def _opaque(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    white = Image.new("RGB", rgba.size, (255, 255, 255))
    white.paste(_profiled(rgba.convert("RGB"), like=image) or rgba, mask=rgba.getchannel("A"))
    return white


def _profiled(image: Image.Image, *, like: Image.Image | None = None) -> Image.Image | None:
    """The image in sRGB when it carries another colour profile that fits it; None when there is nothing to do."""
    source = like or image
    data = source.info.get("icc_profile")
    if not isinstance(data, bytes) or image.mode not in ("RGB", "CMYK", "L") or source.mode in ("P", "PA"):
        return None
    if b"sRGB" in data or b"s\0R\0G\0B" in data:  # named so in its description
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, *_FAULTS):  # damaged, or for another kind of picture: go without
        return None


def _grey_to_8_bits(values: Array, mode: str) -> Array:
    """16-bit greys map 65535 to 255; floats in 0..1 map 1 to 255; any other range is stretched to 0..255.

    Args:
        values: (H, W) of any number type; what is not finite counts as 0.
        mode: Pillow's: "I;16", "I", "F", …
    Returns:
        (H, W) uint8.
    """
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    wide = values.astype(np.float32)
    np.copyto(wide, 0.0, where=~np.isfinite(wide))
    low, high = float(wide.min()), float(wide.max())
    if low >= 0 and mode.startswith("I") and high <= 65535:
        low, high = 0.0, 65535.0
    elif low >= 0 and mode == "F" and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and mode == "F" and high <= 255 and bool((wide == np.rint(wide)).all()):
        low, high = 0.0, 255.0
    scaled = (wide.astype(np.float64) - low) * (255.0 / (high - low)) if high > low else wide
    grey: Array = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
    return grey
