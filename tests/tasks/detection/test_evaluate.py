"""Average precision and reliability against cases worked out by hand; `szem eval` on a tiny detector."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from szem.data.boxed_folder import only_split, read_boxed, rename_classes
from szem.data.boxes import BoxedPicture
from szem.data.looks import look_hash, nearest_hash
from szem.errors import CardError, FileMissingError, RangeError, TrainError, UnknownNameError
from szem.media.samples import read_sample
from szem.results.boxes import Boxes
from szem.runtime.cards import read_card
from szem.runtime.store import Model
from szem.tasks.detection.average_precision import SIZE_AREAS, average_precision
from szem.tasks.detection.evaluate import calibration_error, rate_boxes, reliability
from szem.tasks.detection.precision_intervals import ap50_intervals
from szem.tasks.evaluate import evaluate

pytest.importorskip("pycocotools")


def truth(*boxes: tuple[float, float, float, float], hard: int = 0) -> BoxedPicture:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    is_hard = np.arange(len(boxes)) >= len(boxes) - hard
    return BoxedPicture(Path("x"), 400, 300, array, np.zeros(len(boxes), np.int64), is_hard)


def found(*rows: tuple[float, tuple[float, float, float, float]]) -> Boxes:
    return Boxes(
        boxes_xyxy=np.array([box for _, box in rows], np.float32).reshape(-1, 4),
        scores=np.array([score for score, _ in rows], np.float32),
        indices=np.zeros(len(rows), np.int64),
        classes=("cat",),
        width=400,
        height=300,
        model="m",
    )


A, B, C = (10.0, 10.0, 60.0, 60.0), (100.0, 10.0, 220.0, 130.0), (250.0, 150.0, 350.0, 250.0)
NEAR_A = (10.0, 10.0, 60.0, 42.0)  # overlaps A by 0.64


CASES = [
    ([found((0.9, A), (0.8, B))], [truth(A, B)], 1.0),
    ([found((0.9, A))], [truth(A, B)], 51 / 101),  # recalls 0 … 0.5 of 101 have precision 1
    ([found((0.9, C), (0.8, A), (0.7, B))], [truth(A, B)], 2 / 3),
    ([found((0.9, A), (0.8, A))], [truth(A)], 1.0),  # the double comes after all is found
    ([found((0.9, C), (0.8, A))], [truth(A, C, hard=1)], 1.0),  # C is difficult: neither right nor wrong
    ([found()], [truth(A)], 0.0),
]


@pytest.mark.parametrize(("given", "asked", "ap50"), CASES)
def test_average_precision_of_known_cases(given: list[Boxes], asked: list[BoxedPicture], ap50: float) -> None:
    assert average_precision(given, asked, ["cat"]).ap50 == pytest.approx(ap50, abs=1e-6)


def test_sizes_classes_and_voc2007_are_distinguished() -> None:
    precision = average_precision([found((0.9, NEAR_A), (0.8, B))], [truth(A, B)], ["cat"])
    assert precision.by_size == pytest.approx({"medium": 1.0, "large": 1.0})  # nothing is small
    assert precision.by_class == pytest.approx({"cat": 1.0})
    assert precision.ap == pytest.approx((3 * 1 + 7 * 0.25) / 10, abs=0.01)  # NEAR_A counts up to 0.6 only
    assert precision.boxes == 2
    half = average_precision([found((0.9, A))], [truth(A, B)], ["cat"])
    assert half.ap50_voc2007 == pytest.approx(6 / 11)
    with pytest.raises(RangeError, match="as many"):
        average_precision([], [truth(A)], ["cat"])


@pytest.mark.parametrize("size", ["medium", "large"])
def test_by_size_the_interval_is_about_the_number_itself(size: str) -> None:
    """Of one picture every resampling is the picture: the interval is the number that pycocotools gives."""
    far = (300.0, 10.0, 399.0, 140.0)  # a large box where nothing is
    given = [found((0.95, C), (0.9, far), (0.8, NEAR_A), (0.7, B), (0.6, (0.0, 200.0, 50.0, 250.0)))]
    asked = [truth(A, B)]
    value = average_precision(given, asked, ["cat"]).by_size[size]
    (low, high), _ = ap50_intervals(given, asked, [0], areas=SIZE_AREAS[size])
    assert (low, high) == pytest.approx((value, value), abs=1e-6)


def test_boxes_are_right_once_and_difficult_ones_do_not_count() -> None:
    given = [found((0.9, A), (0.8, A), (0.7, C), (0.6, B), (0.2, B))]
    scores, right = rate_boxes(given, [truth(A, B, C, hard=1)], thresholds=np.array([0.3]))
    np.testing.assert_allclose(scores, [0.9, 0.8, 0.6])
    assert right.tolist() == [True, False, True]


def test_reliability_is_counted_by_tenths() -> None:
    scores = np.array([0.11, 0.19, 0.95, 0.95, 1.0], np.float32)
    right = np.array([False, True, True, True, True])
    (low, low_precision, low_n), (high, high_precision, high_n) = reliability(scores, right)
    assert (low_precision, low_n, high_precision, high_n) == (0.5, 2, 1.0, 3)
    assert low == pytest.approx(0.15)
    expected = (2 * (0.5 - low) + 3 * (1 - high)) / 5
    assert calibration_error(scores, right) == pytest.approx(expected, abs=1e-6)


def coco_folder(folder: Path) -> Path:
    """Two pictures, a red and a green square, as COCO JSON with splits."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for n, (name, channel) in enumerate((("red", 0), ("green", 1)), start=1):
        picture = np.zeros((96, 128, 3), np.uint8)
        picture[24:64, 40:80, channel] = 255
        Image.fromarray(picture).save(folder / "images" / f"{name}.png")
        split = "val" if n == 1 else "train"
        images.append({"id": n, "file_name": f"{name}.png", "width": 128, "height": 96, "split": split})
        annotations.append({"id": n, "image_id": n, "category_id": n, "bbox": [40, 24, 40, 40], "iscrowd": 0})
    categories = [{"id": n, "name": name} for n, name in enumerate(("red", "green", "blue"), start=1)]
    data = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(data))
    return folder


