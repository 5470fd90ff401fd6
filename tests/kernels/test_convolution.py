"""`convolve` beside a naive loop, SciPy and torch: every size, stride, dilation, border and type."""

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from szem.errors import DTypeError, RangeError, ShapeError, UnknownNameError
from szem.kernels import (
    BORDERS,
    WAYS,
    Kernel,
    border_index,
    convolve,
    max_pool,
    output_size,
    parse_kernel,
    plan_convolution,
)
from szem.kernels.inplace import InPlace

SCIPY = {"reflect": "mirror", "replicate": "nearest", "wrap": "wrap", "constant": "constant"}
TORCH = {"reflect": "reflect", "replicate": "replicate", "wrap": "circular", "constant": "constant"}


def naive(
    image: NDArray[np.generic], kernel: Kernel, *, stride: int, dilation: int, border: str, mode: str
) -> NDArray[np.float64]:
    """The definition, one product after the other."""
    planes = image.astype(np.float64).reshape(*image.shape[:2], -1)
    H, W, C = planes.shape
    (kh, kw), (row, column) = kernel.shape, kernel.anchor
    sign = 1 if mode == "correlation" else -1
    if border == "valid":
        starts = [dilation * (a if sign > 0 else k - 1 - a) for a, k in ((row, kh), (column, kw))]
    else:
        starts = [0, 0]
    rows, columns = output_size((H, W), (kh, kw), stride_px=stride, dilation=dilation, border=border)
    out = np.zeros((rows, columns, C))
    for i, j, m, n in itertools.product(range(rows), range(columns), range(kh), range(kw)):
        y = starts[0] + stride * i + sign * dilation * (m - row)
        x = starts[1] + stride * j + sign * dilation * (n - column)
        if border != "valid":
            y, x = (int(border_index(np.array([at]), size, border)[0]) for at, size in ((y, H), (x, W)))  # type: ignore[arg-type]
        if y >= 0 and x >= 0:
            out[i, j] += float(kernel.weights[m, n]) * planes[y, x]
    return out.reshape(rows, columns, *image.shape[2:])


@st.composite
def cases(draw: st.DrawFn) -> tuple[NDArray[np.generic], Kernel, dict[str, object]]:
    side = st.integers(1, 9)
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    shape = (draw(side), draw(side), *draw(st.sampled_from([(), (1,), (2,), (3,), (5,)])))
    kh, kw = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    if draw(st.booleans()):
        image = rng.integers(0, 256, shape, dtype=np.uint8)
    else:
        image = rng.normal(0, 50, shape).astype(np.float32)
    weights = rng.integers(-4, 5, (kh, kw)).astype(np.float64)
    if draw(st.booleans()):  # separable ones take other ways through the planner
        weights = np.outer(rng.integers(-3, 4, kh), rng.integers(-3, 4, kw)).astype(np.float64)
    options: dict[str, object] = {
        "stride": draw(st.integers(1, 4)),
        "dilation": draw(st.integers(1, 4)),
        "border": draw(st.sampled_from(BORDERS)),
        "mode": draw(st.sampled_from(["convolution", "correlation"])),
    }
    anchor = (draw(st.integers(0, kh - 1)), draw(st.integers(0, kw - 1)))
    return image, Kernel(weights, anchor=anchor), options


