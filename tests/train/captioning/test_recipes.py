"""Captions from made-up pictures: learn, learn from scores, learn to search, become a model that says the same."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from szem.errors import TrainError
from szem.media.pictures import read_picture
from szem.runtime.cards import read_card
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.captioning.caption import Captioner
from szem.tasks.evaluate import evaluate
from szem.train.captioning import feature_cache
from szem.train.captioning.calibrate import fit_logistic, show_nothing
from szem.train.captioning.feature_cache import keep_maps
from szem.train.captioning.recipe_caption import CaptionRecipe, generate_captions
from szem.train.captioning.recipe_caption_reward import RewardRecipe
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.loop import train
from szem.train.recipe import settings_to_dict
from szem.train.recipes import load_recipe
from szem.train.release import export_run

COLOURS = {"red": (210, 30, 30), "blue": (30, 30, 210)}
SMALL = [
    "begin=",
    "backbone=lite0",
    "pretrained=false",
    "side_px=64",
    "width=32",
    "minimum=1",
    "hold_back=2",
    "dropout=0.0",
    "fit=0.0",
]
LOOP = ["loop.batch=6", "loop.lr=0.01", "loop.scores=1", "loop.precision=float32", "loop.ema=0.8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of two colours to learn, two to measure, each with two sentences; one line is broken."""
    home = tmp_path_factory.mktemp("captions")
    (home / "images").mkdir()
    rng = np.random.default_rng(0)
    rows = ["image,split,caption"]
    for index in range(14):
        name = ("red", "blue")[index % 2]
        noise = rng.integers(0, 30, (40, 40, 3)) + np.array(COLOURS[name])
        Image.fromarray(noise.astype(np.uint8)).save(home / "images" / f"{index}.png")
        split = "val" if index >= 12 else "train"
        rows += [f"{index}.png,{split},A {name} wall .", f"{index}.png,{split},the wall is {name}"]
    (home / "captions.csv").write_text("\n".join([*rows, "gone.png,train,nothing"]))
    return home


def recipe_of(name: str, folder: Path, *changes: str) -> object:
    places = [f"data={json.dumps(str(folder))}", f"maps={json.dumps(str(folder / 'maps'))}"]
    return load_recipe(name, [*LOOP, *places, *changes])


def run_of(recipe: object, name: str, run: Path) -> list[float]:
    """Train; the losses."""
    run.mkdir()
    about = {"recipe": name, "settings": settings_to_dict(recipe.settings), "command": "test"}  # type: ignore[attr-defined]
    (run / "run.json").write_text(json.dumps(about))
    outcome = train(recipe, run, quiet=True)  # type: ignore[arg-type]
    assert outcome.is_done
    assert outcome.scores
    return [float(row.split(",")[1]) for row in (run / "log.csv").read_text().splitlines()[1:]]


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    """The run of recipe caption."""
    recipe = recipe_of("caption", folder, *SMALL, "loop.steps=30")
    assert isinstance(recipe, CaptionRecipe)
    assert [b.name for b in recipe.broken] == ["line 30"]
    assert recipe.words.words[4:] == ("wall", "a", "blue", "is", "red", "the")
    losses = run_of(recipe, "caption", folder / "run")
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])
    return folder / "run"


def test_the_recurrent_decoder_learns_too(folder: Path, tmp_path: Path) -> None:
    recipe = recipe_of("caption", folder, *SMALL, "loop.steps=20", "decoder=teller")
    losses = run_of(recipe, "caption", tmp_path / "run")
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])


def test_what_is_rewarded_becomes_likelier(trained: Path, folder: Path) -> None:
    changes = ["loop.steps=1", "loop.batch=4", "samples=3", "tail_lr=0.0", f"begin={json.dumps(str(trained))}"]
    recipe = recipe_of("caption-reward", folder, *changes)
    assert isinstance(recipe, RewardRecipe)
    network = recipe.build_network().train()
    torch.manual_seed(0)
    batch = recipe.batch(range(4), 0.0)
    losses = [recipe.loss(network, batch) for _ in range(2)]
    assert all(torch.isfinite(loss) for loss in losses)
    losses[0].backward()  # type: ignore[no-untyped-call]
    assert any(p.grad is not None and p.grad.any() for p in network.parameters())
    captions = torch.tensor([[[4, 5, 2], [4, 2, 0], [4, 6, 2]]])
    rewards = recipe._rewards(captions, np.array([0]))
    assert rewards.shape == (1, 3)