def test_a_detector_is_measured_through_the_shipped_path(tmp_path: Path, color_detector: Path) -> None:
    data = coco_folder(tmp_path / "data")
    model = Model(read_card(color_detector), color_detector)
    measured = {m.metric: m for m in evaluate(model, data)}
    assert measured["AP50"].value == pytest.approx(1)
    assert measured["AP50"].n == 2
    assert {"AP", "AP50 VOC2007", "AP50 red", "AP50 medium", "calibration error"} <= measured.keys()
    assert {m.metric for m in evaluate(model, data, split="val") if m.metric.endswith(("red", "green"))} == {
        "AP50 red"
    }
    with pytest.raises(UnknownNameError, match="test"):
        evaluate(model, data, split="test")
    other = json.loads((data / "instances.json").read_text())
    other["categories"][0]["name"] = "cow"
    (data / "instances.json").write_text(json.dumps(other))
    shared = {m.metric: m.value for m in evaluate(model, data)}
    assert shared["classes"] == 2  # green and blue are in both
    assert shared["AP50"] == pytest.approx(1)
    assert "AP50 red" not in shared
    for category, name in zip(other["categories"], ("cow", "goat", "hen"), strict=True):
        category["name"] = name
    (data / "instances.json").write_text(json.dumps(other))
    with pytest.raises(CardError, match="cow"):
        evaluate(model, data)


def test_the_form_of_a_folder_is_found_out(tmp_path: Path) -> None:
    folder = coco_folder(tmp_path / "coco")
    assert len(read_boxed(folder).pictures) == 2
    assert len(read_boxed(folder / "instances.json").pictures) == 2
    yolo = tmp_path / "yolo"
    (yolo / "images").mkdir(parents=True)
    (yolo / "labels").mkdir()
    Image.new("RGB", (20, 10)).save(yolo / "images" / "a.png")
    (yolo / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    assert read_boxed(yolo).pictures[0].boxes_xyxy.tolist() == [[5, 2.5, 15, 7.5]]
    with pytest.raises(FileMissingError, match="COCO"):
        read_boxed(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileMissingError, match="YOLO"):
        read_boxed(tmp_path / "empty")


def test_splits_and_classes_can_be_chosen(tmp_path: Path) -> None:
    boxes = read_boxed(coco_folder(tmp_path / "data"))
    assert [p.path.stem for p in only_split(boxes, "val").pictures] == ["red"]
    assert len(only_split(boxes, "").pictures) == 2
    with pytest.raises(TrainError, match="train, val"):
        only_split(boxes, "test")
    plain = replace(boxes, pictures=tuple(replace(p, split="") for p in boxes.pictures))
    assert len(only_split(plain, "train").pictures) == 2
    renamed = rename_classes(boxes, ("crimson", "leaf"), {"red": "crimson"})
    assert [p.labels.tolist() for p in renamed.pictures] == [[0], []]


def test_the_same_picture_looks_the_same_and_others_do_not() -> None:
    cat, coffee = read_sample("cat"), read_sample("coffee")
    small = np.asarray(Image.fromarray(cat).resize((150, 100)))
    hashes = np.stack([look_hash(cat), look_hash(coffee)])
    assert nearest_hash(look_hash(small), hashes[:1]) < 24
    assert nearest_hash(look_hash(small), hashes[1:]) > 60
