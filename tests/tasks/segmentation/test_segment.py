"""Pixels get their classes back at the picture's size, whatever its sides; outlines stay in their boxes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from szem.errors import DTypeError, RangeError, ShapeError, UnknownNameError
from szem.runtime.cards import Card, Made, PictureInput, hash_file, write_card
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.models import open_model
from szem.tasks.segmentation.instance_masks import outline, outline_with
from szem.tasks.segmentation.look import mask_rows
from szem.tasks.segmentation.segment import segment, segment_with, smooth_along_edges

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def colour_model(folder: Path, *, task: str, height: int, width: int, resize: str, classes: int = 3) -> Session:
    """The scores of a cell of 2×2 pixels are its mean red, green and blue (or, with two classes, green and red)."""
    weight = 8 * np.eye(3, dtype=np.float32)[: classes if classes == 3 else 3]
    if classes == 2:
        weight = np.float32([[0, 8, 0], [8, 0, 0]])
    nodes = [
        helper.make_node("AveragePool", ["x"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["half", "w"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, height, width])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes, height // 2, width // 2])],
        [numpy_helper.from_array(weight[:, :, None, None], "w")],
    )
    folder.mkdir(parents=True)
    file = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), file)
    card = Card(
        name=folder.name,
        task=task,
        version="1",
        summary="Tells colours.",
        sha256=hash_file(file),
        size_bytes=file.stat().st_size,
        parameters=9,
        input=PictureInput(
            width_px=width,
            height_px=height,
            resize=resize,
            mean=(127.0,) * 3,
            scale=(128.0,) * 3,  # type: ignore[arg-type]
        ),
        head="scores",
        outputs={"scores": "scores"},
        labels=tuple(COLORS) if classes == 3 else ("other", "object"),
        made=Made(recipe="by hand", command="none"),
        training_data=(),
        licence="Apache-2.0",
    )
    write_card(folder, card)
    return Session(Model(card, folder), threads=1)


@pytest.fixture(scope="module")
def letterbox(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("models") / "colours"
    return colour_model(folder, task="segment", height=48, width=64, resize="letterbox")


def halves(height: int, width: int) -> np.ndarray:
    """Red on the left, blue on the right, a green stripe below."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2] = COLORS["red"]
    picture[:, width // 2 :] = COLORS["blue"]
    picture[height * 3 // 4 :] = COLORS["green"]
    return picture


@pytest.mark.parametrize(
    ("height", "width"),
    [(48, 64), (96, 128), (200, 100), (37, 411), (24, 20), (1400, 2100)],
    ids=["the input's own", "twice", "tall", "wide", "small", "beyond 1024"],
)
def test_every_pixel_gets_its_class_at_the_size_of_the_picture(letterbox: Session, height: int, width: int) -> None:
    picture = halves(height, width)
    masks = segment_with(letterbox, picture)
    assert masks.class_map.shape == (height, width)
    wanted = np.argmax(picture, axis=2)
    near_edge = max(2, round(0.05 * max(height, width)))
    inside = np.ones((height, width), bool)
    inside[:, width // 2 - near_edge : width // 2 + near_edge] = False
    inside[height * 3 // 4 - near_edge : height * 3 // 4 + near_edge] = False
    assert (masks.class_map == wanted)[inside].all()
    assert {a.label for a in masks.areas} == set(COLORS)


def test_confidence_is_a_mean_probability(letterbox: Session) -> None:
    masks = segment_with(letterbox, np.full((48, 64, 3), (255, 0, 0), np.uint8))
    red, other = 8 * 1.0, 8 * (-127 / 128)
    assert masks.confidence[0] == pytest.approx(np.exp(red) / (np.exp(red) + 2 * np.exp(other)), rel=1e-5)
    assert masks.confidence[1] == 0


def test_rows_name_the_classes_largest_first(letterbox: Session) -> None:
    rows = mask_rows(segment_with(letterbox, halves(48, 64)))
    assert {row.name for row in rows[:2]} == {"red", "blue"}
    assert rows[2].name == "green"
    assert sum(row.value or 0 for row in rows) == pytest.approx(1)


@pytest.mark.parametrize(
    ("picture", "error"),
    [(np.zeros((4, 4), np.uint8), ShapeError), (np.zeros((4, 4, 3), np.float32), DTypeError), (None, DTypeError)],
)
def test_what_is_no_picture_is_refused(letterbox: Session, picture: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="picture must be"):
        segment_with(letterbox, picture)  # type: ignore[arg-type]


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="no model called 'nonsense'"):
        segment(np.zeros((4, 4, 3), np.uint8), model="nonsense")
    with pytest.raises(UnknownNameError, match="no model called 'nonsense'"):
        outline(np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4)), model="nonsense")


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("models") / "redness"
    return colour_model(folder, task="outline", height=56, width=56, resize="stretch", classes=2)


@pytest.mark.parametrize("scale", [1, 8], ids=["small", "shrunk first"])
def test_an_outline_finds_the_object_and_stays_in_its_box(squares: Session, scale: int) -> None:
    picture = np.full((100 * scale, 120 * scale, 3), (0, 255, 0), np.uint8)
    picture[20 * scale : 60 * scale, 30 * scale : 90 * scale] = (255, 0, 0)
    boxes = np.array([[30, 20, 90, 60], [25, 15, 70, 65], [100, 80, 119, 99]], np.float32) * scale
    found = outline_with(squares, picture, boxes)
    assert found.masks.shape == (3, 100 * scale, 120 * scale)
    whole = np.zeros_like(found.masks[0])
    whole[20 * scale : 60 * scale, 30 * scale : 90 * scale] = True
    iou = (found.masks[0] & whole).sum() / (found.masks[0] | whole).sum()
    assert iou > 0.93
    inside = np.zeros_like(whole)
    inside[15 * scale : 65 * scale, 25 * scale : 70 * scale] = True
    assert not (found.masks[1] & ~inside).any()
    assert not found.masks[2].any()
    assert found.confidence[0] > 0.9
    assert found.confidence[2] == 0


def test_boxes_beyond_the_picture_and_empty_ones_are_taken(squares: Session) -> None:
    picture = np.full((40, 40, 3), (255, 0, 0), np.uint8)
    boxes = np.array([[-10, -10, 20, 20], [5, 5, 5, 9], [50, 50, 60, 60]], np.float32)
    found = outline_with(squares, picture, boxes)
    assert found.masks[0, :20, :20].mean() > 0.9
    assert not found.masks[1:].any()
    assert len(outline_with(squares, picture, np.zeros((0, 4), np.float32))) == 0


@pytest.mark.parametrize("name", ["road", "things"])
def test_shipped_models_hold_what_their_cards_say(name: str) -> None:
    session = open_model(name, task="segment", threads=1)
    masks = segment_with(session, halves(90, 120))
    assert masks.classes == session.model.labels
    assert any(score.metric == "mIoU" and score.split == "val" for score in session.model.card.scores)


def test_pixels_below_the_threshold_are_unknown_and_not_drawn(tmp_path: Path) -> None:
    session = colour_model(tmp_path / "colours", task="segment", height=8, width=8, resize="stretch")
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, :4] = COLORS["red"]  # the right half is black: no class is likelier than another
    certain = segment(picture, model=session, threshold=0)
    assert certain.unknown is None
    assert certain.unknown_fraction == 0
    doubtful = segment(picture, model=session, threshold=0.6)
    assert doubtful.classes[-1] == doubtful.unknown == "unknown"
    assert 0.3 < doubtful.unknown_fraction < 0.7
    assert [area.label for area in doubtful.areas] == ["red"]
    assert np.array_equal(doubtful.draw(picture, legend=False)[:, -1], picture[:, -1])
    assert doubtful.to_dict()["unknown_fraction"] == round(doubtful.unknown_fraction, 6)
    assert "unknown" not in [category["name"] for category in doubtful.to_coco()["categories"]]