@settings(max_examples=250, deadline=None)
@given(cases())
def test_convolve_is_the_naive_loop(case: tuple[NDArray[np.generic], Kernel, dict[str, object]]) -> None:
    image, kernel, options = case
    call = {"stride_px": options["stride"], "dilation": options["dilation"]}
    call |= {"border": options["border"], "mode": options["mode"]}
    spans = [(k - 1) * int(options["dilation"]) + 1 for k in kernel.shape]  # type: ignore[call-overload]
    if options["border"] == "valid" and (spans[0] > image.shape[0] or spans[1] > image.shape[1]):
        with pytest.raises(ShapeError, match="valid"):
            convolve(image, kernel, **call)  # type: ignore[arg-type]
        return
    found = convolve(image, kernel, **call)  # type: ignore[arg-type]
    wanted = naive(image, kernel, **options)  # type: ignore[arg-type]
    assert found.dtype == np.float32
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-3)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_same_numbers(way: str) -> None:
    rng = np.random.default_rng(1)
    kernel = parse_kernel("box:7") if way == "box" else parse_kernel("gaussian:2")
    for dtype, stride, dilation, border in itertools.product((np.uint8, np.float32), (1, 2, 3), (1, 3), BORDERS):
        image = rng.integers(0, 256, (70, 91, 3)).astype(dtype)
        options = {"stride_px": stride, "dilation": dilation, "border": border}
        plan = plan_convolution(image.shape, kernel, way=way, **options)  # type: ignore[arg-type]
        assert plan.way == way
        wanted = plan_convolution(image.shape, kernel, way="direct", **options).run(image)  # type: ignore[arg-type]
        np.testing.assert_allclose(plan.run(image), wanted, rtol=1e-4, atol=2e-2)


@pytest.mark.parametrize("border", list(SCIPY))
@pytest.mark.parametrize("size", [3, 5, 8, 15, 31])
def test_convolve_agrees_with_scipy_on_larger_pictures(border: str, size: int) -> None:
    rng = np.random.default_rng(size)
    image, weights = rng.random((97, 130)).astype(np.float32), rng.normal(size=(size, size))
    found = convolve(image, Kernel(weights), border=border, mode="correlation")
    wanted = ndimage.correlate(image.astype(np.float64), weights, mode=SCIPY[border])
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=2e-4)


