"""A video in pieces gives the frames of the whole, each once, whatever its container and the order of its frames."""

import io
import math

import av
import numpy as np
import pytest

from szem.media.key_frames import cut_at_key_frames, read_piece
from szem.media.video import read_video


def video(container: str, *, b_frames: int) -> bytes:
    """A hundred frames at 25 Hz, a key frame every twelve."""
    out = io.BytesIO()
    options = {"g": "12", "bf": str(b_frames), "x264-params": "open-gop=1:scenecut=0"}
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        for number in range(100):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 2 * number, 1), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return out.getvalue()


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])  # the last is sought imprecisely
@pytest.mark.parametrize("b_frames", [0, 3])
def test_pieces_hold_the_frames_of_the_whole(container: str, b_frames: int) -> None:
    data = video(container, b_frames=b_frames)
    pieces = cut_at_key_frames(io.BytesIO(data), piece_s=1.0)
    assert len(pieces) == 4
    assert [end for _, end in pieces] == [*(begin for begin, _ in pieces[1:]), math.inf]
    whole = list(read_video(io.BytesIO(data)))
    found = [frame for begin, end in pieces for frame in read_piece(io.BytesIO(data), begin, end)]
    assert [frame.time_s for frame in found] == [frame.time_s for frame in whole]
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_array_equal(one.picture, other.picture)


def test_a_video_with_one_key_frame_is_one_piece() -> None:
    data = video("mp4", b_frames=0)
    assert cut_at_key_frames(io.BytesIO(data), piece_s=10.0) == [(0.0, math.inf)]
