"""How the shipped detector was made: larger inputs, samples, targets, loss."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.models.finetune_ssd import make_targets, quality_focal_loss
from scripts.models.recentre_ssd import anchor_kinds, pair_ious, shift_biases
from scripts.models.refit_scores import refit_scores
from scripts.models.ssd_drawings import draw_background, draw_vehicles
from scripts.models.ssd_samples import Sample, view
from szem.data.boxes import BoxedPicture
from szem.media.pictures import read_picture
from szem.models.ssd_mobilenet import SsdMobileNet
from szem.tasks.detection.anchors import anchor_boxes, move_anchors
from szem.train.detection.augment import picture_to_input


def sample(box: list[float], *, label: int = 1, is_hard: bool = False) -> Sample:
    picture = np.zeros((384, 384, 3), np.uint8)
    return Sample(picture, np.array([box], np.float64), np.array([label]), np.array([is_hard]))


def test_an_input_of_384_pixels_has_as_many_anchors_as_kinds() -> None:
    kinds = anchor_kinds(384)
    assert len(kinds) == len(anchor_boxes(384, 384))
    assert kinds[[0, 1, 3, -1]].tolist() == [[0, 0], [0, 1], [0, 0], [5, 5]]


def test_recentring_moves_the_boxes_of_coarse_levels_by_pixels_and_leaves_the_fine_ones() -> None:
    net = SsdMobileNet(classes=2).eval()
    picture = torch.zeros(1, 3, 384, 384)
    anchors, kinds = anchor_boxes(384, 384), anchor_kinds(384)
    with torch.no_grad():
        before = move_anchors(anchors, net(picture)[1][0].numpy())
        shift = np.array([20.0, -10.0, 0.0, 0.0])
        shift_biases(net, {(3, 1): shift, (0, 0): shift}, side_px=384)
        after = move_anchors(anchors, net(picture)[1][0].numpy())
    moved = (kinds == (3, 1)).all(1)
    np.testing.assert_allclose(after[moved] - before[moved], [[-10, 20, -10, 20]] * int(moved.sum()), atol=0.01)
    np.testing.assert_array_equal(after[~moved], before[~moved])


def test_an_anchor_that_fits_answers_with_the_encoding_that_gives_the_box() -> None:
    anchors = anchor_boxes(384, 384)
    box = [100.0, 110.0, 170.0, 190.0]
    targets = make_targets(anchors, sample(box), np.array([True, True, False]))
    rows = np.flatnonzero(targets.is_positive)
    assert len(rows) > 0
    np.testing.assert_allclose(move_anchors(anchors[rows], targets.encodings[rows]), [box] * len(rows), atol=0.01)
    assert targets.scores[rows].tolist() == [[0, 1, 0]] * len(rows)
    assert (targets.source[:, 2] == 0).all()  # the third class has no labels here: a teacher shall say
    assert (targets.source[:, 0] == 1).all()


def test_hard_objects_are_neither_taught_nor_punished() -> None:
    anchors = anchor_boxes(384, 384)
    targets = make_targets(anchors, sample([100, 110, 170, 190], is_hard=True), np.array([True, True]))
    assert not targets.is_positive.any()
    assert (targets.source[:, 1] == -1).any()
    assert (targets.source[:, 0] == 1).all()


def test_labels_of_a_set_that_is_not_complete_still_teach() -> None:
    anchors = anchor_boxes(384, 384)
    targets = make_targets(anchors, sample([100, 110, 170, 190]), np.array([False, False]))
    assert (targets.source[targets.is_positive, 1] == 1).all()
    assert (targets.source[:, 0] == 0).all()


def test_the_loss_is_zero_at_the_target_and_grows_away_from_it() -> None:
    counted, wanted = torch.ones(3), torch.tensor([0.2, 0.5, 0.9])
    at = torch.logit(wanted)
    assert float(quality_focal_loss(at, wanted, counted)) == pytest.approx(0, abs=1e-9)
    near, far = (float(quality_focal_loss(at + apart, wanted, counted)) for apart in (0.5, 2.0))
    assert 0 < near < far
    assert float(quality_focal_loss(at + 2, wanted, torch.zeros(3))) == 0


@pytest.mark.parametrize("seed", range(25))
def test_boxes_lie_where_a_view_shows_their_object(seed: int) -> None:
    picture = np.full((120, 160, 3), 40, np.uint8)
    picture[30:90, 50:110] = 250
    one = view(
        picture,
        np.array([[50, 30, 110, 90]], np.float32),
        np.array([7]),
        np.array([False]),
        side_px=192,
        rng=np.random.default_rng(seed),
    )
    assert one.picture.shape == (192, 192, 3)
    assert ((one.boxes_xyxy >= 0) & (one.boxes_xyxy <= 192)).all()
    for x0, y0, x1, y1 in one.boxes_xyxy[~one.is_hard]:
        assert one.picture[round(y0) : round(y1), round(x0) : round(x1)].mean() > 170


@pytest.mark.parametrize("seed", range(12))
def test_drawn_backgrounds_are_the_same_for_the_same_seed_and_no_plain_ground(seed: int) -> None:
    first, second = (draw_background(np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.uint8
    assert first.std() > 2


@pytest.mark.parametrize("seed", range(6))
def test_drawn_vehicles_lie_in_their_boxes(seed: int) -> None:
    picture, boxes = draw_vehicles(np.random.default_rng(seed))
    assert len(boxes)
    assert ((boxes >= 0) & (boxes <= [picture.shape[1], picture.shape[0]] * 2)).all()
    outside = np.ones(picture.shape[:2], bool)
    for x0, y0, x1, y1 in boxes.round().astype(int):
        outside[max(0, y0 - 6) : y1 + 6, max(0, x0 - 6) : x1 + 6] = False
        inside = picture[y0:y1, x0:x1].astype(float)
        if inside.size > 300:
            assert inside.std() > 8  # windows, roof and paint
    assert np.median(np.abs(picture[outside].astype(float) - np.median(picture[outside]))) < 25  # asphalt


def test_refitting_brings_back_the_scores_of_the_chosen_classes_only(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = []
    for n in range(2):
        path = tmp_path / f"{n}.png"
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(path)
        none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, bool)
        pictures.append(BoxedPicture(path, 64, 64, *none))
    torch.manual_seed(0)
    before, net = SsdMobileNet(classes=3).eval(), SsdMobileNet(classes=3).eval()
    net.load_state_dict(before.state_dict())
    with torch.no_grad():
        for head in net.naming:
            head.out.bias += 1.5  # as if every class had become likelier
        x = torch.from_numpy(picture_to_input(read_picture(pictures[0].path)))
        changed = net.forward_raw(x)[0]
        refit_scores(net, before, pictures, [2], side_px=64)
        wanted, found = before.forward_raw(x)[0], net.forward_raw(x)[0]
    assert (found[..., 2] - wanted[..., 2]).abs().max() < 0.3
    torch.testing.assert_close(found[..., :2], changed[..., :2])


def test_overlaps_are_those_worked_out_by_hand() -> None:
    a, b = np.float32([[0, 0, 10, 10]]), np.float32([[5, 0, 15, 10], [20, 20, 30, 30]])
    np.testing.assert_allclose(pair_ious(a, b), [[1 / 3, 0]], atol=1e-6)
