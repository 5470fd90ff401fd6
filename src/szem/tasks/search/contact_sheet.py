"""The result of a search as one HTML page that needs nothing beside it: small pictures, names and probabilities."""

import base64
import html
from pathlib import Path

import cv2

from szem.errors import FileMissingError, MediaError
from szem.files import write_text
from szem.media.pictures import encode_picture, read_picture
from szem.results.hits import Hit, Hits

__all__ = ["contact_sheet", "write_contact_sheet"]

_SIDE_PX = 320  # of a thumbnail's longer side
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }}
body {{ margin: 2rem auto; max-width: 75rem; padding: 0 1rem }}
ol {{ display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)) }}
ol {{ list-style: none; padding: 0 }}
figure {{ margin: 0 }}
img {{ width: 100%; height: 12rem; object-fit: contain; background: #8883; border-radius: .5rem }}
figcaption {{ overflow-wrap: anywhere }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{summary}</p>
<ol>
{items}
</ol>
</main>
</body>
</html>
"""


def contact_sheet(hits: Hits) -> str:
    """The page as text.

    Args:
        hits: The pictures are read again for their thumbnails; one that has gone is named without.
    """
    fitting = len(hits.fitting)
    summary = f"{hits.searched} pictures searched by {hits.model}. "
    if not fitting:
        summary += "Nothing fits; these are the nearest." if len(hits) else "Nothing was found."
    else:
        summary += f"{fitting} of the {len(hits)} shown fit."
    return _PAGE.format(
        title=html.escape(hits.text),
        summary=html.escape(summary),
        items="\n".join(_item(hit, fits=hit.score >= hits.threshold) for hit in hits),
    )


def write_contact_sheet(hits: Hits, file: Path) -> None:
    """Write the page.

    Raises:
        StoreError: the file cannot be written.
    """
    write_text(file, contact_sheet(hits))


def _item(hit: Hit, *, fits: bool) -> str:
    name = html.escape(str(hit.path))
    note = f"{hit.score:.0%}" if fits else f"{hit.score:.0%}, does not fit"
    picture = _thumbnail(hit.path)
    shown = f'<img alt="{html.escape(hit.path.name)}" src="{picture}">' if picture else "<p>no longer readable</p>"
    return f"<li><figure>{shown}<figcaption>{note}<br>{name}</figcaption></figure></li>"


def _thumbnail(path: Path) -> str:
    try:
        picture = read_picture(path)
    except (MediaError, FileMissingError):
        return ""
    height, width = picture.shape[:2]
    scale = min(1.0, _SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    data = base64.b64encode(encode_picture(small, suffix=".jpg", quality=85)).decode()
    return f"data:image/jpeg;base64,{data}"