def test_the_confidence_map_is_the_probability_of_the_class_that_is_named(tmp_path: Path) -> None:
    session = colour_model(tmp_path / "colours", task="segment", height=8, width=8, resize="stretch")
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, :4] = COLORS["red"]
    found = segment(picture, model=session)
    assert found.confidence_map is not None
    assert found.confidence_map.shape == (8, 8)
    assert found.confidence_map[0, 0] > 250
    assert found.confidence_map[:, -1].max() < 120  # three classes alike
    assert abs(float(found.confidence_map.mean()) / 255 - found.confidence[0]) < 0.1


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_outside_its_range_is_refused(tmp_path: Path, threshold: float) -> None:
    session = colour_model(tmp_path / "colours", task="segment", height=8, width=8, resize="stretch")
    with pytest.raises(RangeError, match="threshold must be between 0 and 1"):
        segment(np.zeros((8, 8, 3), np.uint8), model=session, threshold=threshold)


def test_single_cells_that_disagree_are_smoothed_and_edges_stay() -> None:
    picture = np.zeros((80, 80, 3), np.uint8)
    picture[:, 40:] = 255
    right = (np.arange(40) >= 20).astype(np.float32) * np.ones((40, 1), np.float32)
    dotted = np.where(np.indices((40, 40)).sum(0) % 7 == 0, 1 - right, right)  # one cell in seven says the opposite
    probabilities = np.stack([1 - dotted, dotted, np.zeros_like(dotted)], 2).astype(np.float32)
    smooth = smooth_along_edges(probabilities, picture, cells=4)
    np.testing.assert_array_equal(smooth.argmax(2), right)
    np.testing.assert_array_equal(smooth[..., 2], 0)
