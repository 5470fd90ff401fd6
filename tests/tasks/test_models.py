"""tasks/models.py: the default of each task, and models by task."""

import pytest

from szem.errors import UnknownNameError
from szem.tasks.models import addable_tasks, default_model, open_model
from szem.tasks.registry import TASKS

WITH_MODELS = {name: row.model for name, row in TASKS.items() if row.model is not None}


@pytest.mark.parametrize("task", WITH_MODELS)
def test_every_default_is_shipped_and_whole(task: str) -> None:
    model = default_model(task)
    assert model.name == WITH_MODELS[task].default
    assert model.card.task == task
    assert model.is_shipped
    assert model.file().is_file()


def test_a_task_without_models_is_refused_with_those_that_have_some() -> None:
    for task in ("divine", "look"):
        with pytest.raises(UnknownNameError, match="there are classify, segment"):
            default_model(task)


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="not for detect"):
        open_model("efficientnet-lite0", task="detect")


def test_tasks_of_several_files_take_no_single_one() -> None:
    assert set(addable_tasks()) == {"classify", "segment", "outline", "detect", "listen"}
