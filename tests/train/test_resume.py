"""Each recipe of the table goes on exactly: interrupted, it ends with the weights that it would have had."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from szem.errors import FormatError
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.lipreading import recipe_lipread
from szem.train.loop import train
from szem.train.recipe import settings_to_dict
from szem.train.recipes import RECIPES, load_recipe

from .audio.test_recipe_sounds import folder_of_sounds
from .captioning.test_recipes import SMALL as SMALL_CAPTIONS
from .captioning.test_recipes import folder as captioned  # noqa: F401  a fixture
from .generation.test_recipes import SMALL as SMALL_DRAW
from .generation.test_recipes import home as drawn  # noqa: F401  a fixture
from .lipreading.test_recipe_lipread import SMALL as SMALL_LIPREAD
from .lipreading.test_recipe_lipread import folder as spoken  # noqa: F401  a fixture
from .lipreading.test_recipe_lipwords import takes  # noqa: F401  a fixture
from .test_recipes import CASES, QUICK
from .test_recipes import SMALL as SMALL_PIXELS

pytestmark = pytest.mark.train

STEPS, STOP = 3, 2
LOOP = [f"loop.steps={STEPS}", "loop.scores=1", "loop.precision=float32", "loop.batch=4"]

Values = dict[str, Any]


def quoted(**settings: Path) -> list[str]:
    return [f"{name}={json.dumps(str(path))}" for name, path in settings.items()]


def run_before(name: str, run: Path, changes: list[str], *, steps: int = 1) -> Path:
    """The run that another recipe begins with; trained once."""
    if not run.is_dir():
        recipe = load_recipe(name, [*LOOP, f"loop.steps={steps}", *changes])
        train(recipe, run, quiet=True)
        about = {"recipe": name, "settings": settings_to_dict(recipe.settings), "command": "test"}
        (run / "run.json").write_text(json.dumps(about))
    return run


def pixels_or_boxes(name: str, fixtures: Callable[[str], Path], tmp_path: Path) -> list[str]:
    make, changes = CASES[name]
    views = quoted(cache=tmp_path / "views") if name == "detect" else []
    general = [*QUICK, "mosaic=0.5"] if name == "detect" else SMALL_PIXELS
    changes = [c for c in changes if not c.startswith(("pretrained", "mosaic"))]
    return [*general, *changes, *views, *quoted(data=make(tmp_path / "data"))]


def captions(name: str, fixtures: Callable[[str], Path], tmp_path: Path) -> list[str]:
    home = fixtures("captioned")
    places = quoted(data=home, maps=home / "maps")
    small = [*SMALL_CAPTIONS, "dropout=0.3", *places]
    if name == "caption":
        return small
    return [*places, *quoted(begin=run_before("caption", home / "caption-before", small))]


def drawing(name: str, fixtures: Callable[[str], Path], tmp_path: Path) -> list[str]:
    home = fixtures("drawn")
    data = quoted(data=home / "data")
    shared = [*data, *quoted(maps=home / "maps", seen=home / "seen.json")]
    samples = quoted(samples=tmp_path / "samples")
    small = [*SMALL_DRAW, *samples]
    if name == "draw-match":
        return [*shared, "features=lite0"]
    match = run_before("draw-match", home / "match-before", [*shared, "features=lite0"])
    sketches = [*shared, *quoted(match=match), *small]
    coded = [*sketches, *SMALL_DRAW[:1], "code=16", "adversarial_from=0.5"]
    coded = [change for change in coded if not change.startswith("condition")]
    if name in ("draw", "draw-codes"):
        return sketches if name == "draw" else coded
    if name == "draw-refine":
        begin = run_before("draw", home / "draw-before", sketches)
        return [*data, *samples, *quoted(begin=begin), "channels=[8,8,8]", "depth=1", "discriminator=8"]
    codes = run_before("draw-codes", home / "codes-before", coded, steps=2)
    return [*data, *samples, *quoted(codes=codes), "width=16", "depth=1", "sentences=2", "steps=3"]


def lips(name: str, fixtures: Callable[[str], Path], tmp_path: Path) -> list[str]:
    if name == "lipwords":
        return [*quoted(data=fixtures("takes")), "channels=[6, 8, 8]", "width=16"]
    home = fixtures("spoken")
    return [*SMALL_LIPREAD, "dropout=0.2", *quoted(data=home, clips=home / "clips")]


def listening(name: str, fixtures: Callable[[str], Path], tmp_path: Path) -> list[str]:
    return [*quoted(data=folder_of_sounds(tmp_path / "data")), "nothing=0.4"]


TINY: dict[str, Callable[[str, Callable[[str], Path], Path], list[str]]] = {
    **dict.fromkeys(CASES, pixels_or_boxes),
    **dict.fromkeys(("caption", "caption-reward", "search"), captions),
    **dict.fromkeys(("draw", "draw-match", "draw-codes", "draw-flow", "draw-refine"), drawing),
    **dict.fromkeys(("lipread", "lipwords"), lips),
    "sounds": listening,
}


def test_every_recipe_is_interrupted() -> None:
    assert TINY.keys() == RECIPES.keys()


def assert_same(a: Any, b: Any, where: str) -> None:
    """Equal to the last bit, whatever tensors lie inside."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list):
        assert len(a) == len(b), where
        for place, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{place}]")
    else:
        assert a == b, where


def watch_npy(path: Path) -> np.ndarray:
    """The crops that lie beside a clip of `spoken`."""
    if path.stem == "faceless":
        raise FormatError("no face")
    return np.load(path.with_suffix(".npy"))


def losses(run: Path) -> list[str]:
    with (run / "log.csv").open() as file:
        return [row["loss"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("name", RECIPES)
def test_an_interrupted_training_ends_with_the_same_weights(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe_lipread, "watch_video", watch_npy)
    changes = [*LOOP, *TINY[name](name, request.getfixturevalue, tmp_path), *LOOP[:4]]
    for run, stops in (("whole", (None,)), ("parts", (STOP, None))):
        for stop in stops:  # each part with a recipe of its own, as in a process of its own
            recipe = load_recipe(name, changes)
            train(recipe, tmp_path / run, resume=True, stop_after=stop, quiet=True)
    whole, parts = (load_checkpoint(tmp_path / run / CHECKPOINT) for run in ("whole", "parts"))
    assert whole["step"] == parts["step"] == STEPS
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    for part in ("network", "average", "optimizer"):
        assert_same(whole[part], parts[part], part)
    begun = load_recipe(name, changes).build_network().state_dict()
    assert any(not torch.equal(value, begun[key]) for key, value in whole["network"].items())  # it did learn
