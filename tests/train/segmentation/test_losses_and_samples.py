"""Losses and samples for labels per pixel."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from szem.data.pixels import IGNORED
from szem.tasks.segmentation.mean_iou import class_ious, confusion, mean_iou, pixel_accuracy
from szem.train.sampling import pick
from szem.train.segmentation.augment import Augmentation, cut_sample
from szem.train.segmentation.base import repeat_rare
from szem.train.segmentation.losses import class_weights, pixel_loss, soft_jaccard


def test_weights_average_to_one_over_the_pixels() -> None:
    counts = torch.tensor([100.0, 10.0, 1.0])
    weights = class_weights(counts, power=0.5)
    assert float((weights * counts).sum() / counts.sum()) == pytest.approx(1)
    assert weights[2] > weights[1] > weights[0]
    torch.testing.assert_close(class_weights(counts, power=0.0), torch.ones(3))


def test_soft_jaccard_by_hand() -> None:
    scores = torch.log(torch.tensor([[[[0.5, 0.25]], [[0.5, 0.75]]]]))  # two pixels, two classes
    labels = torch.tensor([[[0, 1]]])
    first, second = 0.5 / (1 + 0.75 - 0.5), 0.75 / (1 + 1.25 - 0.75)
    assert float(soft_jaccard(scores, labels)) == pytest.approx(1 - (first + second) / 2)


def test_ignored_pixels_neither_teach_nor_count() -> None:
    scores = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([[[0, IGNORED], [2, IGNORED]]])
    pixel_loss(scores, labels).backward()
    assert scores.grad is not None
    assert not scores.grad[0, :, :, 1].any()
    assert scores.grad[0, :, :, 0].any()


def test_right_answers_cost_less_than_wrong_ones() -> None:
    labels = torch.tensor([[[0, 1], [1, 0]]])
    right = 5 * F.one_hot(labels, 2).permute(0, 3, 1, 2).float()
    assert float(pixel_loss(right, labels)) < 0.1 < float(pixel_loss(-right, labels))


def test_scores_by_hand() -> None:
    truth = np.array([[0, 0, 1, IGNORED]], np.uint8)
    given = np.array([[0, 1, 1, 2]], np.uint8)
    table = confusion(truth, given, classes=3)
    assert table.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert class_ious(table)[:2].tolist() == [0.5, 0.5]
    assert np.isnan(class_ious(table)[2])
    assert mean_iou(table) == 0.5
    assert pixel_accuracy(table) == pytest.approx(2 / 3)


def test_picture_and_labels_are_cut_alike() -> None:
    label = np.zeros((40, 60), np.uint8)
    label[:, 30:] = 1
    picture = np.repeat(label[..., None] * 200, 3, axis=2)
    change = Augmentation(height_px=32, width_px=32, light=0.0)
    for seed in range(20):
        piece, mask = cut_sample(picture, label, change, np.random.default_rng(seed))
        assert piece.shape == (32, 32, 3)
        counted = mask != IGNORED
        agree = (piece[..., 0] > 100) == (mask == 1)
        assert agree[counted].mean() > 0.95


def test_a_picture_smaller_than_the_piece_is_not_counted_beyond_its_border() -> None:
    change = Augmentation(height_px=64, width_px=64, scale_low=1, scale_high=1, stretch=0, light=0.3)
    piece, mask = cut_sample(
        np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.uint8), change, np.random.default_rng(0)
    )
    assert piece.shape == (64, 64, 3)
    assert (mask == 0).sum() == 20 * 30


def test_an_epoch_shows_everything_once_in_an_order_of_its_own() -> None:
    first = [pick(n, of=9, seed=1)[0] for n in range(9)]
    second = [pick(n, of=9, seed=1)[0] for n in range(9, 18)]
    assert sorted(first) == sorted(second) == list(range(9))
    assert first != second


def test_a_sample_is_the_same_whenever_it_is_asked_for() -> None:
    a, b = (pick(123, of=9, seed=1)[1].random() for _ in range(2))
    assert a == b != pick(124, of=9, seed=1)[1].random()


def test_rare_pictures_come_more_often_up_to_a_limit() -> None:
    has = np.zeros((101, 3), bool)
    has[:100, 1] = True
    has[100, 2] = True
    assert repeat_rare(has, most=4).count(100) == 4
    assert repeat_rare(has, most=1) == list(range(101))
