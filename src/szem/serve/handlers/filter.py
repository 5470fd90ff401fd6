"""Kernels over HTTP: a picture and a kernel in, a PNG file out. Knows nothing of HTTP itself."""

from dataclasses import dataclass

from szem.arrays import Picture8
from szem.errors import RangeError
from szem.kernels import DEFAULT_MODE, parse_kernel, plan_convolution, view
from szem.kernels.plan import MAX_STEP
from szem.media.pictures import encode_picture
from szem.serve.messages import Image
from szem.tasks.option import option

__all__ = ["LARGEST_KERNEL", "FilterRequest", "filter_picture"]

_MOST_FILTER_MS = 20_000.0  # of estimated time on one core
LARGEST_KERNEL = 255  # taps on a side: more keeps a thread busy for too long
_LONGEST_KERNEL = 24 * LARGEST_KERNEL**2  # letters: each weight with all its digits


@dataclass(frozen=True, kw_only=True)
class FilterRequest:
    """A picture and a kernel: a name ("sobel-x", "gaussian:2.5") or weights ("0 -1 0; -1 5 -1; 0 -1 0").

    Without a view the result is shown as `szem filter` shows it: by size for kernels whose weights sum to 0, else
    clipped to 0..255.
    """

    image: Image | None = None
    kernel: str = option("identity", most=_LONGEST_KERNEL)
    stride: int = option(1, minimum=1, maximum=MAX_STEP)
    dilation: int = option(1, minimum=1, maximum=MAX_STEP)  # taps beyond the picture fold: no size costs more
    border: str = option("reflect", most=40)
    mode: str = option(DEFAULT_MODE, most=40)
    view: str = option("", most=40)


def filter_picture(picture: Picture8, request: FilterRequest) -> bytes:
    """Apply a kernel; the result as a PNG file.

    Raises:
        UnknownNameError, RangeError, ShapeError: the kernel or an option is wrong.
    """

    kernel = parse_kernel(request.kernel)
    if max(kernel.shape) > LARGEST_KERNEL:
        raise RangeError(
            f"a kernel for the server has at most {LARGEST_KERNEL} taps on a side, got {kernel.shape}; "
            "use szem.convolve"
        )
    plan = plan_convolution(
        picture.shape,
        kernel,
        stride_px=request.stride,
        dilation=request.dilation,
        border=request.border,
        mode=request.mode,
    )
    if plan.cost_ms > _MOST_FILTER_MS:  # known before a pixel is computed
        raise RangeError(
            f"the server spends at most {_MOST_FILTER_MS / 1000:g} s on a picture, this would take about "
            f"{plan.cost_ms / 1000:.0f} s; use a smaller picture or kernel, or szem.convolve"
        )
    return encode_picture(view(plan.run(picture), how=request.view, kernel=kernel))
