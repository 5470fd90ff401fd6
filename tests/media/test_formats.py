"""Formats are recognized by the first bytes, and what is not read is named with what to do."""

from types import ModuleType

import pytest

from szem.errors import FormatError
from szem.media import formats
from szem.media.formats import HEAD_BYTES, Format, recognize_bytes, recognize_suffix, why_not_read
from szem.media.pictures import PICTURE_SUFFIXES, read_picture
from szem.media.sound import SOUND_SUFFIXES
from szem.media.video import VIDEO_SUFFIXES


def box(brand: bytes, *compatible: bytes) -> bytes:
    """The first box of an MP4 family file."""
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body


HEADS = [
    # the first bytes, name, kind, whether it is read
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG", "picture", True),
    (b"RIFF\0\0\0\0WEBPVP8 ", "WebP", "picture", True),
    (b"RIFF\0\0\0\0WAVEfmt ", "WAV", "sound", True),
    (b"RIFF\0\0\0\0AVI LIST", "AVI", "video", True),
    (b"II*\0\x08\0\0\0", "TIFF", "picture", True),
    (b"II*\0\x10\0\0\0CR\x02\0", "a camera's raw format", "picture", False),
    (box(b"heic", b"mif1", b"heic"), "HEIC", "picture", False),
    (box(b"mif1", b"mif1", b"heic"), "HEIC", "picture", False),
    (box(b"mif1", b"mif1", b"avif"), "AVIF", "picture", True),  # a still of some codec: the next one says which
    (box(b"avif", b"mif1"), "AVIF", "picture", True),
    (box(b"isom", b"isom", b"avc1"), "MP4", "video", True),
    (box(b"qt  "), "MP4", "video", True),
    (box(b"M4A ", b"isom"), "M4A", "sound", True),
    (b"\xff\x0a\xfa\x1f", "JPEG XL", "picture", False),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL", "picture", False),
    (b"8BPS\0\x01", "Photoshop", "picture", False),
    (bytes(128) + b"DICM", "DICOM", "picture", False),
    (b"MThd\0\0\0\x06", "MIDI", "sound", False),
    (b"\x1aE\xdf\xa3", "Matroska", "video", True),
]


@pytest.mark.parametrize(("head", "name", "kind", "is_read"), HEADS)
def test_first_bytes_name_a_format(head: bytes, name: str, kind: str, is_read: bool) -> None:
    found = recognize_bytes(head)
    assert found is not None
    assert (found.name, found.kind, found.has_decoder) == (name, kind, is_read)


@pytest.mark.parametrize("head", [b"", b"a", b"P", b"hello, world", b"RIFF", bytes(HEAD_BYTES), b"PK\x03\x04"])
def test_other_bytes_name_none(head: bytes) -> None:
    assert recognize_bytes(head) is None


def test_every_picture_of_the_corpus_is_one_that_is_read(corpus: ModuleType) -> None:
    for name, make in corpus.WHOLE.items():
        found = recognize_bytes(make()[:HEAD_BYTES])
        assert found is not None, name
        assert (found.kind, found.is_read) == ("picture", True), name


def test_no_suffix_is_both_read_and_not() -> None:
    for suffix in PICTURE_SUFFIXES | VIDEO_SUFFIXES | SOUND_SUFFIXES:
        assert recognize_suffix(suffix) is None
    assert not PICTURE_SUFFIXES & VIDEO_SUFFIXES
    assert not SOUND_SUFFIXES & VIDEO_SUFFIXES


def test_a_format_that_is_not_read_is_refused_by_its_name() -> None:
    with pytest.raises(FormatError, match="picture: JPEG XL, which szem does not read; convert it"):
        read_picture(b"\xff\x0a" + bytes(100))
    with pytest.raises(FormatError, match=r"picture: a video \(MP4\), where a picture is wanted"):
        read_picture(box(b"isom") + bytes(100))


def test_a_format_with_an_optional_decoder_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    heic = recognize_suffix(".HEIC")
    assert heic is not None
    assert not heic.is_read
    assert "pip install pillow-heif" in why_not_read(heic)
    monkeypatch.setattr(formats, "find_spec", lambda _: object())
    assert heic.is_read
    assert not Format("x", "picture", has_decoder=False).is_read


def test_heic_is_read_where_its_decoder_is_installed() -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs the heic extra (pillow-heif)")
    import io

    import numpy as np
    from PIL import Image

    heif.register_heif_opener()
    out = io.BytesIO()
    Image.new("RGB", (32, 24), (200, 40, 90)).save(out, "HEIF")
    picture = read_picture(out.getvalue())
    assert picture.shape == (24, 32, 3)
    assert np.abs(picture.astype(int) - (200, 40, 90)).max() <= 12
