"""Every kind of picture file becomes what one sees in a viewer: (H, W, 3) uint8 RGB, upright."""

import io
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image, ImageCms

from szem.errors import DTypeError, MediaError, RangeError, ShapeError, StoreError, UnknownNameError
from szem.media.headers import claimed_size, count_jpeg_scans
from szem.media.pictures import (
    as_picture,
    as_pictures,
    encode_picture,
    read_picture,
    read_pictures,
    write_picture,
)


def test_every_whole_file_is_read_as_it_is(corpus: ModuleType) -> None:
    truth = np.array(corpus.photo()).astype(int)
    for name, make in corpus.WHOLE.items():
        picture = read_picture(make())
        assert picture.dtype == np.uint8
        if not name.endswith("ico"):
            assert picture.shape == (16, 24, 3), name
            loose = 40 if "gif" in name or "webp" in name or "jpg" in name else 0
            assert np.abs(picture - truth).mean() <= loose / 4, name


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(corpus: ModuleType, orientation: int, fmt: str) -> None:
    upright = corpus.photo()
    stored_as = {  # how a camera held so would store the picture
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if stored_as is None else upright.transpose(stored_as)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100} if fmt in ("JPEG", "WEBP") else {}
    picture = read_picture(corpus.encoded(stored, fmt, exif=exif.tobytes(), **options))
    assert picture.shape == (16, 24, 3)
    assert np.abs(picture.astype(int) - np.array(upright)).mean() < 8


@pytest.mark.parametrize(
    ("size", "minimum", "expected"),
    [
        ((1600, 1200), 512, (800, 600)),  # a half: 600 is enough, a quarter is not
        ((1600, 1200), 300, (400, 300)),
        ((1200, 1600), 150, (150, 200)),  # an eighth
        ((1600, 1200), 601, (1600, 1200)),  # a half would be too small
        ((100, 80), 512, (100, 80)),  # smaller than that already
    ],
)
def test_a_jpeg_may_be_decoded_small(size: tuple[int, int], minimum: int, expected: tuple[int, int]) -> None:
    tall, wide = np.mgrid[0 : size[1], 0 : size[0]]
    smooth = np.stack([wide * 255 // size[0], tall * 255 // size[1], wide * 0 + 90], axis=2).astype(np.uint8)
    data = encode_picture(smooth, suffix=".jpg")
    whole, small = read_picture(data), read_picture(data, min_side_px=minimum)
    assert min(small.shape[:2]) >= min(minimum, *whole.shape[:2])
    assert small.shape[1::-1] == expected
    shrunk = np.asarray(Image.fromarray(whole).resize(small.shape[1::-1], Image.Resampling.BOX), int)
    assert np.abs(shrunk - small).mean() < 2
    assert np.array_equal(read_picture(encode_picture(smooth), min_side_px=minimum), smooth)  # PNG: as it is


def test_a_jpeg_decoded_small_stands_upright_and_says_when_it_is_cut_short() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.new("RGB", (640, 320), (200, 30, 40)).save(out, "JPEG", exif=exif)
    assert read_picture(out.getvalue(), min_side_px=160).shape == (320, 160, 3)
    with pytest.raises(MediaError, match="damaged or cut short"):
        read_picture(out.getvalue()[:1500], min_side_px=160)


def test_damaged_exif_does_not_lose_the_picture(corpus: ModuleType) -> None:
    data = corpus.encoded(corpus.photo(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(8))
    assert read_picture(data).shape == (16, 24, 3)


def test_sixteen_bit_grey_is_scaled_to_eight() -> None:
    wide = np.array([[0, 257, 32896, 65535]], np.uint16)
    out = io.BytesIO()
    Image.fromarray(wide).save(out, "PNG")
    assert read_picture(out.getvalue())[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),  # 0..1
        ([0.0, 128.0, 255.0], [0, 128, 255]),  # whole numbers of 8 bits
        ([-1.0, 0.0, 3.0], [0, 64, 255]),  # any other range is stretched
        ([float("nan"), float("inf"), 1.0], [0, 0, 255]),  # what is no number is dark
        ([7.0, 7.0, 7.0], [7, 7, 7]),
    ],
)
def test_float_tiff(values: list[float], expected: list[int]) -> None:
    out = io.BytesIO()
    Image.fromarray(np.array([values], np.float32)).save(out, "TIFF")
    assert read_picture(out.getvalue())[0, :, 0].tolist() == expected


def test_transparency_is_laid_over_white() -> None:
    rgba = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    out = io.BytesIO()
    Image.fromarray(rgba).save(out, "PNG")
    assert read_picture(out.getvalue())[0].tolist() == [[255, 0, 0], [255, 255, 255], [127, 127, 127]]
    grey = Image.fromarray(np.array([[[0, 0], [0, 255]]], np.uint8), "LA")
    out = io.BytesIO()
    grey.save(out, "PNG")
    assert read_picture(out.getvalue())[0].tolist() == [[255, 255, 255], [0, 0, 0]]


def test_palette_with_a_transparent_entry_is_laid_over_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    for fmt in ("PNG", "GIF"):
        out = io.BytesIO()
        image.save(out, fmt, transparency=0)
        assert read_picture(out.getvalue())[0].tolist() == [[255, 255, 255], [200, 100, 50]]


def test_cmyk_becomes_rgb() -> None:
    out = io.BytesIO()
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(out, "JPEG", quality=100)
    red, green, blue = read_picture(out.getvalue())[8, 8].tolist()
    assert red > 240
    assert green < 15
    assert blue < 15


def test_interlaced_and_bilevel_pictures_are_read(corpus: ModuleType) -> None:
    assert (read_picture(corpus.interlaced_png(77)) == 77).all()
    out = io.BytesIO()
    Image.new("1", (3, 2), 1).save(out, "PNG")
    assert (read_picture(out.getvalue()) == 255).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1)])
