"""Alternative texts for the pictures of web pages: what to add where, as new text and as a diff.

A page is read as HTML is, not searched with patterns: an `<img>` in a script or a comment is none, and one that has
an `alt` already, also an empty one (which says that the picture is an ornament), is left alone. Nothing but the new
attributes changes, whatever the page's line ends or encoding. Pictures are only read inside the site's folder.
"""

import base64
import binascii
import difflib
import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from szem.arrays import Picture8
from szem.errors import FileMissingError, FormatError, MediaError
from szem.media.pictures import read_picture
from szem.results.caption import Caption

__all__ = ["AltText", "Page", "find_pages", "page_diff", "propose_alt"]

_PAGES = frozenset({".html", ".htm", ".xhtml"})
_MOST_LINKED_BYTES = 20_000_000  # of a picture written into the page itself


@dataclass(frozen=True)
class AltText:
    """One picture without an alternative text."""

    line: int  # of the page, from 1
    source: str  # as the page names the picture, shortened
    text: str  # the new alternative text; empty where there is none
    confidence: float  # 0..1
    reason: str = ""  # why there is none


@dataclass(frozen=True)
class Page:
    """A page as it is and as it would be."""

    path: Path
    before: str
    after: str
    found: tuple[AltText, ...]

    def encode(self) -> bytes:
        """The page as it would be, for the file."""
        return self.after.encode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class _Gap:
    line: int
    insert_at: int  # place in the text, just after `<img`
    source: str


def find_pages(place: Path) -> list[Path]:
    """The pages of a site: the file itself, or all HTML files below a folder.

    Raises:
        FileMissingError: there is none.
    """
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise FileMissingError(f"{place}: no such file or folder; name a page or the folder of a site")
    pages = sorted(p for p in place.rglob("*") if p.suffix.lower() in _PAGES and p.is_file())
    if not pages:
        raise FileMissingError(f"{place}: no HTML pages in it; name a folder with .html files")
    return pages


def propose_alt(path: Path, *, site: Path, describe: Callable[[Picture8], Caption], minimum: float = 0.5) -> Page:
    """Find the pictures of a page that have no alternative text, and one for each.

    Args:
        path: The page.
        site: Folder of the site: `/a.jpg` is looked for here, and nothing is read outside.
        describe: Says what a picture shows.
        minimum: Texts with a lower confidence are not proposed, only reported.
    Raises:
        FileMissingError, FormatError: the page cannot be read.
    """
    before = _read_page(path)
    found: list[AltText] = []
    pieces: list[str] = []
    done = 0
    hypotheses: dict[str, AltText] = {}
    for gap in _find_gaps(before):
        if gap.source not in hypotheses:
            hypotheses[gap.source] = _describe(gap, path=path, site=site, describe=describe, minimum=minimum)
        one = hypotheses[gap.source]
        found.append(AltText(gap.line, one.source, one.text, one.confidence, one.reason))
        if one.text:
            pieces += [before[done : gap.insert_at], f' alt="{html.escape(one.text)}"']
            done = gap.insert_at
    return Page(path, before, "".join((*pieces, before[done:])), tuple(found))


def page_diff(pages: Sequence[Page], *, site: Path) -> Iterator[str]:
    """The lines of a unified diff, with paths below the site's folder: for `patch -p1 -d SITE`."""
    for page in pages:
        if page.before == page.after:
            continue
        name = page.path.relative_to(site).as_posix() if page.path.is_relative_to(site) else page.path.name
        lines = difflib.unified_diff(_lines(page.before), _lines(page.after), f"a/{name}", f"b/{name}")
        for line in lines:
            yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


class _Finder(HTMLParser):
    """Collects the places of pictures without an alternative text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.gaps: list[_Gap] = []
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if tag != "img" or "alt" in names:
            return
        line, column = self.getpos()
        source = next((value or "" for name, value in attrs if name == "src"), "")
        at = self._starts[line - 1] + column + len("<img")
        self.gaps.append(_Gap(line, at, source.strip()))


def _find_gaps(text: str) -> list[_Gap]:
    finder = _Finder(text)
    finder.feed(text)
    finder.close()
    return finder.gaps


def _describe(
    gap: _Gap, *, path: Path, site: Path, describe: Callable[[Picture8], Caption], minimum: float
) -> AltText:
    shown = gap.source if len(gap.source) <= 60 else f"{gap.source[:57]}..."
    try:
        captions = describe(_read_linked(gap.source, path=path, site=site))
    except (MediaError, FileMissingError) as error:
        return AltText(gap.line, shown, "", 0.0, str(error))
    if not captions.text:
        return AltText(gap.line, shown, "", captions.confidence, "nothing was recognised for certain")
    if captions.confidence < minimum:
        return AltText(gap.line, shown, "", captions.confidence, f"confidence too low for {captions.text!r}")
    text = captions.text[:1].upper() + captions.text[1:]
    return AltText(gap.line, shown, text, captions.confidence)


def _read_linked(source: str, *, path: Path, site: Path) -> Picture8:
    if not source:
        raise FileMissingError("the picture has no source")
    if source.startswith("data:"):
        return read_picture(_data_of(source))
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise FileMissingError(f"{source[:60]!r} is not an address ({error})") from error
    if parts.scheme or parts.netloc:
        raise FileMissingError("lies elsewhere on the network; only the site's own files are read")
    name = unquote(parts.path)
    if not name or "\0" in name:
        raise FileMissingError("names no file")
    file = (site / name.lstrip("/") if name.startswith("/") else path.parent / name).resolve()
    if not file.is_relative_to(site.resolve()):
        raise FileMissingError("lies outside the site's folder")
    return read_picture(file)


def _data_of(source: str) -> bytes:
    head, comma, body = source.partition(",")
    if not comma or len(body) > _MOST_LINKED_BYTES * 4 // 3:
        raise FormatError("a picture in the page that is damaged or too large")
    if not head.endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(unquote_to_bytes(body), validate=False)
    except binascii.Error as error:
        raise FormatError(f"a picture in the page that is not base64 ({error})") from error


def _read_page(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileMissingError(f"{path}: cannot be read ({error.strerror})") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise FormatError(f"{path}: is in UTF-16; save it as UTF-8")
    return data.decode("utf-8", "surrogateescape")  # any encoding that holds ASCII comes back byte for byte


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)
