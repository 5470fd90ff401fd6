"""Pages of PDF files: counted and drawn, within limits; what cannot be opened says why."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from szem.errors import FormatError, RangeError, TooLargeError
from szem.media.pages import count_pages, read_pages
from szem.media.sources import DEFAULT_LIMITS

pytest.importorskip("pypdfium2", reason="needs the extra: pip install 'szem[pdf]'")


def pdf(count: int = 2, *, side: int = 36) -> bytes:
    """Page n is a plain red of value 40 n, half an inch wide."""
    frames = [Image.new("RGB", (side, side), (40 * n, 0, 0)) for n in range(1, count + 1)]
    out = io.BytesIO()
    frames[0].save(out, "PDF", save_all=True, append_images=frames[1:], resolution=72)
    return out.getvalue()


def bare(*objects: str, trailer: str = "") -> bytes:
    """A PDF of these objects, the first of which is its catalogue."""
    out, places = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj {text} endobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"trailer << /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{len(out)}\n%%EOF"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}".encode("latin-1")


CATALOGUE, PAGES = "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"


def page_of(width: float, height: float) -> str:
    return f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] >>"


def test_pages_are_counted_and_drawn_in_the_order_asked_for() -> None:
    data = pdf(3)
    assert count_pages(data) == 3
    third, first = read_pages(data, [2, 0])
    assert third.shape == first.shape == (100, 100, 3)  # 200 dots to an inch
    assert third.mean(axis=(0, 1)) == pytest.approx([120, 0, 0], abs=4)
    assert first.mean(axis=(0, 1)) == pytest.approx([40, 0, 0], abs=4)
    assert first.dtype == np.uint8


def test_a_page_that_is_not_there_is_named() -> None:
    with pytest.raises(RangeError, match="page 5 is not there; pages run from 0 to 1"):
        list(read_pages(pdf(2), [5]))


def test_a_huge_page_is_drawn_with_fewer_dots() -> None:
    data = bare(CATALOGUE, PAGES, page_of(14_400, 7_200))
    (picture,) = read_pages(data, [0], limits=replace(DEFAULT_LIMITS, max_pixels=500_000))
    assert picture.shape[0] * picture.shape[1] == pytest.approx(500_000, rel=0.01)
    assert picture.shape[1] == pytest.approx(2 * picture.shape[0], abs=2)


def test_too_many_pages_are_refused() -> None:
    with pytest.raises(TooLargeError, match="3 pages, the limit is 2; split the file"):
        count_pages(pdf(3), limits=replace(DEFAULT_LIMITS, max_frames=2))


def test_an_encrypted_file_says_what_to_do() -> None:
    lock = "<< /Filter /Standard /V 1 /R 2 /P -4 /O <" + "11" * 32 + "> /U <" + "22" * 32 + "> >>"
    data = bare(CATALOGUE, PAGES, page_of(72, 72), trailer=f"/Encrypt {lock} /ID [<00> <00>]")
    with pytest.raises(FormatError, match="protected by a password; save it without one"):
        count_pages(data)


@pytest.mark.parametrize(
    "data",
    [b"%PDF-", b"%PDF-1.7\n" + bytes(500), pdf()[:300], b"%PDF-1.4\nxref\n0 99999999\ntrailer << /Root 1 0 R >>"],
    ids=["a mark", "zeros", "cut short", "a table of lies"],
)
def test_what_is_damaged_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"damaged, or not a PDF|without pages"):
        count_pages(data)


def test_pages_that_hold_each_other_end() -> None:
    data = bare(CATALOGUE, "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 /Parent 2 0 R >>")
    with pytest.raises(FormatError):
        list(read_pages(data, [0]))


def test_any_change_of_a_byte_gives_a_picture_or_a_reason() -> None:
    random = np.random.default_rng(5)
    good = np.frombuffer(pdf(1), np.uint8)
    for _ in range(60):
        bad = good.copy()
        bad[random.integers(5, len(bad), 8)] = random.integers(0, 256, 8)
        try:
            pictures = list(read_pages(bad.tobytes(), [0]))
        except (FormatError, TooLargeError, RangeError):
            continue
        assert pictures[0].ndim == 3
