"""A business may use what szem takes by default, or the card says why there is nothing else."""

import pytest

from szem.runtime.store import find_model, survey_models
from szem.tasks.registry import TASKS

_FREE = {"Apache-2.0", "MIT", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0"}
# Defaults that a business may not use, because no free network of their kind is at hand.
_WITHOUT_A_FREE_ONE = {"draw": "generate", "lipwords": "lipwords"}

DEFAULTS = sorted({(name, row.model.default) for name, row in TASKS.items() if row.model is not None})


@pytest.mark.parametrize(("task", "model"), DEFAULTS)
def test_each_default_allows_commercial_use_or_says_why_not(task: str, model: str) -> None:
    card = find_model(model, task=task).card
    if card.licence in _FREE:
        return
    assert _WITHOUT_A_FREE_ONE.get(model) == task
    assert any("non-commercial" in limit and "no free" in limit.lower() for limit in card.limits), card.limits


def test_no_free_model_stands_beside_a_default_that_is_not() -> None:
    models = [model for model in survey_models().models if model.is_shipped]
    for task, name in DEFAULTS:
        if find_model(name, task=task).card.licence not in _FREE:
            assert not [m.name for m in models if m.card.task == task and m.card.licence in _FREE]
