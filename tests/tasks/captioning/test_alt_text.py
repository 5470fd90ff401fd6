"""alt_text.py: HTML is read as HTML, nothing but new attributes changes, nothing outside the site is read."""

import base64
import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from szem.arrays import Picture8
from szem.errors import FileMissingError, FormatError
from szem.results.caption import Caption, Sentence, Word
from szem.tasks.captioning.alt_text import find_pages, page_diff, propose_alt


def say(picture: Picture8) -> Caption:
    """Red pictures are surely so, others nobody knows."""
    confident = 0.9 if picture[..., 0].mean() > 128 else 0.2
    return Caption((Sentence((Word('a "red"', 1), Word("wall", 1)), 0.5),), confident, "toy")


def png(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), colour, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    home = tmp_path / "site"
    (home / "pics").mkdir(parents=True)
    (home / "red.png").write_bytes(png((250, 0, 0)))
    (home / "pics" / "red two.png").write_bytes(png((250, 9, 9)))
    (home / "dark.png").write_bytes(png((0, 0, 9)))
    (home / "broken.png").write_bytes(b"nothing")
    (tmp_path / "outside.png").write_bytes(png((250, 0, 0)))
    return home


NEW = ' alt="A &quot;red&quot; wall"'
PAGES = [
    # a page, what it becomes ({} stands for the new attribute), reasons of what gets none
    ('<img src="red.png">', '<img{} src="red.png">', []),
    ("<IMG SRC=red.png/>", "<IMG{} SRC=red.png/>", None),
    ("<p>é\r\n<img\n  src='red.png'\n/></p>\r\n", "<p>é\r\n<img{}\n  src='red.png'\n/></p>\r\n", []),
    ('<img src="/pics/red%20two.png?v=1#x">', '<img{} src="/pics/red%20two.png?v=1#x">', []),
    ('<img src="red.png"><b><img src="red.png"></b>', '<img{} src="red.png"><b><img{} src="red.png"></b>', []),
    ('<img src="red.png" alt="">', '<img src="red.png" alt="">', []),  # an ornament
    ('<img ALT src="red.png">', '<img ALT src="red.png">', []),
    ('<!-- <img src="red.png"> -->', '<!-- <img src="red.png"> -->', []),
    ('<script>"<img src=red.png>"</script>', '<script>"<img src=red.png>"</script>', []),
    ('<picture title="<img src=red.png>">', '<picture title="<img src=red.png>">', []),
    ('<img src="dark.png">', '<img src="dark.png">', ["confidence too low"]),
    ('<img src="broken.png">', '<img src="broken.png">', ["broken.png"]),
    ('<img src="gone.png">', '<img src="gone.png">', ["gone.png"]),
    ('<img src="../outside.png">', '<img src="../outside.png">', ["outside the site's folder"]),
    ('<img src="/../outside.png">', '<img src="/../outside.png">', ["outside the site's folder"]),
    ('<img src="%2e%2e/outside.png">', '<img src="%2e%2e/outside.png">', ["outside the site's folder"]),
    ('<img src="https://example.org/a.png">', '<img src="https://example.org/a.png">', ["elsewhere on the network"]),
    ('<img src="//example.org/a.png">', '<img src="//example.org/a.png">', ["elsewhere on the network"]),
    ('<img src="file:///etc/passwd">', '<img src="file:///etc/passwd">', ["elsewhere on the network"]),
    ('<img src="http://[a">', '<img src="http://[a">', ["is not an address"]),
    ("<img>", "<img>", ["has no source"]),
    ('<img src="data:image/png;base64,AAAA">', '<img src="data:image/png;base64,AAAA">', [""]),
    ('<img src="data:nothing">', '<img src="data:nothing">', ["damaged"]),
    ("no pictures & <b>broken <i html", "no pictures & <b>broken <i html", []),
    ("", "", []),
]


@pytest.mark.parametrize(("before", "after", "reasons"), PAGES)
def test_pages_get_what_they_lack(site: Path, before: str, after: str, reasons: list[str] | None) -> None:
    page = site / "a.html"
    page.write_bytes(before.encode())
    found = propose_alt(page, site=site, describe=say)
    if reasons is not None:
        assert found.encode() == after.replace("{}", NEW).encode()
        hypotheses = [one.reason for one in found.found if not one.text]
        assert len(hypotheses) == len(reasons)
        assert all(part in reason for part, reason in zip(reasons, hypotheses, strict=True))
    assert page.read_bytes() == before.encode()  # nothing is written


def test_a_picture_in_the_page_itself_is_described(site: Path) -> None:
    data = base64.b64encode(png((255, 0, 0))).decode()
    page = site / "a.html"
    page.write_text(f'<img src="data:image/png;base64,{data}">')
    assert propose_alt(page, site=site, describe=say).found[0].text == 'A "red" wall'


def test_any_encoding_comes_back_byte_for_byte(site: Path) -> None:
    page = site / "a.html"
    page.write_bytes('<p>árvíz</p>\n<img src="red.png">'.encode("latin-1") + b"\xff\xfe")
    found = propose_alt(page, site=site, describe=say)
    assert found.encode().replace(NEW.encode(), b"") == page.read_bytes()
    page.write_bytes('<img src="red.png">'.encode("utf-16"))
    with pytest.raises(FormatError, match="UTF-16"):
        propose_alt(page, site=site, describe=say)


def test_the_diff_can_be_applied(site: Path, tmp_path: Path) -> None:
    text = 'one\ntwo\n<img src="../red.png">\nthree\n<p><img src="../red.png"></p>'
    page = site / "pics" / "a.html"
    page.write_bytes(text.encode())
    found = propose_alt(page, site=site, describe=say)
    diff = "".join(page_diff([found], site=site))
    assert diff.startswith("--- a/pics/a.html\n+++ b/pics/a.html\n@@ -1,5 +1,5 @@\n")
    try:
        subprocess.run(["patch", "-p1", "-d", str(site)], input=diff.encode(), check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the program patch")
    assert page.read_bytes() == found.encode()


def test_pages_are_found_on_all_levels(site: Path, tmp_path: Path) -> None:
    for name in ("b.html", "a.HTM", "pics/c.xhtml", "d.txt"):
        (site / name).write_text("")
    assert [p.name for p in find_pages(site)] == ["a.HTM", "b.html", "c.xhtml"]
    assert find_pages(site / "d.txt") == [site / "d.txt"]
    for missing in (tmp_path / "nowhere", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(FileMissingError):
            find_pages(missing)


def test_each_picture_is_described_once(site: Path) -> None:
    asked: list[int] = []

    def describe(picture: Picture8) -> Caption:
        asked.append(1)
        return say(picture)

    page = site / "a.html"
    page.write_text('<img src="red.png">' * 3)
    found = propose_alt(page, site=site, describe=describe)
    assert len(asked) == 1
    assert [one.line for one in found.found] == [1, 1, 1]
