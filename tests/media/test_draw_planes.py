"""Drawing on a film's planes looks like drawing on the picture, and touches nothing else."""

import av
import numpy as np
import pytest

from szem.errors import ShapeError
from szem.media.draw_planes import LabelledBox, draw_boxes_on, draw_path_on, to_yuv
from szem.media.drawing import draw_boxes
from szem.media.frames import Frame, Planes


def planes_of(picture: np.ndarray) -> Planes:
    return Frame(0, 0.0, av.VideoFrame.from_ndarray(picture, format="rgb24")).planes()


def street() -> np.ndarray:
    y, x = np.mgrid[:240, :320]
    return np.stack([x * 255 // 320, y * 255 // 240, np.full_like(x, 90)], -1).astype(np.uint8)


@pytest.mark.parametrize("rgb", [(86, 180, 233), (230, 159, 0), (255, 255, 255), (0, 0, 0), (12, 200, 40)])
def test_colours_are_those_of_the_converter(rgb: tuple[int, int, int]) -> None:
    planes = planes_of(np.full((16, 16, 3), rgb, np.uint8))
    got = (int(planes.luma[8, 8]), int(planes.chroma[0][4, 4]), int(planes.chroma[1][4, 4]))
    assert np.abs(np.array(got) - to_yuv(rgb)).max() <= 2


def test_boxes_look_as_those_on_pictures() -> None:
    picture = street()
    boxes = [
        ((40.0, 60.0, 140.0, 200.0), "car 1", (86, 180, 233)),
        ((150.0, 10.0, 300.0, 120.0), "bus 2", (230, 159, 0)),
    ]
    expected = draw_boxes(
        picture, np.array([b[0] for b in boxes]), labels=[b[1] for b in boxes], colors=[b[2] for b in boxes]
    )
    planes = planes_of(picture)
    draw_boxes_on(planes, [LabelledBox(*box) for box in boxes], taken=[])
    drawn = planes.to_rgb()
    plain = planes_of(picture).to_rgb()
    difference = np.abs(drawn.astype(int) - expected).mean(2)
    assert difference.mean() < 4  # colour planes of half the size blur edges
    changed, wanted = (np.abs(a.astype(int) - b).max(2) > 40 for a, b in ((drawn, plain), (expected, picture)))
    assert (changed & wanted).sum() > 0.75 * wanted.sum()
    far = np.ones(changed.shape, bool)
    for (x0, y0, x1, y1), _, _ in boxes:
        far[max(0, int(y0) - 30) : int(y1) + 4, max(0, int(x0) - 4) : int(x1) + 4] = False
    assert not changed[far].any()


def test_boxes_at_and_beyond_the_edge_do_no_harm() -> None:
    planes = planes_of(street())
    rows = [
        (-50.0, -50.0, 400.0, 300.0),
        (310.0, 230.0, 330.0, 260.0),
        (-9.0, 10.0, -2.0, 20.0),
        (5.0, 5.0, 5.5, 5.5),
    ]
    draw_boxes_on(planes, [LabelledBox(row, "a long label " * 9, (1, 2, 3)) for row in rows], taken=[])
    draw_path_on(planes, np.array([[-100, -100], [500, 400]]), (255, 196, 0))
    assert planes.data.shape == (360, 320)


def test_a_path_is_drawn_where_it_goes() -> None:
    planes = planes_of(np.full((100, 100, 3), 20, np.uint8))
    draw_path_on(planes, np.array([[10, 50], [90, 50]]), (255, 255, 255))
    bright = planes.luma > 120
    assert bright[49:52, 12:88].any(0).all()
    assert not bright[:45].any()
    assert not bright[55:].any()


def test_planes_have_even_sides() -> None:
    with pytest.raises(ShapeError, match="even sides"):
        Planes(np.zeros((15, 9), np.uint8))
