"""A classifier of one's own: folders with splits, other names, broken files; measured on what was held out."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from szem.errors import UnknownNameError
from szem.runtime.store import Model
from szem.tasks.evaluate import evaluate
from szem.train.classification.recipe_classify import ClassifyRecipe, ClassifySettings
from szem.train.loop import train
from szem.train.recipe import override
from szem.train.release import export_run


def pictures(folder: Path, count: int) -> Path:
    rng = np.random.default_rng(0)
    for name, color in (("red", (200, 30, 30)), ("blau", (30, 30, 200))):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            noise = rng.integers(-25, 25, (48, 64, 3))
            Image.fromarray((np.array(color) + noise).astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


def recipe(data: Path, *changes: str) -> ClassifyRecipe:
    start = ["pretrained=false", "loop.steps=1", "loop.batch=2"]
    return ClassifyRecipe(override(ClassifySettings(), [*start, *changes, f"data={json.dumps(str(data))}"]))


def test_marked_splits_are_kept_and_test_is_never_looked_at(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 2), ("test", 4)):
        pictures(tmp_path / split, count)
    found = recipe(tmp_path)
    assert (len(found.training_items), len(found.watching), found.held_split) == (6, 4, "val")
    assert found.classes == ("blau", "red")


def test_classes_get_other_names(tmp_path: Path) -> None:
    data = pictures(tmp_path, 5)
    assert recipe(data, 'classes=["blau=blue"]').classes == ("blue", "red")
    with pytest.raises(UnknownNameError, match="no class called gelb; the data has blau, red"):
        recipe(data, 'classes=["gelb=yellow"]')


def test_a_run_is_exported_and_measured_on_what_was_held_out(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data = pictures(tmp_path / "data", 5)
    (data / "red" / "broken.jpg").write_bytes(b"\xff\xd8")
    made = recipe(data)
    assert [fault.name for fault in made.broken] == ["red/broken.jpg"]
    train(made, tmp_path / "run", quiet=True)
    card = export_run(made, tmp_path / "run", tmp_path / "mine", command="szem train", recipe_name="classify")
    measured = {m.metric: m for m in evaluate(Model(card, tmp_path / "mine"), data, split=made.held_split)}
    assert measured["top-1"].n == 2  # a fifth of each class
    assert {"recall red", "recall blau"} <= measured.keys()
