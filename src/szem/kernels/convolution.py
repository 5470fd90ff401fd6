"""Convolution of a picture with a kernel: the public function. How it is done, plan.py decides."""

import numpy as np
from numpy.typing import NDArray

from szem.kernels.plan import DEFAULT_MODE, plan_convolution
from szem.kernels.text import KernelInput
from szem.media.pictures import PictureLike, as_image

__all__ = ["convolve"]


def convolve(
    picture: PictureLike,
    kernel: KernelInput,
    *,
    stride_px: int = 1,
    dilation: int = 1,
    border: str = "reflect",
    mode: str = DEFAULT_MODE,
) -> NDArray[np.float32]:
    """Filter a picture with a kernel: each output is a weighted sum of the pixels under the kernel.

    With kernel `w`, anchor `a`, stride `s` and dilation `d`, in each channel on its own and along both axes:

        correlation:   out[i] = sum over m of w[m] * picture[s*i + d*(m - a)]
        convolution:   out[i] = sum over m of w[m] * picture[s*i - d*(m - a)]

    Args:
        picture: (H, W) or (H, W, C) of any number type, nested lists, a Pillow image, or what `read_picture` reads.
        kernel: A kernel of any height and width, its text ("sobel-x", "gaussian:2.5", "1 2 1 / 4"), or its weights as
            an array or lists. Its anchor lies on the pixel: by default the centre (kh // 2, kw // 2).
        stride_px: Pixels between outputs, 1 to 2,147,483,647; only what is kept is computed.
        dilation: Pixels between taps (atrous convolution above 1), 1 to 2,147,483,647; an atrous kernel costs about
            what the dense one with as many taps does, also where its taps lie beyond the picture.
        border: What lies outside: "reflect" (d c b | a b c d | c b a, the edge not repeated), "replicate"
            (a a | a b c d | d d), "wrap" (c d | a b c d | a b), "constant" (zeros), or "valid": only places where
            the whole kernel lies inside.
        mode: "correlation", the default here, of `szem filter` and of /v1/szem/filter, lays the kernel on as it is
            written, as every neural network does; "convolution" turns it by half a circle, as mathematics does.
    Returns:
        float32 with the picture's number of axes, in the picture's scale, signed and never clipped:
        (ceil(H / s), ceil(W / s)); for "valid" ceil((H - (kh - 1) * d) / s) and likewise for W. See
        `szem.kernels.view` to look at it.
    Raises:
        DTypeError: the picture or the kernel holds no real numbers.
        ShapeError: the picture has other axes, or is smaller than the kernel under "valid".
        RangeError: stride or dilation outside its range.
        UnknownNameError: no such border, mode or kernel.

    Weights and pixels act as float32. Large kernels go by Fourier when that is cheaper: results then carry a rounding
    error of about 1e-6 of the largest possible sum.

    >>> row = np.array([[1, 2, 4, 8]], np.uint8)
    >>> convolve(row, "-1 0 1").tolist()
    [[0.0, 3.0, 6.0, 0.0]]
    >>> convolve(row, "-1 0 1", mode="convolution", border="constant", stride_px=2).tolist()
    [[-2.0, -6.0]]
    """
    image = as_image(picture)
    plan = plan_convolution(image.shape, kernel, stride_px=stride_px, dilation=dilation, border=border, mode=mode)
    return plan.run(image)