def test_a_reward_needs_a_run_to_begin_with(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="not the run of recipe caption"):
        recipe_of("caption-reward", folder, f"begin={json.dumps(str(tmp_path))}")


def test_kept_maps_are_kept_and_broken_pictures_are_reported(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of("caption", folder, *SMALL)
    assert isinstance(recipe, CaptionRecipe)
    trunk, _ = recipe.build_encoder()
    (tmp_path / "broken.png").write_bytes(b"nothing")
    files = [*recipe.shown.files[:2], tmp_path / "broken.png"]
    first, broken = keep_maps(trunk, files, tmp_path / "maps", side_px=64, quiet=True)
    np.testing.assert_allclose(first[:2], recipe.maps[:2], atol=1e-3)
    assert first.shape[:2] == (3, 4)
    assert [b.name for b in broken] == ["broken.png"]
    assert not first[2].any()
    monkeypatch.setattr(feature_cache, "read_picture", lambda file: pytest.fail(f"{file} is read again"))
    again, broken = keep_maps(trunk, files, tmp_path / "maps", side_px=64, quiet=True)
    assert [b.name for b in broken] == ["broken.png"]
    assert (again == first).all()


@pytest.mark.slow
def test_a_run_becomes_a_model_that_says_what_torch_says(trained: Path, folder: Path, tmp_path: Path) -> None:
    search = recipe_of("search", folder, "loop.steps=25", "width=16", f"begin={json.dumps(str(trained))}")
    losses = run_of(search, "search", tmp_path / "search")
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    export_run(search, tmp_path / "search", tmp_path / "toy", command="test", recipe_name="search")
    card = read_card(tmp_path / "toy")
    assert set(card.parts) == {"step", "sentence"}
    model = Model(card, tmp_path / "toy")
    captioner = Captioner(Session(model, threads=1), grounded=False)

    recipe = search.caption  # type: ignore[attr-defined]
    network = recipe.build_network()
    network.load_state_dict(load_checkpoint(trained / CHECKPOINT)["average"])
    pictures = range(6)
    maps = torch.from_numpy(recipe.maps[list(pictures), 0].astype(np.float32))
    again = captioner._again
    by_torch = generate_captions(network.eval(), maps, beams=3, power=card.constants["power"], again=again)
    encoded = captioner.encode([read_picture(recipe.shown.files[i]) for i in pictures])
    by_onnx = captioner.search(encoded, beams=3)
    for a, b in zip(by_torch, by_onnx, strict=True):
        assert a[0].numbers == b[0].numbers
        assert a[0].log_probability == pytest.approx(b[0].log_probability, abs=0.05)

    measured = {m.metric: m.value for m in evaluate(model, folder, split="val")}
    assert {"BLEU-1", "BLEU-4", "CIDEr-D"} <= set(measured)
    assert measured["BLEU-1"] > 0.5
    assert measured["fraction of sentences not in training"] == 0


def test_pictures_that_show_nothing_are_of_five_kinds() -> None:
    example = np.full((32, 48, 3), (10, 200, 30), np.uint8)
    example[:16] = 90
    found = list(show_nothing([example] * 5))
    assert all(picture.shape == example.shape and picture.dtype == np.uint8 for picture in found)
    assert sorted(map(tuple, found[3].reshape(-1, 3).tolist())) == sorted(map(tuple, example.reshape(-1, 3).tolist()))


def test_a_logistic_curve_finds_what_made_the_data() -> None:
    rng = np.random.default_rng(0)
    evidence = rng.normal(0, 1, (20000, 2))
    probability = 1 / (1 + np.exp(-(0.5 + 2 * evidence[:, 0] - evidence[:, 1])))
    right = (rng.random(20000) < probability).astype(np.float64)
    assert fit_logistic(evidence, right) == pytest.approx((0.5, 2, -1), abs=0.1)
