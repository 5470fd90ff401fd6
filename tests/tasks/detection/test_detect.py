"""detect.py and its decoders: every head layout gives the same box; boxes come back to the picture's pixels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from szem import detect
from szem.errors import CardError, DTypeError, ModelError, RangeError, ShapeError, UnknownNameError
from szem.runtime.adding import Declared
from szem.runtime.cards import Calibration, Card, Made, PictureInput, hash_file, read_card, write_card
from szem.runtime.heads import fit_head
from szem.runtime.outputs import Output
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.detection.anchors import SCALES, anchor_boxes
from szem.tasks.detection.decoders import DECODERS, grid_points
from szem.tasks.detection.detect import Detector
from szem.tasks.detection.heads import DETECT
from szem.tasks.models import add_model

HEIGHT, WIDTH = 64, 96
BOX = np.array([16.0, 8.0, 56.0, 40.0])  # what the layouts below all say, of class 1
LABELS = ("cat", "dog", "bird")
PLACE = 3 * 12 + 4  # of stride 8: row 3, column 4, its middle at (36, 28)


def _logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def _scores(places: int, width: int = 3) -> np.ndarray:
    """One sure place and a doubtful double next to it."""
    scores = np.full((1, places, width), 0.01, np.float32)
    scores[0, PLACE, 1], scores[0, PLACE + 1, 1] = 0.9, 0.8
    return scores


def _points() -> dict[str, np.ndarray]:
    points, _ = grid_points(HEIGHT, WIDTH)
    distances = np.concatenate([points - BOX[:2], BOX[2:] - points], 1)[None]
    return {"scores": _scores(len(points)), "distances": distances}


def _anchors() -> dict[str, np.ndarray]:
    anchors = anchor_boxes(HEIGHT, WIDTH)
    middle, sides = (BOX[:2] + BOX[2:])[::-1] / 2, (BOX[2:] - BOX[:2])[::-1]  # y, x
    encodings = np.concatenate([(middle - anchors[:, :2]) / anchors[:, 2:], np.log(sides / anchors[:, 2:])], 1)
    return {"scores": _scores(len(anchors)), "encodings": (encodings * np.array(SCALES))[None]}


def _xywh() -> np.ndarray:
    return np.array([36.0, 24.0, 40.0, 32.0])


def _yolox() -> dict[str, np.ndarray]:
    points, strides = grid_points(HEIGHT, WIDTH)
    rows = np.zeros((1, len(points), 8), np.float32)
    rows[0, :, :2] = (_xywh()[:2] - (points - strides[:, None] / 2)) / strides[:, None]
    rows[0, :, 2:4] = np.log(_xywh()[2:] / strides[:, None])
    rows[0, :, 4] = 1
    rows[..., 5:] = _scores(len(points))
    return {"predictions": rows}


def _yolov5() -> dict[str, np.ndarray]:
    rows = np.zeros((1, 126, 8), np.float32)
    rows[..., :4], rows[..., 4], rows[..., 5:] = _xywh(), 1, _scores(126)
    return {"predictions": rows}


def _yolov8() -> dict[str, np.ndarray]:
    rows = np.zeros((1, 126, 7), np.float32)
    rows[..., :4], rows[..., 4:] = _xywh(), _scores(126)
    return {"predictions": rows.transpose(0, 2, 1)}


def _split(*, axis: int, is_raw: bool = False) -> dict[str, np.ndarray]:
    """Boxes of many places, as a network gives them, and their scores."""
    points, _ = grid_points(HEIGHT, WIDTH)
    boxes = np.concatenate([points, np.tile(_xywh()[2:], (len(points), 1))], 1)[None]
    boxes[:, PLACE : PLACE + 2] = _xywh()
    scores = _scores(len(points)).astype(float)
    outputs = {"boxes": boxes, "scores": np.log(scores / (1 - scores)) if is_raw else scores}
    return {role: value if axis == 2 else value.transpose(0, 2, 1) for role, value in outputs.items()}


def _ssd() -> dict[str, np.ndarray]:
    boxes = np.tile(BOX / [WIDTH, HEIGHT, WIDTH, HEIGHT], (1, 50, 1))
    scores = np.concatenate([np.full((1, 50, 1), 0.95), _scores(50)], 2)  # the background comes first
    return {"boxes": boxes, "scores": scores}


def _detr(*, nothing: bool) -> dict[str, np.ndarray]:
    logits = np.full((1, 50, 4 if nothing else 3), -9.0)
    if nothing:
        logits[..., 3] = 9
        logits[0, 7] = [0, np.log(8 * 9), np.log(2), np.log(5)]  # shares 1, 72, 2, 5 of 80: the best is 0.9
    else:
        logits[0, 7, 1] = _logit(0.9)
    return {"logits": logits, "boxes": np.tile(_xywh() / [WIDTH, HEIGHT, WIDTH, HEIGHT], (1, 50, 1))}


def _fastestdet() -> dict[str, np.ndarray]:
    maps = np.zeros((1, 8, 4, 6), np.float32)  # cells of 16 pixels
    maps[0, :, 1, 2] = [0.9, np.arctanh(0.25), np.arctanh(0.5), _logit(40 / 96), _logit(0.5), 0.01, 0.9, 0.01]
    return {"predictions": maps}


def _nms_rows(*, is_batched: bool) -> dict[str, np.ndarray]:
    rows = np.zeros((1, 20, 6), np.float32)
    rows[0, 0] = [*BOX, 0.9, 1]
    return {"output0": rows if is_batched else rows[0]}


def _end2end() -> dict[str, np.ndarray]:
    return {"output": np.array([[0, *BOX, 1, 0.9], [0, *BOX, 2, 0.01]], np.float32)}


def _efficient_nms(*, count: int, fractions: bool = False) -> dict[str, np.ndarray]:
    boxes = np.tile(BOX / [WIDTH, HEIGHT, WIDTH, HEIGHT] if fractions else BOX, (1, 20, 1))
    scores, classes = np.full((1, 20), 0.9 if count else 0.0), np.ones((1, 20), np.int32)
    scores[0, 0] = 0.9
    named = {"det_boxes": boxes, "det_scores": scores, "det_classes": classes}
    return named | ({"num_dets": np.array([[count]], np.int32)} if count else {})


def _torchvision(names: tuple[str, str, str]) -> dict[str, np.ndarray]:
    values = np.array([BOX]), np.array([2]), np.array([0.9])  # the classes are counted from 1
    return dict(zip(names, values, strict=True))


def _tensorflow() -> dict[str, np.ndarray]:
    y_first = (BOX / [WIDTH, HEIGHT, WIDTH, HEIGHT])[[1, 0, 3, 2]]
    return {
        "detection_boxes": np.tile(y_first, (1, 20, 1)),
        "detection_classes": np.full((1, 20), 2.0),
        "detection_scores": np.where(np.arange(20) == 0, 0.9, 0.0)[None],
        "num_detections": np.array([20.0]),
    }


def _masked(outputs: dict[str, np.ndarray], axis: int) -> dict[str, np.ndarray]:
    """As of a network that segments as well: coefficients behind, and the maps they belong to."""
    (name, rows), *_ = outputs.items()
    shape = [side if at != axis else 32 for at, side in enumerate(rows.shape)]
    return {name: np.concatenate([rows, np.full(shape, 0.95)], axis), "maps": np.zeros((1, 32, 16, 24))}


def _mmdetection() -> dict[str, np.ndarray]:
    dets = np.zeros((1, 20, 5))
    dets[0, 0] = [*BOX, 0.9]
    return {"dets": dets, "labels": np.where(np.arange(20) == 0, 1, -1)[None]}


def _tensorflow_all() -> dict[str, np.ndarray]:
    made_of = {"raw_detection_boxes": np.zeros((1, 90, 4)), "raw_detection_scores": np.zeros((1, 90, 4))}
    return made_of | {"detection_multiclass_scores": np.zeros((1, 20, 4))} | _tensorflow()


LAYOUTS: dict[str, tuple[str, Callable[[], dict[str, np.ndarray]]]] = {
    "anchors": ("anchors", _anchors),
    "points": ("points", _points),
    "yolox": ("yolox", _yolox),
    "yolov5": ("yolov5", _yolov5),
    "yolov8": ("yolov8", _yolov8),
    "yolov8 a row a place": ("yolov8", lambda: {"output0": _yolov8()["predictions"].transpose(0, 2, 1)}),
    "yolov8 in fractions": (
        "yolov8",
        lambda: {"output0": _yolov8()["predictions"] / np.array([WIDTH, HEIGHT, WIDTH, HEIGHT, 1, 1, 1])[:, None]},
    ),
    "yolov8 with masks": ("yolov8", lambda: _masked(_yolov8(), 1)),
    "yolov8 in two outputs": ("yolov8-split", lambda: _split(axis=1)),
    "yolov8 in two outputs, a row a place": ("yolov8-split", lambda: _split(axis=2)),
    "yolov8 in two outputs, before the sigmoid": ("yolov8-split", lambda: _split(axis=1, is_raw=True)),
    "yolov5 with masks": ("yolov5", lambda: _masked(_yolov5(), 2)),
    "ssd with background": ("ssd", _ssd),
    "ssd in pixels": ("ssd", lambda: _ssd() | {"boxes": np.tile(BOX, (1, 50, 1))}),
    "detr with nothing": ("detr", lambda: _detr(nothing=True)),
    "detr by sigmoid": ("detr", lambda: _detr(nothing=False)),
    "fastestdet": ("fastestdet", _fastestdet),
    "rows with duplicates dropped": ("nms-rows", lambda: _nms_rows(is_batched=True)),
    "rows of one picture": ("nms-rows", lambda: _nms_rows(is_batched=False)),
    "rows with masks": ("nms-rows", lambda: _masked(_nms_rows(is_batched=True), 2)),
    "rows of YOLOv7": ("end2end", _end2end),
    "EfficientNMS": ("efficient-nms", lambda: _efficient_nms(count=1)),
    "EfficientNMS without a count, in fractions": ("efficient-nms", lambda: _efficient_nms(count=0, fractions=True)),
    "torchvision": ("torchvision", lambda: _torchvision(("boxes", "labels", "scores"))),
    "torchvision with the names of torch's exporter": ("torchvision", lambda: _torchvision(("2274", "2276", "2275"))),
    "TensorFlow": ("tensorflow", _tensorflow),
    "TensorFlow with what its boxes were made of": ("tensorflow", _tensorflow_all),
    "MMDetection": ("mmdetection", _mmdetection),
}
NAMED_BY_NUMBER = (
    "nms-rows",
    "end2end",
    "efficient-nms",
    "mmdetection",
    "torchvision",
    "tensorflow",
)  # no axis of classes


def _described(outputs: dict[str, np.ndarray]) -> list[Output]:
    return [Output(name, value.shape, value.dtype.kind == "i") for name, value in outputs.items()]


def constant_model(
    folder: Path,
    head: str,
    outputs: dict[str, np.ndarray],
    *,
    takes: tuple[int | str, ...] = (1, 3, HEIGHT, WIDTH),
    **changes: object,
) -> Session:
    """A network that gives these outputs whatever it sees."""
    nodes, infos, constants = [], [], [numpy_helper.from_array(np.float32(0), "nothing")]
    nodes.append(helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0))
    nodes.append(helper.make_node("Mul", ["mean", "nothing"], ["zero"]))
    for role, value in outputs.items():
        constants.append(numpy_helper.from_array(value.astype(np.float32), f"{role}_values"))
        kind = helper.np_dtype_to_tensor_dtype(value.dtype) if value.dtype.kind == "i" else TensorProto.FLOAT
        nodes.append(helper.make_node("Add", [f"{role}_values", "zero"], [f"{role}_sum"]))
        nodes.append(helper.make_node("Cast", [f"{role}_sum"], [role], to=kind))
        infos.append(helper.make_tensor_value_info(role, kind, value.shape))
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(takes))
    graph = helper.make_graph(nodes, "constants", [taken], infos, constants)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    fields: dict[str, object] = {
        "name": folder.name,
        "task": "detect",
        "version": "1",
        "summary": "Always the same.",
        "sha256": hash_file(file),
        "size_bytes": file.stat().st_size,
        "parameters": 0,
        "input": PictureInput(width_px=WIDTH, height_px=HEIGHT, resize="letterbox"),
        "head": head,
        "outputs": fit_head(DETECT, head, _described(outputs), labels=len(changes.get("labels") or LABELS)),
        "labels": LABELS,
        "made": Made(recipe="by hand", command="none"),
        "training_data": (),
        "licence": "Apache-2.0",
    }
    card = Card.model_validate(fields | changes)
    write_card(folder, card)
    return Session(Model(card, folder), threads=1)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_one_box(name: str, tmp_path: Path) -> None:
    head, build = LAYOUTS[name]
    found = Detector(constant_model(tmp_path / "m", head, build()))([np.zeros((HEIGHT, WIDTH, 3), np.uint8)])[0]
    assert found.labels == ("dog",)
    np.testing.assert_allclose(found.scores, [0.9], atol=1e-5)
    np.testing.assert_allclose(found.boxes_xyxy, [BOX], atol=1e-3)


def test_every_layout_is_tried_above_and_has_a_decoder() -> None:
    assert {head for head, _ in LAYOUTS.values()} == set(DETECT.heads) == set(DECODERS)


@pytest.mark.parametrize("name", [name for name in LAYOUTS if LAYOUTS[name][0] not in NAMED_BY_NUMBER])
def test_outputs_of_another_number_of_classes_are_refused_with_their_shapes(name: str) -> None:
    head, build = LAYOUTS[name]
    outputs = _described(build())
    with pytest.raises(CardError, match=r"do not fit head layout .* with 9 labels .* got "):
        fit_head(DETECT, head, outputs, labels=9)


@pytest.mark.parametrize("head", NAMED_BY_NUMBER)
def test_a_class_without_a_label_is_reported(head: str, tmp_path: Path) -> None:
    build = next(build for layout, build in LAYOUTS.values() if layout == head)
    session = constant_model(tmp_path / "m", head, build(), labels=("cat",))
    with pytest.raises(ModelError, match=r"gives the class \d, its labels are numbered 0 to .*first line"):
        Detector(session)([np.zeros((HEIGHT, WIDTH, 3), np.uint8)])


def test_labels_that_begin_with_the_background_are_counted_with_it(tmp_path: Path) -> None:
    outputs = _torchvision(("boxes", "labels", "scores"))
    session = constant_model(tmp_path / "m", "torchvision", outputs, labels=("__background__", "cat", "dog"))
    assert Detector(session)([np.zeros((HEIGHT, WIDTH, 3), np.uint8)])[0].labels == ("dog",)


def test_rows_of_one_class_of_yolov5_are_distinguished_from_finished_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    rows = np.concatenate([_xywh() * np.ones((126, 1)), np.ones((126, 1)), _scores(126)[..., 1:2].reshape(126, 1)], 1)
    (tmp_path / "labels.txt").write_text("dog\n")
    for name, outputs, head in (
        ("raw", {"output": rows[None]}, "yolov5"),
        ("finished", {"output0": np.array([[[*BOX, 0.9, 0]]])}, "nms-rows"),
    ):
        folder = tmp_path / name
        file = constant_model(folder, head, outputs, labels=("dog",)).model.file()
        assert add_model(file, task="detect", labels=tmp_path / "labels.txt", name=name).card.head == head
        np.testing.assert_allclose(
            detect(np.zeros((HEIGHT, WIDTH, 3), np.uint8), model=name).boxes_xyxy, [BOX], atol=1e-3
        )


@pytest.mark.parametrize(
    ("outputs", "head"),
    [
        (_split(axis=1), "yolov8-split"),
        (_split(axis=2), "yolov8-split"),
        (_split(axis=2, is_raw=True), "yolov8-split"),
        ({"boxes": _ssd()["boxes"], "scores": _ssd()["scores"][..., 1:]}, "ssd"),
        ({"boxes": np.tile(BOX, (1, 50, 1)), "scores": _ssd()["scores"][..., 1:]}, "ssd"),
        (_detr(nothing=False), "detr"),
    ],
)
def test_two_outputs_are_distinguished_by_what_they_hold(
    outputs: dict[str, np.ndarray], head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    renamed = {f"output{n}": value for n, value in enumerate(outputs.values())}  # names say nothing
    file = constant_model(tmp_path / "m", head, renamed).model.file()
    model = add_model(file, task="detect", labels=tmp_path / "labels.txt", name="two")
    assert (model.card.head, model.card.picture.mean[0] == 0) == (head, head == "yolov8-split")
    found = detect(np.zeros((HEIGHT, WIDTH, 3), np.uint8), model="two")
    assert found.labels == ("dog",)
    np.testing.assert_allclose(found.boxes_xyxy, [BOX], atol=1e-3)


@pytest.mark.parametrize("head", ["points", "yolox"])
def test_a_wrong_number_of_places_is_reported(head: str, tmp_path: Path) -> None:
    short = {role: value[:, :-1] for role, value in LAYOUTS[head][1]().items()}
    detector = Detector(constant_model(tmp_path / "m", head, short))
    with pytest.raises(ModelError, match=r"needs 126 places .* gives 125"):
        detector([np.zeros((HEIGHT, WIDTH, 3), np.uint8)])


def test_boxes_come_back_to_the_pixels_of_any_picture(tmp_path: Path) -> None:
    detector = Detector(constant_model(tmp_path / "m", "points", _points()))
    # 128×320 is scaled by 0.3 to 96×38, 13 rows of border above
    found = detector([np.zeros((128, 320, 3), np.uint8)])[0]
    np.testing.assert_allclose(found.boxes_xyxy[0], [16 / 0.3, 0, 56 / 0.3, 27 * 128 / 38], rtol=1e-5)


def test_thresholds_are_the_cards_and_can_be_changed_by_class(tmp_path: Path) -> None:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    session = constant_model(tmp_path / "m", "points", _points(), thresholds={"dog": 0.95})
    assert len(Detector(session)([picture])[0]) == 0
    assert len(Detector(session, threshold={"dog": 0.85})([picture])[0]) == 1
    assert len(Detector(session, threshold=0.85)([picture])[0]) == 1
    assert len(Detector(session, threshold=0.005, overlap=1.0)([picture])[0]) == 300
    with pytest.raises(UnknownNameError, match="cow"):
        Detector(session, threshold={"cow": 0.1})
    with pytest.raises(RangeError, match="thresholds"):
        Detector(session, threshold=1.5)
    with pytest.raises(RangeError, match="overlap"):
        Detector(session, overlap=0)


def test_scores_are_calibrated_and_thresholds_are_of_calibrated_scores(tmp_path: Path) -> None:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    calibration = Calibration(a=1.0, b=1.0, c=-1.0)
    session = constant_model(tmp_path / "m", "points", _points(), calibration=calibration)
    confidence = 1 / (1 + np.exp(-(_logit(0.9) - 1)))
    found = Detector(session, threshold=confidence - 0.01)([picture])[0]
    np.testing.assert_allclose(found.scores, [confidence], rtol=1e-5)
    assert len(Detector(session, threshold=confidence + 0.01)([picture])[0]) == 0


def test_calibration_keeps_the_order_and_can_be_undone() -> None:
    calibration = Calibration(a=0.7, b=1.6, c=-0.4)
    raw = np.linspace(0.02, 0.98, 49, dtype=np.float32)
    confidences = calibration.apply(raw)
    assert (np.diff(confidences) > 0).all()
    np.testing.assert_allclose(calibration.undo(confidences), raw, atol=2e-3)
    same = Calibration(a=1, b=1, c=0)
    np.testing.assert_allclose(same.apply(raw), raw, atol=1e-6)


def test_colours_are_found_where_they_are_and_one_by_one(color_detector: Path) -> None:
    picture = np.zeros((192, 256, 3), np.uint8)  # twice the input
    picture[16:96, 32:112, 0] = 255
    picture[96:176, 160:240, 2] = 255
    found = detect(picture, model=color_detector)
    assert set(found.labels) == {"red", "blue"}
    red = found.keep(classes=["red"])
    np.testing.assert_allclose(red.boxes_xyxy, [[32, 16, 112, 96]], atol=1)
    assert len(detect(picture, model=color_detector, classes=["green"])) == 0
    detector = Detector(Session(Model(read_card(color_detector), color_detector), threads=1))
    steps = detector.finish(detector.run(detector.prepare(picture)), (192, 256))
    np.testing.assert_array_equal(steps.boxes_xyxy, found.boxes_xyxy)
    both = np.concatenate([detector.prepare(np.zeros_like(picture)), detector.prepare(picture)])
    assert detector.finish(detector.run(both), (192, 256), row=1).labels == found.labels


def test_one_class_may_be_named_and_what_is_no_name_is_reported(color_detector: Path) -> None:
    picture = np.full((64, 64, 3), 40, np.uint8)
    assert len(detect(picture, model=color_detector, classes="red")) == 0
    with pytest.raises(UnknownNameError, match="no class called 'person'; there are red"):
        detect(picture, model=color_detector, classes="person")
    with pytest.raises(DTypeError, match="classes are names"):
        detect(picture, model=color_detector, classes=[1])  # type: ignore[list-item]


def test_a_picture_without_pixels_is_refused_at_the_door(color_detector: Path) -> None:
    with pytest.raises(ShapeError, match="must have pixels"):
        detect(np.zeros((0, 10, 3), np.uint8), model=color_detector)


def test_a_model_of_another_task_or_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="needs labels"):
        Detector(constant_model(tmp_path / "m", "points", _points(), labels=None))
    session = constant_model(tmp_path / "n", "points", _points())
    with pytest.raises(CardError, match="not one of a detector's"):
        Detector(Session(Model(session.model.card.model_copy(update={"head": "logits"}), session.model.folder)))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_model_of_ones_own_is_added_and_its_layout_found_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    head, build = LAYOUTS[name]
    file = constant_model(tmp_path / "m", head, build()).model.file()
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    model = add_model(file, task="detect", labels=tmp_path / "labels.txt", name="mine")
    assert (model.card.head, model.card.picture.resize) == (head, "letterbox")
    found = detect(np.zeros((HEIGHT, WIDTH, 3), np.uint8), model="mine")
    assert found.labels == ("dog",)
    np.testing.assert_allclose(found.boxes_xyxy, [BOX], atol=1e-3)


@pytest.mark.parametrize(
    ("head", "build", "takes"),
    [
        (
            "torchvision",
            lambda: _torchvision(("boxes", "labels", "scores")),
            (3, HEIGHT, WIDTH),
        ),  # no axis of pictures
        ("torchvision", lambda: _torchvision(("boxes", "labels", "scores")), (3, "h", "w")),
        ("yolov8", _yolov8, ("batch", "channels", "h", "w")),
        ("end2end", lambda: {"output": np.float32([[n, *BOX, 1, 0.9] for n in (0, 1)])}, (2, 3, HEIGHT, WIDTH)),
        ("nms-rows", lambda: {"o": np.repeat(_nms_rows(is_batched=True)["output0"], 2, 0)}, (2, 3, HEIGHT, WIDTH)),
    ],
)
def test_inputs_of_other_axes_and_batches_are_taken(
    head: str,
    build: Callable[[], dict[str, np.ndarray]],
    takes: tuple[int | str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    file = tmp_path / "Net of mine_v2 (1).onnx"
    constant_model(tmp_path / "m", head, build(), takes=takes).model.file().rename(file)
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    model = add_model(file, task="detect", labels=tmp_path / "labels.txt", declared=Declared(side_px=WIDTH))
    assert (model.name, model.card.head) == ("net-of-mine_v2-1", head)
    black = np.zeros((model.card.picture.height_px, WIDTH, 3), np.uint8)
    for found in Detector(model.name)([black, black]):
        assert found.labels == ("dog",)
        np.testing.assert_allclose(found.boxes_xyxy, [BOX], atol=1e-3)


def test_a_file_that_fits_no_layout_is_reported_with_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    file = constant_model(tmp_path / "m", "yolov8", _yolov8()).model.file()
    (tmp_path / "labels.txt").write_text("cat\n")
    with pytest.raises(
        CardError, match=r"none of the layouts anchors, points, yolox, .* with 1 labels; got predictions"
    ):
        add_model(file, task="detect", labels=tmp_path / "labels.txt")
