"""Which boxes are duplicates of better ones: of a class, across classes, nested."""

import numpy as np
import pytest

from szem.tasks.detection.duplicates import Overlaps, drop_duplicates

WHOLE, MOST, HALF, AWAY = (0, 0, 100, 100), (0, 0, 100, 85), (0, 0, 100, 50), (200, 0, 260, 60)
CASES = [
    ([WHOLE, MOST], [0, 0], Overlaps(), [0]),  # one class, overlap 0.85
    ([WHOLE, MOST], [0, 1], Overlaps(), [0, 1]),  # two classes may be two objects …
    ([WHOLE, MOST], [0, 1], Overlaps(across=0.8), [0]),  # … unless the card says that they are not
    ([WHOLE, HALF], [0, 0], Overlaps(same=0.6), [0, 1]),
    ([WHOLE, HALF], [0, 0], Overlaps(same=0.6, nested=0.9), [0]),  # half of the animal is the same animal
    ([WHOLE, HALF], [0, 1], Overlaps(same=0.6, nested=0.9), [0, 1]),  # a person in a car is not
    ([WHOLE, HALF], [0, 0], Overlaps(same=0.6, nested=0.9, grown=0.6), [0, 1]),  # too small to be the same
    ([WHOLE, AWAY], [0, 0], Overlaps(across=0.5, nested=0.5), [0, 1]),
    ([WHOLE, MOST], [0, 1], Overlaps(across=0.8, min_score=0.6), [0, 1]),  # the second has 0.5: too little to matter
    ([], [], Overlaps(across=0.5), []),
]


@pytest.mark.parametrize(("boxes", "classes", "overlaps", "kept"), CASES)
def test_duplicates_of_known_boxes(
    boxes: list[tuple[float, ...]], classes: list[int], overlaps: Overlaps, kept: list[int]
) -> None:
    scores = np.linspace(0.9, 0.5, len(boxes), dtype=np.float32)
    given = np.array(boxes, np.float32).reshape(-1, 4)
    if len(boxes):
        assert drop_duplicates(given, scores, np.array(classes), overlaps).tolist() == kept


def test_the_rules_go_to_the_card_and_back() -> None:
    rules = Overlaps(same=0.55, across=0.8, nested=0.9, grown=0.3, min_score=0.2)
    assert Overlaps.of_card(rules.to_constants()) == rules
    assert Overlaps.of_card({}, same=0.4) == Overlaps(same=0.4)
