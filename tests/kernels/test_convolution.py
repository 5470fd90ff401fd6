"""`convolve` beside a naive loop, SciPy and torch: every size, stride, dilation, border and type."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from szem.errors import DTypeError, RangeError, ShapeError, UnknownNameError
from szem.kernels import BORDERS, WAYS, Kernel, border_index, convolve, output_size, parse_kernel, plan_convolution

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
        ({"kernel": "sobl-x"}, UnknownNameError, "sobel-x"),  # the nearest name is told
        ({"stride_px": 0}, RangeError, "stride"),
        ({"dilation": 0}, RangeError, "dilation"),
        ({"picture": np.zeros((4, 4), np.int32)}, DTypeError, "uint8 or float32"),
        ({"picture": np.zeros(4, np.uint8)}, ShapeError, "H, W"),
        ({"picture": [[1, 2]]}, DTypeError, "numpy"),
        ({"kernel": 3}, DTypeError, "Kernel"),
    ],
)
def test_a_wrong_argument_is_named(change: dict[str, object], error: type[Exception], match: str) -> None:
    given_: dict[str, object] = {"picture": np.zeros((4, 4), np.uint8), "kernel": "box:3", **change}
    with pytest.raises(error, match=match):
        convolve(**given_)  # type: ignore[arg-type]
