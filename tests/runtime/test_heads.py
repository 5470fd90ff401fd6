"""runtime/heads.py: outputs find their roles, or the message says why not."""

import pytest

from szem.errors import CardError, UnknownNameError
from szem.runtime.heads import find_head, fit_head
from szem.runtime.outputs import Output
from szem.tasks.classification.heads import CLASSIFY
from szem.tasks.models import model_format
from szem.tasks.registry import TASKS


def test_scores_and_maps_are_found_by_their_shapes() -> None:
    outputs = [Output("a", (None, 5, 7, 7)), Output("b", (None, 5)), Output("c", (None, 1280, 7, 7))]
    assert fit_head(CLASSIFY, "logits", outputs, labels=5) == {"logits": "b", "maps": "a"}


def test_open_sides_are_accepted() -> None:
    assert fit_head(CLASSIFY, "probabilities", [Output("p", (None, None))], labels=5) == {"probabilities": "p"}


UNFIT = [
    [Output("a", (None, 6))],  # another number of classes
    [Output("a", (None, 5)), Output("b", (None, 5))],  # which one?
    [Output("a", (5,))],
    [],
]


@pytest.mark.parametrize("outputs", UNFIT)
def test_outputs_that_do_not_fit_are_reported_with_their_shapes(outputs: list[Output]) -> None:
    with pytest.raises(CardError, match="5 labels"):
        fit_head(CLASSIFY, "logits", outputs, labels=5)


def test_an_unknown_layout_names_the_known() -> None:
    with pytest.raises(UnknownNameError, match="logits, probabilities"):
        find_head(CLASSIFY, "entrails")


@pytest.mark.parametrize("task", [name for name, row in TASKS.items() if row.model is not None])
def test_every_layout_says_what_it_holds_and_refuses_no_outputs(task: str) -> None:
    accepts = model_format(task)
    assert accepts.task == task
    for head in accepts.heads.values():
        assert len(head.about) > 20
        assert head.fit([], 3) is None
