"""Which format a file is in, from its first bytes or else its suffix, and whether szem reads it.

It serves messages: a file that is not read is named with its format and what to do about it. The decoders decide for
themselves, by the bytes alone. This file reads no files.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

__all__ = ["HEAD_BYTES", "HEIC", "TIFF", "Format", "Kind", "recognize_bytes", "recognize_suffix", "why_not_read"]

HEAD_BYTES = 132  # enough of a file to recognize it
Kind = Literal["picture", "video", "sound"]


@dataclass(frozen=True)
class Format:
    """A format of files."""

    name: str
    kind: Kind
    has_decoder: bool = True
    package: str = ""  # on PyPI, that brings the decoder
    module: str = ""  # of that package

    @property
    def is_read(self) -> bool:
        """Whether szem reads such a file, as it is installed here."""
        return self.has_decoder or (self.module != "" and find_spec(self.module) is not None)


HEIC = Format("HEIC", "picture", has_decoder=False, package="pillow-heif", module="pillow_heif")
_JXL = Format("JPEG XL", "picture", has_decoder=False)
_JP2 = Format("JPEG 2000", "picture", has_decoder=False)
_PSD = Format("Photoshop", "picture", has_decoder=False)
_RAW = Format("a camera's raw format", "picture", has_decoder=False)
_EXR = Format("OpenEXR", "picture", has_decoder=False)
_HDR = Format("Radiance HDR", "picture", has_decoder=False)
_XCF = Format("GIMP", "picture", has_decoder=False)
_DDS = Format("DDS", "picture", has_decoder=False)
_QOI = Format("QOI", "picture", has_decoder=False)
_JXR = Format("JPEG XR", "picture", has_decoder=False)
_SVG = Format("SVG", "picture", has_decoder=False)
_EPS = Format("PostScript", "picture", has_decoder=False)
_TGA = Format("Targa", "picture", has_decoder=False)
_DICOM = Format("DICOM", "picture", has_decoder=False)
_MIDI = Format("MIDI", "sound", has_decoder=False)
_FLASH = Format("Flash", "video", has_decoder=False)
_REAL = Format("RealMedia", "video", has_decoder=False)

TIFF, _MP4, _OGG = Format("TIFF", "picture"), Format("MP4", "video"), Format("Ogg", "sound")

# The first bytes -> the format; the first match counts.
_STARTS: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", Format("JPEG", "picture")),
    (b"\x89PNG\r\n\x1a\n", Format("PNG", "picture")),
    (b"GIF8", Format("GIF", "picture")),
    (b"\0\0\1\0", Format("ICO", "picture")),
    (b"\xff\x0a", _JXL),
    (b"\0\0\0\x0cJXL \r\n\x87\n", _JXL),
    (b"\0\0\0\x0cjP  \r\n\x87\n", _JP2),
    (b"\xff\x4f\xff\x51", _JP2),
    (b"8BPS", _PSD),
    (b"v/1\x01", _EXR),
    (b"#?RADIANCE", _HDR),
    (b"#?RGBE", _HDR),
    (b"gimp xcf", _XCF),
    (b"DDS ", _DDS),
    (b"qoif", _QOI),
    (b"II\xbc", _JXR),
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"IIU\0", _RAW),
    (b"IIRO", _RAW),
    (b"%!PS", _EPS),
    (b"<svg", _SVG),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"\x1aE\xdf\xa3", Format("Matroska", "video")),
    (b"FLV\x01", Format("Flash video", "video")),
    (b"FWS", _FLASH),
    (b"CWS", _FLASH),
    (b".RMF", _REAL),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Format("Windows Media", "video")),
    (b"\0\0\1\xba", Format("MPEG", "video")),
    (b"fLaC", Format("FLAC", "sound")),
    (b"OggS", _OGG),
    (b"ID3", Format("MP3", "sound")),
    (b"MThd", _MIDI),
)
_RIFF = {
    b"WEBP": Format("WebP", "picture"),
    b"AVI ": Format("AVI", "video"),
    b"WAVE": Format("WAV", "sound"),
}
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), HEIC),
    **dict.fromkeys((b"avif", b"avis"), Format("AVIF", "picture")),
    b"crx ": _RAW,
    b"M4A ": Format("M4A", "sound"),
}
_UNREAD = {
    ".heic .heif .hif": HEIC,
    ".jxl": _JXL,
    ".jp2 .j2k .jpf .jpx .jpm": _JP2,
    ".psd .psb": _PSD,
    ".cr2 .cr3 .nef .nrw .arw .srf .sr2 .dng .orf .rw2 .raf .pef .srw .x3f .3fr .iiq .raw": _RAW,
    ".exr": _EXR,
    ".hdr": _HDR,
    ".xcf": _XCF,
    ".dds": _DDS,
    ".qoi": _QOI,
    ".jxr .wdp .hdp": _JXR,
    ".svg .svgz": _SVG,
    ".eps": _EPS,
    ".tga": _TGA,
    ".dcm": _DICOM,
    ".mid .midi": _MIDI,
    ".swf": _FLASH,
    ".rm .rmvb": _REAL,
}
_BY_SUFFIX = {suffix: found for suffixes, found in _UNREAD.items() for suffix in suffixes.split()}


def recognize_bytes(head: bytes) -> Format | None:
    """The format of a file from its first `HEAD_BYTES`; None where they look like no picture, video or sound.

    >>> recognize_bytes(b"\\0\\0\\0\\x18ftypheic" + bytes(8)).name
    'HEIC'
    """
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        brands = (head[8:12], *(head[at : at + 4] for at in range(16, min(len(head), 48), 4)))
        special = next((brand for brand in brands if brand in _BRANDS), None)
        # what is first counts most; "mif1" in front says only that it is a still of some codec
        if brands[0] in (b"mif1", b"msf1"):
            special = next((b for b in brands[1:] if b in _BRANDS and b not in (b"mif1", b"msf1")), special)
        elif brands[0] not in _BRANDS:
            special = None
        return _MP4 if special is None else _BRANDS[special]
    if head[:4] == b"II*\0" and head[8:10] == b"CR":
        return _RAW
    if head[128:132] == b"DICM":
        return _DICOM
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return Format("BMP", "picture")
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return Format("PNM", "picture")
    return next((found for start, found in _STARTS if head.startswith(start)), None)


def recognize_suffix(suffix: str) -> Format | None:
    """The format that a suffix stands for, of those that szem does not read.

    >>> recognize_suffix(".JXL").name, recognize_suffix(".txt")
    ('JPEG XL', None)
    """
    return _BY_SUFFIX.get(suffix.lower())


def why_not_read(found: Format) -> str:
    """The reason to give for a file of such a format, with what to do.

    >>> why_not_read(recognize_suffix(".jxl"))
    'JPEG XL, which szem does not read; convert it to JPEG or PNG first'
    """
    into = {"picture": "JPEG or PNG", "video": "MP4", "sound": "WAV"}[found.kind]
    if found.package:
        return f"{found.name}, which szem reads after: pip install {found.package}; or convert it to {into} first"
    return f"{found.name}, which szem does not read; convert it to {into} first"
