"""Convolution of a picture with a kernel: the public function. How it is done, plan.py decides."""

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, check_image
from szem.kernels.kernel import Kernel
from szem.kernels.plan import plan_convolution

__all__ = ["convolve"]


def convolve(
    picture: Array,
    kernel: Kernel | str,
    *,
    stride_px: int = 1,
    dilation: int = 1,
    border: str = "reflect",
    mode: str = "convolution",
) -> NDArray[np.float32]:
    """Filter a picture with a kernel: each output is a weighted sum of the pixels under the kernel.

    With kernel `w`, anchor `a`, stride `s` and dilation `d`, in each channel on its own and along both axes:

        correlation:   out[i] = sum over m of w[m] * picture[s*i + d*(m - a)]
        convolution:   out[i] = sum over m of w[m] * picture[s*i - d*(m - a)]

    Args:
        picture: (H, W) or (H, W, C), uint8 or float32.
        kernel: A kernel of any height and width, or its text ("sobel-x", "gaussian:2.5", "1 2 1 / 4"). Its anchor
            lies on the pixel: by default the centre (kh // 2, kw // 2).
        stride_px: Pixels between outputs; only what is kept is computed.
        dilation: Pixels between taps (atrous convolution above 1); an atrous kernel costs about what the dense
            one with as many taps does.
        border: What lies outside: "reflect" (d c b | a b c d | c b a, the edge not repeated), "replicate"
            (a a | a b c d | d d), "wrap" (c d | a b c d | a b), "constant" (zeros), or "valid": only places where
            the whole kernel lies inside.
        mode: "convolution" turns the kernel by half a circle, "correlation" lays it on as it is written.
    Returns:
        float32 with the picture's number of axes, in the picture's scale, signed and never clipped:
        (ceil(H / s), ceil(W / s)); for "valid" ceil((H - (kh - 1) * d) / s) and likewise for W. See
        `szem.kernels.view` to look at it.
    Raises:
        DTypeError: the picture is no uint8 or float32 array, or the kernel no Kernel or text.
        ShapeError: the picture has other axes, or is smaller than the kernel under "valid".
        RangeError: stride or dilation below 1.
        UnknownNameError: no such border, mode or kernel.

    Weights act as float32. Large kernels go by Fourier when that is cheaper: results then carry a rounding error of
    about 1e-6 of the largest possible sum.

    >>> row = np.array([[1, 2, 4, 8]], np.uint8)
    >>> convolve(row, "-1 0 1", mode="correlation").tolist()
    [[0.0, 3.0, 6.0, 0.0]]
    >>> convolve(row, "-1 0 1", mode="convolution", border="constant", stride_px=2).tolist()
    [[-2.0, -6.0]]
    """
    image = check_image(picture)
    plan = plan_convolution(image.shape, kernel, stride_px=stride_px, dilation=dilation, border=border, mode=mode)
    return plan.run(image)
