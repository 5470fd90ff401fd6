"""A frame through shared memory is the frame, in every pixel layout that decoders give."""

import av
import numpy as np
import pytest

from szem.errors import FormatError
from szem.runtime.workers.pixels import SharedFrame, SharedPixels

LAYOUTS = (
    "yuv420p yuvj420p yuv422p yuv444p yuv420p10le yuv444p10le nv12 gray rgb24 bgr24 rgba gbrp yuv410p yuyv422".split()  # noqa: SIM905
)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_frame_comes_through_whole(layout: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)
    given = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=layout)
    ours = SharedPixels()
    theirs = SharedPixels(ours.address)
    try:
        got = ours.read(theirs.write(given))
    finally:
        theirs.close()
        ours.close()
    assert (got.width, got.height, got.color_range) == (70, 50, given.color_range)
    np.testing.assert_array_equal(
        got.reformat(format="rgb24").to_ndarray(), given.reformat(format="rgb24").to_ndarray()
    )


@pytest.mark.parametrize(
    "lie",
    [
        SharedFrame(60000, 60000, "yuv420p", (0, 2, 2, 2)),
        SharedFrame(0, 10, "yuv420p", (0, 2, 2, 2)),
        SharedFrame(10, -10, "yuv420p", (0, 2, 2, 2)),
        SharedFrame(10, 10, "pal8", (0, 2, 2, 2)),
        SharedFrame(10, 10, "nonsense", (0, 2, 2, 2)),
    ],
)
def test_a_worker_that_lies_about_a_frame_is_refused(lie: SharedFrame) -> None:
    pixels = SharedPixels()
    try:
        with pytest.raises(FormatError, match="worker gave a frame"):
            pixels.read(lie)
    finally:
        pixels.close()
