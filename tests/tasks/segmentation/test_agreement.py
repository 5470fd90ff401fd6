"""What the detector does not confirm is only named where the segmentation is certain of it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from szem.media.samples import read_sample
from szem.results.boxes import Boxes
from szem.tasks.models import open_model
from szem.tasks.segmentation.agreement import DetectorAgreement, open_agreement
from szem.tasks.segmentation.segment import Segmenter, segment_with
from tests.tasks.segmentation.test_segment import colour_model

if TYPE_CHECKING:
    from szem.runtime.sessions import Session

CLASSES = ("background", "motorbike", "person", "car")
RED = np.zeros((40, 60, 3), np.uint8)
RED[:, :20, 0] = 255


def boxes(*rows: tuple[str, list[float]]) -> Boxes:
    names = ("person", "motorcycle", "truck", "cup")
    return Boxes(
        boxes_xyxy=np.float32([box for _, box in rows]).reshape(-1, 4),
        scores=np.full(len(rows), 0.9, np.float32),
        indices=np.array([names.index(name) for name, _ in rows], np.int64),
        classes=names,
        width=60,
        height=40,
        model="m",
    )


@pytest.fixture
def agreement(tmp_path: Path) -> DetectorAgreement:
    outliner = colour_model(tmp_path / "o", task="outline", height=16, width=16, resize="stretch", classes=2)
    return DetectorAgreement(None, outliner, certain=0.8, weight=0.3)  # type: ignore[arg-type]  # boxes are given


def agreed(agreement: DetectorAgreement, found: Boxes, likely: list[float], certain: list[float]) -> np.ndarray:
    cells = np.tile(np.float32(likely), (20, 30, 1))
    out = agreement(cells, RED, classes=CLASSES, confidence=certain, boxes=found)
    np.testing.assert_allclose(out.sum(2), 1, atol=1e-5)
    return out


@pytest.mark.parametrize(
    ("found", "certain", "winner"),
    [
        (boxes(), 0.6, "background"),  # nobody confirms it
        (boxes(("cup", [0, 0, 10, 10])), 0.6, "background"),
        (boxes(), 0.8, "motorbike"),  # certain by itself
        (boxes(("motorcycle", [40, 0, 60, 40])), 0.6, "motorbike"),  # by COCO's name
    ],
)
def test_a_class_is_kept_where_it_is_certain_or_detected(
    agreement: DetectorAgreement, found: Boxes, certain: float, winner: str
) -> None:
    out = agreed(agreement, found, [0.05, 0.9, 0.05, 0], [0.0, certain, 0.0, 0.0])
    assert CLASSES[int(out[0, 0].argmax())] == winner
    assert (out[..., 2] == 0).all()  # a person was neither certain nor detected


def test_a_truck_confirms_what_pascal_voc_calls_a_car(agreement: DetectorAgreement) -> None:
    out = agreed(agreement, boxes(("truck", [40, 0, 60, 40])), [0.1, 0, 0, 0.9], [0, 0, 0, 0.5])
    assert (out.argmax(2) == 3).all()


def test_outlines_of_detected_objects_are_mixed_in(agreement: DetectorAgreement) -> None:
    out = agreed(agreement, boxes(("person", [0, 0, 40, 40])), [0.55, 0, 0.45, 0], [0.0, 0.0, 0.5, 0.0])
    names = out.argmax(2)
    assert (names[2:-2, :8] == 2).all()  # the red part, which the outline model takes for the object
    assert (names[:, 14:] == 0).all()
    large = np.repeat(np.repeat(RED, 40, 0), 40, 1)  # larger than outlines are drawn
    found = boxes(("person", [0, 0, 40, 40])).resized(2400, 1600)
    again = agreement(
        np.tile(np.float32([0.55, 0, 0.45, 0]), (20, 30, 1)),
        large,
        classes=CLASSES,
        confidence=[0.0, 0.0, 0.5, 0.0],
        boxes=found,
    )
    assert (again.argmax(2) == names).mean() > 0.9


def test_models_whose_card_says_nothing_are_left_alone(tmp_path: Path) -> None:
    session: Session = colour_model(tmp_path / "m", task="segment", height=32, width=32, resize="stretch")
    assert open_agreement(session) is None
    assert Segmenter(session).agreement is None


@pytest.mark.parametrize(
    ("sample", "names"),
    [
        ("cameraman", {"person"}),
        ("cat", {"cat"}),
        ("coffee", {"diningtable"}),  # the cup has no class
        ("astronaut", {"person"}),
        ("rocket", set()),
        ("coins", set()),
    ],
)
def test_shipped_masks_name_what_is_in_the_bundled_pictures(sample: str, names: set[str]) -> None:
    assert {area.label for area in Segmenter()(read_sample(sample)).areas} == names


def test_without_the_detector_the_astronaut_sits_on_a_motorbike() -> None:
    """What the agreement is for; a better network may end it."""
    alone = segment_with(open_model(task="segment"), read_sample("astronaut"))
    assert "motorbike" in {area.label for area in alone.areas}
