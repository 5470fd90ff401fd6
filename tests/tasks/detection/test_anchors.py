"""Anchor boxes: as many as the network gives numbers, where its places are, moved as it says."""

import numpy as np
import pytest

from szem.tasks.detection.anchors import anchor_boxes, anchor_strides, move_anchors


@pytest.mark.parametrize(("height", "width"), [(320, 320), (288, 384), (224, 384), (64, 96), (32, 32)])
def test_every_level_covers_the_input_evenly(height: int, width: int) -> None:
    anchors, strides = anchor_boxes(height, width), anchor_strides(height, width)
    assert anchors.shape == (len(strides), 4)
    for stride in np.unique(strides):
        middles = anchors[strides == stride, :2]
        np.testing.assert_allclose(middles.mean(0), [height / 2, width / 2], rtol=1e-4)


def test_sizes_do_not_depend_on_the_input() -> None:
    small, large = anchor_boxes(320, 320), anchor_boxes(384, 640)
    assert {tuple(np.round(a, 2)) for a in small[:, 2:]} == {tuple(np.round(a, 2)) for a in large[:, 2:]}


def test_an_encoding_moves_by_tenths_and_grows_by_powers() -> None:
    anchor = np.float32([[50, 60, 20, 40]])  # y, x, height, width
    moved = move_anchors(anchor, np.float32([[5, -10, 5 * np.log(2), 0]]))
    # the middle goes down by half a height to 60 and left by a width to 20; the height doubles to 40
    np.testing.assert_allclose(moved, [[0, 40, 40, 80]], atol=1e-4)
