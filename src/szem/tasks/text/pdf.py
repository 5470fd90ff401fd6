"""Pictures as a PDF in which the text can be searched, selected and copied: it lies invisible over the picture.

The PDF is written by PDFium, through pypdfium2 (the extra `pdf`).
"""

import ctypes
import io
from collections.abc import Iterable
from typing import Any

import numpy as np

from szem.arrays import Picture8
from szem.errors import MissingExtraError
from szem.media.drawing import FONT_FILE
from szem.media.pictures import encode_picture
from szem.results.text import Text, TextWord

__all__ = ["to_pdf"]

_POINTS_PER_PX = 0.5  # 144 pixels to an inch
_QUALITY = 85  # of the JPEG
_FONT_PT = 10.0  # words are made in this size, and stretched to their boxes


def to_pdf(pages: Iterable[tuple[Picture8, Text]]) -> bytes:
    """Make a searchable PDF.

    Args:
        pages: A picture, (H, W, 3) uint8 RGB, and its text, for each page.
    Raises:
        MissingExtraError: pypdfium2 is not installed.
    """
    try:
        import pypdfium2 as pdfium
    except ImportError as error:
        raise MissingExtraError("writing PDF needs pypdfium2; pip install 'szem[pdf]'") from error

    document = pdfium.PdfDocument.new()
    try:
        font = _load_font(document)
        for picture, text in pages:
            height, width = picture.shape[:2]
            size = width * _POINTS_PER_PX, height * _POINTS_PER_PX
            page = document.new_page(*size)
            image = pdfium.PdfImage.new(document)
            image.load_jpeg(io.BytesIO(encode_picture(picture, suffix=".jpg", quality=_QUALITY)), inline=True)
            image.set_matrix(pdfium.PdfMatrix().scale(*size))
            page.insert_obj(image)
            for word in text.words:
                _put_word(document, page, font, word, page_height_pt=size[1])
            page.gen_content()
        out = io.BytesIO()
        document.save(out)
        return out.getvalue()
    finally:
        document.close()


def _load_font(document: Any) -> Any:
    """szem's own font, which has the letters of the Latin scripts; it is embedded, so that copies are right."""
    import pypdfium2.raw as c

    data = FONT_FILE.read_bytes()
    letters = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
    return c.FPDFText_LoadFont(document.raw, letters, len(data), c.FPDF_FONT_TRUETYPE, 1)


def _put_word(document: Any, page: Any, font: Any, word: TextWord, *, page_height_pt: float) -> None:
    import pypdfium2.raw as c

    text = word.text + (" " if word.break_after else "")
    letters = ctypes.create_string_buffer(text.encode("utf-16-le") + b"\0\0")
    made = c.FPDFPageObj_CreateTextObj(document.raw, font, _FONT_PT)
    c.FPDFText_SetText(made, ctypes.cast(letters, c.FPDF_WIDESTRING))
    c.FPDFTextObj_SetTextRenderMode(made, c.FPDF_TEXTRENDERMODE_INVISIBLE)
    edges = [ctypes.c_float() for _ in range(4)]
    c.FPDFPageObj_GetBounds(made, *edges)
    width_pt = max(edges[2].value - edges[0].value, 1e-3)
    # From the letters' own frame, x right and y up, to the word's box, which may be turned.
    corners = word.corners_xy.astype(np.float64) * _POINTS_PER_PX
    corners[:, 1] = page_height_pt - corners[:, 1]
    along, up = (corners[1] - corners[0]) / width_pt, (corners[0] - corners[3]) / (_FONT_PT * 1.3)
    start = corners[3] + up * _FONT_PT * 0.25  # the base line
    c.FPDFPageObj_Transform(made, along[0], along[1], up[0], up[1], start[0], start[1])
    c.FPDFPage_InsertObject(page.raw, made)
