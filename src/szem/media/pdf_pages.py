"""Pages of PDF files as pictures, drawn by PDFium through pypdfium2 (the extra `pdf`).

Pages are drawn with 200 dots to an inch, fewer where a page would have more pixels than are allowed. Scripts and
forms of a PDF are not run. PDFium is native code: the server calls it in worker processes.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from szem.arrays import Picture8
from szem.errors import FormatError, MissingExtraError, RangeError, TooLargeError
from szem.media.sources import Limits

__all__ = ["count_pdf_pages", "is_pdf", "read_pdf_pages"]

_POINTS_PER_INCH = 72
_DOTS_PER_INCH = 200
_MAX_PIXELS = 16_000_000  # of a drawn page: twice an A4 page at 250 dots to an inch
_LOCK = threading.Lock()  # PDFium may be called from one thread at a time


def is_pdf(data: bytes) -> bool:
    """Whether bytes are those of a PDF.

    >>> is_pdf(b"%PDF-1.7 ..."), is_pdf(b"GIF89a")
    (True, False)
    """
    return data.startswith(b"%PDF-")


def count_pdf_pages(data: bytes, name: str, *, limits: Limits) -> int:
    """How many pages a PDF has.

    Raises:
        FormatError: damaged, without pages, or protected by a password.
        TooLargeError: more than `limits.max_frames`.
        MissingExtraError: pypdfium2 is not installed.
    """
    with _LOCK, _opened(data, name, limits) as document:
        return len(document)


def read_pdf_pages(data: bytes, pages: Sequence[int], name: str, *, limits: Limits) -> Iterator[Picture8]:
    """Draw chosen pages, in the order asked for.

    Args:
        data: The file.
        pages: Numbers from 0.
        name: Of the file, for messages.
        limits: Refuse files with more pages, draw pages with fewer pixels.
    Yields:
        (H, W, 3) uint8 RGB.
    Raises:
        RangeError: there is no such page.
        As `count_pdf_pages`.
    """
    for number in pages:
        with _LOCK, _opened(data, name, limits) as document:
            if not 0 <= number < len(document):
                raise RangeError(f"{name}: page {number} is not there; pages run from 0 to {len(document) - 1}")
            picture = _drawn(document, number, name, limits)
        yield picture


@contextmanager
def _opened(data: bytes, name: str, limits: Limits) -> Iterator[Any]:
    try:
        import pypdfium2 as pdfium
    except ImportError as error:
        raise MissingExtraError(f"{name}: reading PDF needs pypdfium2; pip install 'szem[pdf]'") from error

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise FormatError(f"{name}: protected by a password; save it without one") from error
        raise FormatError(f"{name}: damaged, or not a PDF; save it anew") from error
    try:
        count = len(document)
        if count < 1:
            raise FormatError(f"{name}: a PDF without pages; save it anew")
        if count > limits.max_frames:
            raise TooLargeError(f"{name}: {count} pages, the limit is {limits.max_frames}; split the file")
        yield document
    finally:
        document.close()


def _drawn(document: Any, number: int, name: str, limits: Limits) -> Picture8:
    import pypdfium2 as pdfium

    try:
        page = document[number]
        width_pt, height_pt = page.get_size()
        if not (0 < width_pt < 1e6 and 0 < height_pt < 1e6):
            raise FormatError(f"{name}: page {number + 1} is {width_pt:g} by {height_pt:g} points; save it anew")
        most = min(_MAX_PIXELS, limits.max_pixels)
        scale = min(_DOTS_PER_INCH / _POINTS_PER_INCH, (most / (width_pt * height_pt)) ** 0.5)
        drawn = page.render(scale=scale, rev_byteorder=True)
        pixels = np.array(drawn.to_numpy())[:, :, :3]
    except pdfium.PdfiumError as error:
        raise FormatError(f"{name}: page {number + 1} is damaged; save the file anew") from error
    return np.ascontiguousarray(pixels)
