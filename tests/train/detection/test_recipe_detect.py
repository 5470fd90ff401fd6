"""What a detector is taught: who answers for what, kept views and their boxes, calibration, where it begins."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from szem.data.boxes import BoxedPicture
from szem.errors import TrainError
from szem.media.samples import read_sample
from szem.models.ssd_mobilenet import SsdMobileNet
from szem.results.boxes import Boxes
from szem.runtime.sessions import OnnxFile, Session
from szem.runtime.store import Model
from szem.tasks.detection.decoders import grid_points
from szem.tasks.detection.detect import Detector
from szem.tasks.models import default_model
from szem.train.detection.augment import CELL_PX, PictureViews, list_views
from szem.train.detection.begin import begin_with
from szem.train.detection.calibrate import class_thresholds, fit_calibration, precise_threshold
from szem.train.detection.feature_cache import JoinedMaps, open_maps, write_maps
from szem.train.detection.loss import Unlabelled, assign, detect_loss, generalised_iou, pair_ious
from szem.train.detection.recipe_detect import DetectSettings, build_recipe
from szem.train.loop import train
from szem.train.recipe import Loop
from szem.train.release import export_run

POINTS = torch.from_numpy(grid_points(64, 96)[0])  # 96 + 24 + 6 places


def boxes_of(distances: torch.Tensor) -> torch.Tensor:
    return torch.cat([POINTS - distances[..., :2], POINTS + distances[..., 2:]], -1)


def true_distances(box: list[float]) -> torch.Tensor:
    corners = torch.tensor(box)
    return torch.cat([POINTS - corners[:2], corners[2:] - POINTS], 1)


def test_overlaps_are_those_worked_out_by_hand() -> None:
    a, b = torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[4.0, 0, 6, 2]])
    assert pair_ious(a, b).item() == 0
    assert generalised_iou(a, b).item() == pytest.approx(-4 / 12)  # the hull is 6×2, 4 of it covered by neither
    assert generalised_iou(a, a).item() == pytest.approx(1)


def test_places_inside_that_fit_best_answer_and_learn_how_well() -> None:
    box = [16.0, 8.0, 56.0, 40.0]
    scores = torch.full((1, 126, 3), 0.1)
    boxes = boxes_of(torch.full((1, 126, 4), 16.0))  # all guess 32×32 about themselves
    targets = assign(scores, boxes, POINTS, torch.tensor([[box]]), torch.tensor([[1]]), torch.tensor([[False]]))
    answering = POINTS[targets.answers[0]]
    assert len(answering) == 10
    assert (answering > torch.tensor(box[:2])).all()
    assert (answering < torch.tensor(box[2:])).all()
    assert targets.scores[..., [0, 2]].sum() == 0
    best = pair_ious(boxes[0], torch.tensor(box)).max()
    assert targets.scores.max() == pytest.approx(float(best))
    assert targets.counted.all()


def test_nothing_is_trained_or_punished_on_difficult_objects_and_only_for_their_class() -> None:
    box = torch.tensor([[[16.0, 8.0, 56.0, 40.0]]])
    scores = torch.full((1, 126, 3), 0.1)
    boxes = boxes_of(torch.full((1, 126, 4), 16.0))
    targets = assign(scores, boxes, POINTS, box, torch.tensor([[1]]), torch.tensor([[True]]))
    inside = ((box[0, 0, :2] < POINTS) & (box[0, 0, 2:] > POINTS)).all(1)
    assert not targets.answers.any()
    assert targets.scores.sum() == 0
    assert (targets.counted[0, :, 1] == ~inside).all()
    assert targets.counted[..., [0, 2]].all()


def test_a_place_in_two_objects_answers_for_the_one_it_overlaps_more() -> None:
    truth = torch.tensor([[[0.0, 0, 96, 64], [32, 16, 64, 48]]])
    boxes = boxes_of(torch.full((1, 126, 4), 16.0))
    targets = assign(
        torch.full((1, 126, 2), 0.1),
        boxes,
        POINTS,
        truth,
        torch.tensor([[0, 1]]),
        torch.zeros(1, 2, dtype=torch.bool),
    )
    middle = int(((POINTS - torch.tensor([48.0, 32.0])) ** 2).sum(1).argmin())
    assert targets.scores[0, middle, 1] > 0
    assert targets.scores[0, middle, 0] == 0


def test_right_answers_cost_less_than_wrong_ones_and_none_is_fine() -> None:
    box = [16.0, 8.0, 56.0, 40.0]
    truth, labels = torch.tensor([[box]]), torch.tensor([[1]])
    none = torch.zeros(1, 1, dtype=torch.bool)
    inside = ((truth[0, 0, :2] < POINTS) & (truth[0, 0, 2:] > POINTS)).all(1)
    right = torch.full((1, 126, 3), -6.0)
    right[0, inside, 1] = 4.0
    good = detect_loss(right, boxes_of(true_distances(box)[None]), POINTS, truth, labels, none)
    bad = detect_loss(-right, boxes_of(torch.full((1, 126, 4), 3.0)), POINTS, truth, labels, none)
    assert float(good) < 0.2 * float(bad)
    empty = torch.full((1, 126, 3), -9.0, requires_grad=True)
    loss = detect_loss(empty, boxes_of(torch.full((1, 126, 4), 3.0)), POINTS, truth * 0, torch.tensor([[-1]]), none)
    loss.backward()
    assert torch.isfinite(loss)


def boxed(tmp_path: Path, number: int) -> BoxedPicture:
    """A grey picture with a bright square, and its box."""
    picture = np.full((64, 96, 3), 90, np.uint8)
    x, y = 8 + 16 * number, 16
    picture[y : y + 24, x : x + 24] = 250
    path = tmp_path / f"{number}.png"
    Image.fromarray(picture).save(path)
    box = np.array([[x, y, x + 24, y + 24]], np.float32)
    return BoxedPicture(path, 96, 64, box, np.array([number]), np.array([False]))


@pytest.fixture
def views(tmp_path: Path) -> PictureViews:
    """Views whose kept maps are the brightness of the cells: where the square is, they show."""
    pictures = [boxed(tmp_path, n) for n in range(4)]
    listed = list_views(pictures, (64, 96, 128), seed=0)
    maps = []
    for view in listed:
        x0, y0, x1, y1 = pictures[view.picture].boxes_xyxy[0]
        cells = np.zeros((view.rows, view.columns, 1), np.float32)
        fine = np.zeros((64, 96), np.float32)
        fine[int(y0) : int(y1), int(x0) : int(x1)] = 1
        if view.is_flipped:
            fine = fine[:, ::-1]
        rows = np.arange(view.rows * 8) * 64 // (view.rows * 8)
        columns = np.arange(view.columns * 8) * 96 // (view.columns * 8)
        cells[..., 0] = fine[rows][:, columns].reshape(view.rows, 8, view.columns, 8).mean((1, 3))
        maps.append(cells)
    maps.append(np.full((8, 8, 1), -1, np.float32))
    kept = write_maps(tmp_path / "kept", maps, about={"of": "test"})
    return PictureViews(pictures, listed, kept, per_picture=3)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("way", ["single", "mosaic"])
def test_boxes_lie_where_the_maps_show_their_object(views: PictureViews, way: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    if way == "single":
        piece = views.single(1, 10, 14, rng)
    else:
        piece = views.mosaic([0, 1, 2, 3], 14, 18, rng)
    shown = np.repeat(np.repeat(piece.maps[..., 0].astype(np.float32), CELL_PX, 0), CELL_PX, 1)
    for (x0, y0, x1, y1), is_hard in zip(piece.boxes_xyxy, piece.is_hard, strict=True):
        if not is_hard and min(x1 - x0, y1 - y0) > 12:
            inside = shown[round(y0) : round(y1), round(x0) : round(x1)]
            assert inside.mean() > 0.5
    if way == "single" and len(piece.labels):
        assert piece.labels.tolist() == [1]
    assert shown.min() >= -1


def test_kept_maps_are_those_of_the_same_data_only(tmp_path: Path) -> None:
    maps = [np.full((2, 3, 4), n, np.float32) for n in range(3)]
    kept = write_maps(tmp_path / "a", maps, about={"seed": 1})
    assert len(kept) == 3
    assert (kept[1] == 1).all()
    assert open_maps(tmp_path / "a", about={"seed": 2}) is None
    assert open_maps(tmp_path / "b", about={"seed": 1}) is None
    joined = JoinedMaps([kept, write_maps(tmp_path / "b", maps[:2], about={})])
    assert [int(joined[n][0, 0, 0]) for n in range(len(joined))] == [0, 1, 0, 2]  # without the empty ones, but one
    with pytest.raises(TrainError, match="no pictures"):
        write_maps(tmp_path / "c", [], about={})


def test_calibration_finds_what_scores_are_worth() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.03, 0.99, 20000).astype(np.float32)
    probability = 1 / (1 + np.exp(-(0.6 * np.log(scores) - 1.4 * np.log1p(-scores) + 0.5)))
    fitted = fit_calibration(scores, rng.random(20000) < probability)
    assert np.abs(fitted.apply(scores) - probability).max() < 0.03
    with pytest.raises(TrainError, match="20 boxes"):
        fit_calibration(scores[:5], np.ones(5, bool))


def test_calibration_keeps_the_order_even_where_better_scores_are_worse() -> None:
    scores = np.linspace(0.1, 0.9, 100, dtype=np.float32)
    fitted = fit_calibration(scores, scores < 0.5)
    assert (np.diff(fitted.apply(scores)) >= 0).all()


def test_the_threshold_is_where_enough_boxes_are_right(tmp_path: Path) -> None:
    truth = [
        BoxedPicture(tmp_path, 50, 50, np.float32([[5, 5, 25, 25]]), np.array([n % 2]), np.array([False]))
        for n in range(200)
    ]
    found = [
        Boxes(
            boxes_xyxy=np.float32([[5, 5, 25, 25], [26, 26, 49, 49]]),
            scores=np.float32(
                [0.6, 0.35] if n % 2 else [0.4, 0.21]
            ),  # class 1 is surer of all, also of what is wrong
            indices=np.array([n % 2, n % 2]),
            classes=("a", "b"),
            width=50,
            height=50,
            model="m",
        )
        for n in range(200)
    ]
    # from 0.36 on 200 boxes of 200 are right, from 0.35 on 200 of 300, from 0.21 on 200 of 400
    assert precise_threshold(found, truth, classes=2) == pytest.approx(0.36, abs=0.011)
    assert precise_threshold(found, truth, classes=2, precision=0.6) == pytest.approx(0.22, abs=0.011)
    never = [replace(picture, labels=1 - picture.labels) for picture in truth]
    assert precise_threshold(found, never, classes=2) == pytest.approx(0.1)
    # at 0.3 all boxes of the first class are right, but half of the second's; and three of six are no evidence
    assert class_thresholds(found, truth, threshold=0.3, classes=2) == pytest.approx((0.3, 0.36), abs=0.011)
    assert class_thresholds(found[:7], truth[:7], threshold=0.3, classes=2) == (0.3, 0.3)


@pytest.mark.slow
def test_the_shipped_detector_can_be_gone_on_from_also_with_classes_of_ones_own() -> None:
    picture = cv2.resize(read_sample("cat"), (320, 224)).astype(np.float32).transpose(2, 0, 1)[None]
    inputs = torch.from_numpy((picture - 127) / 128)
    model = default_model("detect")
    shipped = OnnxFile(model.file()).run({"picture": inputs.numpy()}, ["scores", "encodings"])
    classes = ("lamp post", "cat", "aeroplane")
    net = SsdMobileNet(classes=3).eval()
    begin_with(net, "shipped", classes=classes)
    with torch.no_grad():
        scores, encodings = net(inputs)
    assert np.abs(encodings.numpy() - shipped[1]).max() < 2e-2
    for place, name in ((1, "cat"), (2, "airplane")):
        assert np.abs(scores[..., place].numpy() - shipped[0][..., model.labels.index(name)]).max() < 5e-3
    assert float(scores[..., 1].max()) > 0.3  # it sees the cat
    assert float(scores[..., 0].max()) < 0.3  # and a class it does not know nowhere


def test_what_is_neither_a_run_nor_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="neither a run nor a model"):
        begin_with(SsdMobileNet(classes=1), str(tmp_path), classes=("cat",))


def test_classes_without_labels_are_not_punished_and_follow_the_teacher() -> None:
    truth, labels = torch.zeros(1, 1, 4), torch.tensor([[-1]])
    none = torch.zeros(1, 1, dtype=torch.bool)
    boxes = boxes_of(torch.full((1, 126, 4), 16.0))
    raw = torch.zeros(1, 126, 3, requires_grad=True)
    complete = torch.tensor([True, False, False]).expand(1, 126, 3)
    detect_loss(raw, boxes, POINTS, truth, labels, none, unlabelled=Unlabelled(complete)).backward()
    assert raw.grad is not None
    assert (raw.grad[..., 0] > 0).all()  # a score where surely nothing is goes down
    assert raw.grad[..., 1:].abs().sum() == 0
    raw.grad = None
    teacher = torch.zeros(1, 126, 3)
    teacher[..., 1] = 0.9
    detect_loss(raw, boxes, POINTS, truth, labels, none, unlabelled=Unlabelled(complete, teacher)).backward()
    assert (raw.grad[..., 1] < 0).all()
    assert (raw.grad[..., 2] > 0).all()


def test_a_small_object_between_two_places_is_answered_for_within_reach() -> None:
    box = torch.tensor([[[9.0, 9, 11, 11]]])  # no middle of a cell of 8 pixels lies inside
    args = torch.full((1, 126, 1), 0.1), boxes_of(torch.full((1, 126, 4), 4.0)), POINTS, box, torch.tensor([[0]])
    hard = torch.tensor([[False]])
    assert not assign(*args, hard).answers.any()
    assert assign(*args, hard, reach_px=torch.full((126,), 6.0)).answers.any()


@pytest.mark.slow
def test_the_recipe_trains_for_some_steps_and_becomes_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for n in range(1, 17):
        picture = rng.integers(60, 90, (64, 96, 3)).astype(np.uint8)
        picture[16:48, 20:60] = 250
        Image.fromarray(picture).save(data / "images" / f"{n}.png")
        images.append({"id": n, "file_name": f"{n}.png", "width": 96, "height": 64})
        annotations.append({"id": n, "image_id": n, "category_id": 1, "bbox": [20, 16, 40, 32], "iscrowd": 0})
    categories = [{"id": 1, "name": "tile"}]
    (data / "instances.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    settings = DetectSettings(
        loop=Loop(steps=2, batch=2, scores=1, precision="float32"),
        data=data,
        unlabelled=(str(data),),
        begin_with="",
        views_px=(64,),
        canvas_cells=(8, 12),
        side_px=96,
    )
    recipe = build_recipe(settings)
    outcome = train(recipe, tmp_path / "run", quiet=True)
    assert outcome.steps == 2
    assert set(outcome.scores) == {"AP50", "AP"}
    batch = recipe.batch([0, 1], 0.0)
    assert set(np.unique(batch["sets"].numpy())) <= {0, 1, 2}
    card = export_run(recipe, tmp_path / "run", tmp_path / "mine", command="test", recipe_name="detect")
    assert (card.precision, card.head, card.labels) == ("float16", "anchors", ("tile",))
    detector = Detector(Session(Model(card, tmp_path / "mine"), threads=1), threshold=0.0)
    for height, width in ((90, 120), (120, 90), (50, 300)):
        found = detector([np.full((height, width, 3), 90, np.uint8)])[0]
        assert len(found)
        assert (found.width, found.height) == (width, height)