def test_extreme_shapes_are_read(corpus: ModuleType, size: tuple[int, int]) -> None:
    assert read_picture(corpus.encoded(Image.new("RGB", size, "red"), "PNG")).shape == (size[1], size[0], 3)


def test_an_srgb_profile_changes_nothing_and_a_damaged_one_is_passed_over(corpus: ModuleType) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = np.array(corpus.photo())
    for icc in (profile, profile[:200], b"no profile at all", profile.replace(b"sRGB", b"mine")):
        picture = read_picture(corpus.encoded(corpus.photo(), "PNG", icc_profile=icc))
        assert np.abs(picture.astype(int) - plain).max() <= 2


def test_frames_come_one_by_one(corpus: ModuleType) -> None:
    assert len(list(read_pictures(corpus.WHOLE["animated.gif"]()))) == 4
    assert [p.shape for p in read_pictures(corpus.WHOLE["pages.tif"]())] == [(16, 24, 3), (7, 9, 3)]


def test_mislabelled_files_are_read_by_their_bytes(corpus: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "really-a-png.jpg").write_bytes(corpus.WHOLE["photo.png"]())
    assert (read_picture(tmp_path / "really-a-png.jpg") == np.array(corpus.photo())).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff", ".gif"])
def test_what_is_written_is_read_back(corpus: ModuleType, tmp_path: Path, suffix: str) -> None:
    picture = np.full((9, 11, 3), (200, 40, 90), np.uint8)
    path = write_picture(tmp_path / "new" / f"picture{suffix}", picture)
    assert np.abs(read_picture(path).astype(int) - picture).max() <= 12
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_writing_says_what_is_wrong(tmp_path: Path) -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(UnknownNameError, match=r"\.png"):
        write_picture(tmp_path / "picture.doc", picture)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be written"):
        write_picture(tmp_path / "file" / "picture.png", picture)
    with pytest.raises(ShapeError, match="must be"):
        encode_picture(np.zeros(4, np.uint8))
    with pytest.raises(RangeError, match="quality"):
        encode_picture(picture, suffix=".jpg", quality=900)


def test_headers_say_what_files_claim(corpus: ModuleType) -> None:
    for fmt, options in (("WEBP", {}), ("WEBP", {"lossless": True})):
        assert claimed_size(corpus.encoded(corpus.photo(), fmt, **options)) == (24, 16)
    assert claimed_size(corpus.icon_around(corpus.png_of(12_000, 9, b""))) == (12_000, 9)
    assert count_jpeg_scans(corpus.WHOLE["photo.jpg"]()) == 1
    assert 5 < count_jpeg_scans(corpus.WHOLE["progressive.jpg"]()) < 16


def test_a_picture_is_the_same_from_a_path_bytes_a_file_pillow_or_an_array(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    path = write_picture(tmp_path / "a.png", pixels)
    with path.open("rb") as opened:
        for value in (path, str(path), path.read_bytes(), opened, Image.open(path), Image.fromarray(pixels), pixels):
            assert (as_picture(value) == pixels).all()


def test_a_pillow_image_stands_upright_and_opaque() -> None:
    turned = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    turned.getexif()[274] = 6
    assert as_picture(turned).shape == (3, 2, 3)
    assert as_picture(Image.new("RGBA", (2, 2), (0, 0, 0, 0))).min() == 255


def test_several_pictures_may_be_of_every_kind_and_the_wrong_one_is_named() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    pictures, is_one = as_pictures([pixels, Image.new("L", (3, 3))])
    assert [picture.shape for picture in pictures] == [(2, 2, 3), (3, 3, 3)]
    assert not is_one
    with pytest.raises(RangeError, match="picture 1 of 2: a float picture"):
        as_pictures((pixels, np.full((2, 2), 7.0)))


@pytest.mark.parametrize("value", [None, 3, {"a": 1}, [[1, 2]]])
def test_what_is_no_picture_is_named_by_its_type(value: object) -> None:
    with pytest.raises(DTypeError, match=f"got {type(value).__name__}"):
        as_picture(value)  # type: ignore[arg-type]


def test_an_array_of_another_library_is_taken() -> None:
    class Tensor:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return np.ones((2, 3), np.float32)

    assert as_picture(Tensor()).tolist() == [[[255, 255, 255]] * 3] * 2  # type: ignore[arg-type]