@pytest.mark.train
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 4), (3, 2), (2, 8)])
@pytest.mark.parametrize("border", list(TORCH))
def test_convolve_agrees_with_torch(border: str, stride: int, dilation: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(stride)
    image, weights = rng.random((64, 80, 3)).astype(np.float32), rng.normal(size=(5, 5)).astype(np.float32)
    planes = torch.from_numpy(image).permute(2, 0, 1)[:, None]  # (3, 1, H, W)
    reach = 2 * dilation
    padded = torch.nn.functional.pad(planes, (reach,) * 4, mode=TORCH[border])
    wanted = torch.nn.functional.conv2d(
        padded, torch.from_numpy(weights)[None, None], stride=stride, dilation=dilation
    )
    found = convolve(image, Kernel(weights), stride_px=stride, dilation=dilation, border=border, mode="correlation")
    np.testing.assert_allclose(found, wanted[:, 0].permute(1, 2, 0).numpy(), rtol=1e-4, atol=1e-4)


@st.composite
def far_cases(draw: st.DrawFn) -> tuple[NDArray[np.float32], Kernel, dict[str, object]]:
    """Dilations and strides far beyond the picture."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    shape = (draw(st.integers(1, 7)), draw(st.integers(1, 7)), *draw(st.sampled_from([(), (3,)])))
    kh, kw = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    weights = rng.integers(-4, 5, (kh, kw)).astype(np.float64)
    if draw(st.booleans()):
        weights = np.outer(rng.integers(-3, 4, kh), rng.integers(-3, 4, kw)).astype(np.float64)
    options: dict[str, object] = {
        "stride": draw(st.sampled_from([1, 2, 3, 100, 2**31 - 1])),
        "dilation": draw(st.one_of(st.integers(4, 40), st.sampled_from([100_000, 50_000_000, 2**31 - 1]))),
        "border": draw(st.sampled_from(["reflect", "replicate", "wrap", "constant"])),
        "mode": draw(st.sampled_from(["convolution", "correlation"])),
    }
    anchor = (draw(st.integers(0, kh - 1)), draw(st.integers(0, kw - 1)))
    return rng.normal(0, 50, shape).astype(np.float32), Kernel(weights, anchor=anchor), options


@settings(max_examples=200, deadline=None)
@given(far_cases())
def test_taps_beyond_the_picture_read_what_the_border_says(
    case: tuple[NDArray[np.float32], Kernel, dict[str, object]],
) -> None:
    image, kernel, options = case
    call = {"stride_px": options["stride"], "dilation": options["dilation"]}
    call |= {"border": options["border"], "mode": options["mode"]}
    wanted = naive(image, kernel, **options)  # type: ignore[arg-type]
    np.testing.assert_allclose(convolve(image, kernel, **call), wanted, rtol=1e-5, atol=2e-3)  # type: ignore[arg-type]
    plan = plan_convolution(image.shape, kernel, **call)  # type: ignore[arg-type]
    for option in plan.options:  # those that were not chosen too
        if not isinstance(option.runner, InPlace):  # it computes what the stride drops
            found = option.runner.run(image.reshape(plan.shape)).reshape(wanted.shape)
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=5e-3)


@pytest.mark.parametrize("dilation", [1_000, 100_000, 50_000_000, 2**31 - 1])
def test_memory_and_cost_do_not_grow_with_the_dilation(dilation: int) -> None:
    image = np.random.default_rng(0).random((60, 91, 3)).astype(np.float32)
    for border in ("reflect", "replicate", "wrap", "constant"):
        near = plan_convolution(image.shape, "sharpen", dilation=200, border=border)
        far = plan_convolution(image.shape, "sharpen", dilation=dilation, border=border)
        assert far.cost_ms <= 2 * near.cost_ms
        tracemalloc.start()
        far.run(image)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 12 * image.nbytes
    with pytest.raises(ShapeError, match="valid"):
        convolve(image, "sharpen", dilation=dilation, border="valid")


def test_a_kernel_with_many_taps_beyond_the_picture_is_folded_to_few() -> None:
    image = np.random.default_rng(0).random((40, 50)).astype(np.float32)
    kernel = Kernel(np.random.default_rng(1).normal(size=(201, 203)))
    found = convolve(image, kernel, dilation=99_991, border="wrap")
    row, column = ((99_991 * (np.arange(n) - n // 2)) % size for n, size in ((201, 40), (203, 50)))
    folded = np.zeros((40, 50))
    np.add.at(folded, np.ix_(row, column), kernel.weights)
    spectrum = np.fft.fft2(image) * np.conj(np.fft.fft2(folded))
    np.testing.assert_allclose(found, np.fft.ifft2(spectrum).real, atol=1e-3)
    assert "folded back" in plan_convolution(image.shape, kernel, dilation=99_991).explain()


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint16, np.int32, np.int64, np.bool_])
def test_every_number_type_gives_what_float32_gives(dtype: type) -> None:
    image = np.random.default_rng(0).integers(0, 2 if dtype is np.bool_ else 200, (9, 11)).astype(dtype)
    wanted = convolve(image.astype(np.float32), "sharpen")
    np.testing.assert_allclose(convolve(image, "sharpen"), wanted, atol=1e-3)
    assert convolve(image.tolist(), "sharpen").tolist() == wanted.tolist()
    assert max_pool(image, 2).tolist() == image.astype(np.float32)[:8, :10].reshape(4, 2, 5, 2).max((1, 3)).tolist()


def test_a_picture_may_be_a_path_its_bytes_or_a_pillow_image(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    wanted = convolve(pixels, "sobel-x")
    path = tmp_path / "a.png"
    for picture in (path, str(path), path.read_bytes(), Image.fromarray(pixels)):
        assert (convolve(picture, "sobel-x") == wanted).all()
    assert convolve(Image.fromarray(pixels[..., 0]), "sobel-x").shape == (8, 9)  # grey stays grey


def test_a_kernel_may_be_an_array_or_lists() -> None:
    image = np.arange(20, dtype=np.float32).reshape(4, 5)
    wanted = convolve(image, Kernel([[0, 1], [1, 0]]))
    for weights in ([[0, 1], [1, 0]], ((0, 1), (1, 0)), np.array([[0, 1], [1, 0]])):
        assert (convolve(image, weights) == wanted).all()


def test_a_kernel_is_laid_on_as_it_is_written_unless_said_otherwise() -> None:
    step = np.array([[0, 0, 9, 9]] * 3, np.uint8)
    assert convolve(step, "sobel-x")[1, 1] == 36  # brighter to the right is positive
    assert convolve(step, "sobel-x", mode="convolution")[1, 1] == -36


def test_convolution_turns_the_kernel_and_correlation_does_not() -> None:
    dot = np.zeros((5, 5), np.float32)
    dot[2, 2] = 1
    kernel = Kernel(np.arange(9, dtype=np.float64).reshape(3, 3))
    assert convolve(dot, kernel, mode="convolution")[1:4, 1:4].tolist() == kernel.weights.tolist()
    assert convolve(dot, kernel, mode="correlation")[1:4, 1:4].tolist() == kernel.weights[::-1, ::-1].tolist()


def test_results_are_signed_and_never_clipped() -> None:
    image = np.array([[0, 255, 0]], np.uint8)
    assert convolve(image, "-3 0 3", mode="correlation", border="constant").tolist() == [[765.0, 0.0, -765.0]]


@pytest.mark.parametrize("name", ["sobel-x", "laplacian", "outline", "prewitt-ne", "scharr-s"])
def test_edge_kernels_give_zero_on_constant_areas(name: str) -> None:
    flat = np.full((20, 20), 137, np.uint8)
    assert not convolve(flat, name).any()


def test_a_picture_of_one_pixel_is_filtered_under_every_border() -> None:
    for border in ("reflect", "replicate", "wrap"):
        assert convolve(np.full((1, 1), 9, np.uint8), "box:5", border=border).item() == pytest.approx(9)
    assert convolve(np.full((1, 1), 9, np.uint8), "box:3", border="constant").item() == pytest.approx(1)


def test_the_picture_is_left_as_it_was() -> None:
    image = np.random.default_rng(0).random((40, 40)).astype(np.float32)
    before = image.copy()
    convolve(image, "gaussian:3", dilation=2)
    assert (image == before).all()


def test_slices_and_other_memory_orders_give_the_same() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    wanted = convolve(np.ascontiguousarray(image[::-2, 5:65:3]), "sobel-y", dilation=2)
    assert (convolve(image[::-2, 5:65:3], "sobel-y", dilation=2) == wanted).all()


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"border": "mirror"}, UnknownNameError, "reflect"),  # SciPy's word for it
        ({"mode": "convolve"}, UnknownNameError, "correlation"),
        ({"kernel": "sobl-x"}, UnknownNameError, "sobel-x"),  # the nearest name is reported
        ({"stride_px": 0}, RangeError, "stride"),
        ({"dilation": 0}, RangeError, "dilation"),
        ({"stride_px": 2**31}, RangeError, "stride_px must be a whole number in 1..2147483647"),
        ({"dilation": 2**31}, RangeError, "dilation must be a whole number in 1..2147483647"),
        ({"dilation": 10**30}, RangeError, "dilation"),
        ({"dilation": 2.5}, RangeError, "dilation"),
        ({"picture": np.zeros((4, 4), np.complex64)}, DTypeError, "np.abs"),
        ({"picture": np.zeros(4, np.uint8)}, ShapeError, "H, W"),
        ({"picture": [[1, 2], [3]]}, ShapeError, "one length"),
        ({"picture": np.ma.masked_equal(np.eye(4), 0)}, DTypeError, "filled"),
        ({"kernel": 3}, DTypeError, "Kernel"),
        ({"kernel": [["a"]]}, DTypeError, "real numbers"),
    ],
)
def test_a_wrong_argument_is_named(change: dict[str, object], error: type[Exception], match: str) -> None:
    given_: dict[str, object] = {"picture": np.zeros((4, 4), np.uint8), "kernel": "box:3", **change}
    with pytest.raises(error, match=match):
        convolve(**given_)  # type: ignore[arg-type]
