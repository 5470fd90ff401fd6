"""Drawing on made-up pictures: each stage trains a few steps and becomes a model that draws the same.

That an interrupted training goes on exactly is held for all recipes by `tests/train/test_resume.py`.
"""

import copy
import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from szem.errors import CardError, TrainError, UnknownNameError
from szem.media.pictures import read_picture
from szem.models.code_generator import CodeFlow, CodeGenerator, PictureEncoder
from szem.models.discriminator import Discriminator, hinge_discriminator, hinge_generator
from szem.models.generator import CodeDecoder
from szem.models.lite_features import CHANNELS, GRID_CHANNELS
from szem.models.refiner import Refiner
from szem.runtime.cards import read_card
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.generation.evaluate import evaluate_generate
from szem.tasks.generation.generate import Generator, open_generator
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.generation.losses import discriminator_loss, variety_loss
from szem.train.generation.recipe_draw import DrawRecipe
from szem.train.generation.recipe_draw_codes import DrawCodesRecipe
from szem.train.generation.recipe_draw_flow import DrawFlowRecipe, DrawFlowSettings
from szem.train.generation.recipe_draw_match import DrawMatchRecipe
from szem.train.generation.recipe_draw_refine import RefineRecipe, RefinerNetworks
from szem.train.loop import train
from szem.train.recipe import settings_to_dict
from szem.train.recipes import load_recipe
from szem.train.release import export_run
from szem.train.shipped_weights import load_shipped, load_weights

COLORS = {"white": (240, 240, 240), "red": (200, 20, 25)}
LOOP = ["loop.batch=4", "loop.scores=1", "loop.precision=float32", "loop.seed=3"]
SMALL = ["channels=[16,16,8,8,8]", "condition=8", "discriminator=8"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen flowers with an index, sixteen birds with sentences of people for some of them."""
    folder = tmp_path_factory.mktemp("drawn")
    rng = np.random.default_rng(0)
    for subject, ground in (("flowers", (30, 90, 30)), ("birds", (150, 190, 230))):
        images = folder / "data" / subject / "images"
        images.mkdir(parents=True)
        rows, captions = [], []
        for number in range(16):
            color = list(COLORS)[number % 2]
            picture = np.full((128, 128, 3), ground, np.uint8)
            picture[30:98, 36:92] = COLORS[color]
            noise = rng.integers(-8, 9, picture.shape)
            Image.fromarray(np.clip(picture + noise, 0, 255).astype(np.uint8)).save(images / f"{number}.png")
            rows.append((f"{number}.png", "val" if number >= 8 else "train", f"{color} toy"))
            if number < 6:
                captions.append((f"{number}.png", f"a {color} bird with a short beak"))
        with (folder / "data" / subject / "index.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("image", "split", "name"), *rows])
        if subject == "birds":
            with (folder / "data" / subject / "captions.csv").open("w", newline="") as file:
                csv.writer(file).writerows([("image", "caption"), *captions])
    return folder


def recipe_of(name: str, home: Path, *changes: str) -> object:
    return load_recipe(name, [*LOOP, f"data={json.dumps(str(home / 'data'))}", *changes])


def write_about(run: Path, name: str, recipe: object) -> None:
    about = {"recipe": name, "settings": settings_to_dict(recipe.settings), "command": "test"}
    (run / "run.json").write_text(json.dumps(about))


@pytest.fixture(scope="module")
def match(home: Path) -> Path:
    """A text-image encoder, and one that only measures, trained for three steps."""
    for features, run in (("lite0", "match"), ("classifier", "judge")):
        changes = [f"seen={home / 'seen.json'}", f"maps={home / 'maps'}", f"features={features}", "loop.steps=3"]
        recipe = recipe_of("draw-match", home, *changes)
        assert isinstance(recipe, DrawMatchRecipe)
        outcome = train(recipe, home / run, quiet=True)
        assert outcome.is_done
        assert set(outcome.scores) == {"R-precision@8, flowers", "R-precision@8, birds"}
        write_about(home / run, "draw-match", recipe)
    return home / "match"


@pytest.fixture(scope="module")
def draw(home: Path, match: Path) -> Path:
    recipe = _draw(home)
    train(recipe, home / "draw", quiet=True)
    write_about(home / "draw", "draw", recipe)
    return home / "draw"


def _draw(home: Path, *changes: str) -> DrawRecipe:
    places = [f"{name}={home / name}" for name in ("match", "maps", "samples")] + [f"seen={home / 'seen.json'}"]
    recipe = recipe_of("draw", home, *places, *SMALL, "loop.steps=3", *changes)
    assert isinstance(recipe, DrawRecipe)
    return recipe


@pytest.mark.train
def test_stage_one_moves_both_sides_and_writes_samples(home: Path, draw: Path) -> None:
    stored = load_checkpoint(draw / CHECKPOINT)
    begun = _draw(home).build_network().state_dict()
    torch.manual_seed(3)
    for side in ("generator.decoder.out.weight", "discriminator.heads.0.said.parametrizations.weight.original"):
        assert not torch.equal(stored["network"][side], begun[side])
    grids = sorted((home / "samples").glob("*.png"))
    assert len(grids) == 1
    assert read_picture(grids[0]).shape == (8 * 64, 8 * 64, 3)


@pytest.mark.train
def test_a_later_stage_begins_with_an_earlier_ones_weights(home: Path, draw: Path) -> None:
    network = _draw(home, f"begin_with={draw}").build_network()
    for name, value in load_checkpoint(draw / CHECKPOINT)["average"].items():
        assert torch.equal(network.state_dict()[name], value)


@pytest.mark.train
def test_stage_two_leaves_the_generator_alone_and_becomes_a_model_that_draws_the_same(home: Path, draw: Path) -> None:
    changes = [f"begin={draw}", f"evaluation_run={home / 'judge'}", f"samples={home / 'refined'}", "loop.steps=2"]
    recipe = recipe_of("draw-refine", home, *changes, "channels=[8,8,8]", "depth=1", "discriminator=8")
    assert isinstance(recipe, RefineRecipe)
    run = home / "refine"
    train(recipe, run, quiet=True)
    state = load_checkpoint(run / CHECKPOINT)["average"]
    for name, value in load_checkpoint(draw / CHECKPOINT)["average"].items():
        if name.startswith("generator."):
            assert torch.equal(state[name], value), name
    assert state["refiner.out.weight"].abs().sum() > 0  # it begins at zero
    write_about(run, "draw-refine", recipe)

    folder = home / "toy"
    card = export_run(recipe, run, folder, command="t", recipe_name="t", precision="float32")
    assert card == read_card(folder)
    assert set(card.parts) == {"sketch", "refine", "judge-words", "judge-picture"}
    assert any("made" in data.name for data in card.training_data)  # that sentences were made is said
    model = Model(card, folder)
    painter = Generator(Session(model, threads=1))
    network = recipe.build_network()
    assert isinstance(network, RefinerNetworks)
    network.load_state_dict(state)
    network.eval()
    noise_generator = (
        np.random.Generator(np.random.Philox(key=[5, 0])).standard_normal((1, painter.noise)).astype(np.float32)
    )
    with torch.no_grad():
        space = torch.from_numpy(painter.place("a red bird"))[None]
        sketch = network.generator(space, torch.from_numpy(noise_generator))[0]
        refined = network.refiner(sketch, space)
    drawn = painter("a red bird", seed=5)
    for pixels, truth in ((drawn.sketches[0], sketch), (drawn.pictures[0], refined)):
        expected = ((truth[0].permute(1, 2, 0) + 1) * 127.5).numpy()
        assert np.abs(pixels - expected).max() <= 0.6

    scores = {m.metric: m.value for m in evaluate_generate(model, home / "data", "val")}
    assert scores["R-precision among 8, flowers"] <= 1
    assert (
        scores["Fréchet distance, birds"]
        > scores["Fréchet distance, birds, one half of the photographs from the other"]
    )
    with pytest.raises(UnknownNameError, match="val"):
        evaluate_generate(model, home / "data", "odd")


@pytest.fixture(scope="module")
def codes(home: Path, match: Path) -> Path:
    recipe = _codes(home)
    train(recipe, home / "codes", quiet=True)
    write_about(home / "codes", "draw-codes", recipe)
    return home / "codes"


@pytest.fixture(scope="module")
def flow(home: Path, codes: Path) -> Path:
    recipe = _flow(home)
    train(recipe, home / "flow", quiet=True)
    write_about(home / "flow", "draw-flow", recipe)
    return home / "flow"


def _codes(home: Path, *changes: str) -> DrawCodesRecipe:
    places = [f"{name}={home / name}" for name in ("match", "maps")] + [f"seen={home / 'seen.json'}"]
    places.append(f"samples={home / 'coded'}")
    recipe = recipe_of(
        "draw-codes",
        home,
        *places,
        "channels=[16,16,8,8,8]",
        "code=16",
        "discriminator=8",
        "loop.steps=4",
        "adversarial_from=0.5",
        *changes,
    )
    assert isinstance(recipe, DrawCodesRecipe)
    return recipe


def _flow(home: Path, *more: str) -> DrawFlowRecipe:
    changes = [f"codes={home / 'codes'}", f"samples={home / 'flowed'}", "width=16", "depth=1", "sentences=2"]
    recipe = recipe_of("draw-flow", home, *changes, "loop.steps=3", "steps=3", *more)
    assert isinstance(recipe, DrawFlowRecipe)
    return recipe


@pytest.mark.train
def test_the_encoder_learns_until_it_is_settled_and_the_generator_goes_on(home: Path, codes: Path) -> None:
    train(
        _codes(home), home / "codes-half", quiet=True, stop_after=3
    )  # settled after half of four steps, reported one ahead
    begun = _codes(home).build_network().state_dict()
    half, whole = (load_checkpoint(home / name / CHECKPOINT)["network"] for name in ("codes-half", "codes"))
    for part in ("encoder.out.weight", "decoder.out.weight"):
        assert not torch.equal(half[part], begun[part]), part
    said = "discriminator.heads.0.said.parametrizations.weight.original"
    assert not torch.equal(whole[said], begun[said])
    for name, value in half.items():
        if name.startswith("encoder."):
            torch.testing.assert_close(whole[name], value, msg=name)
    assert not torch.equal(whole["decoder.out.weight"], half["decoder.out.weight"])
    assert read_picture(next((home / "coded").glob("*.png"))).shape[1] % 64 == 0


@pytest.mark.train
def test_codes_begin_with_a_generator_of_either_recipe(home: Path, draw: Path, codes: Path) -> None:
    for run in (draw, codes):
        state = _codes(home, f"begin_with={run}").build_network().state_dict()
        stored = load_checkpoint(run / CHECKPOINT)["average"]
        for name in state:
            if name.startswith("decoder."):
                assert torch.equal(state[name], stored[f"generator.{name}" if run == draw else name]), name


@pytest.mark.train
def test_the_flow_learns_from_codes_of_mean_nought_and_size_one(home: Path, flow: Path) -> None:
    recipe = _flow(home)
    net = recipe.open_generator(flow).flow
    batch = recipe.batch(range(512), 0.0)
    codes = (batch["codes"] - net.mean) / net.scale
    assert codes.mean().abs() < 0.1
    assert codes.std() == pytest.approx(1, abs=0.1)
    torch.testing.assert_close(batch["space"].norm(dim=1), torch.ones(512), atol=1e-2, rtol=0)
    subjects = {recipe.coded.data.items[int(own[0])].subject for own in recipe.coded.own}
    assert subjects == {"flower", "bird"}


@pytest.mark.train
def test_codes_and_flow_become_a_model_that_draws_the_same(home: Path, flow: Path) -> None:
    changes = [f"begin={flow}", f"samples={home / 'refined2'}", "loop.steps=2", "channels=[8,8,8]", "depth=1"]
    recipe = recipe_of("draw-refine", home, *changes, "discriminator=8")
    assert isinstance(recipe, RefineRecipe)
    run, folder = home / "refine2", home / "toy2"
    train(recipe, run, quiet=True)
    export_run(recipe, run, folder, command="t", recipe_name="t", precision="float32")
    painter = Generator(Session(Model(read_card(folder), folder), threads=1))
    generator = _flow(home).open_generator(flow).eval()
    assert painter.noise == generator.noise
    noise_generator = (
        np.random.Generator(np.random.Philox(key=[5, 0])).standard_normal((1, painter.noise)).astype(np.float32)
    )
    with torch.no_grad():
        sketch, _ = generator(torch.from_numpy(painter.place("a red bird"))[None], torch.from_numpy(noise_generator))
    expected = ((sketch[0].permute(1, 2, 0) + 1) * 127.5).numpy()
    assert np.abs(painter("a red bird", seed=5).sketches[0] - expected).max() <= 0.6
    for part, file, within in (
        (generator.flow, "sketch.onnx", "flow"),
        (generator.decoder, "sketch.onnx", "decoder"),
        (_flow(home).open_coding().encoder, "encode.onnx", ""),
    ):
        again = copy.deepcopy(part)
        for parameter in again.parameters():
            torch.nn.init.normal_(parameter)
        load_weights(again.eval(), folder / file, within=within)
        given = torch.randn(2, 16)
        if within == "decoder":
            torch.testing.assert_close(again(given), part(given), atol=1e-4, rtol=1e-4)
        else:
            for name, value in part.state_dict().items():
                torch.testing.assert_close(again.state_dict()[name], value, msg=f"{file} {name}")


@pytest.mark.train
def test_codes_that_still_change_are_not_learned_from(home: Path, match: Path) -> None:
    recipe, run = _codes(home), home / "young"
    train(recipe, run, quiet=True, stop_after=1)
    write_about(run, "draw-codes", recipe)
    with pytest.raises(TrainError, match="still learns"):
        _flow(home, f"codes={run}").build_network()
    train(recipe, run, quiet=True, resume=True, stop_after=4)
    assert _flow(home, f"codes={run}").open_coding().encoder is not None


@pytest.mark.train
def test_only_sketches_are_refined(home: Path, match: Path) -> None:
    with pytest.raises(TrainError, match="draw-flow"):
        recipe_of("draw-refine", home, f"begin={match}")


@pytest.mark.train
def test_shipped_weights_can_be_gone_on_from_and_misfits_are_reported() -> None:
    painter = open_generator()
    space = torch.from_numpy(painter.place("a red rose"))[None]
    noise = torch.randn(1, painter.noise, generator=torch.Generator().manual_seed(0))
    wanted = DrawFlowSettings()
    flow, decoder, refiner = CodeFlow(width=wanted.width, depth=wanted.depth), CodeDecoder(), Refiner()
    load_shipped(flow, "sketch", within="flow")
    load_shipped(decoder, "sketch", within="decoder")
    load_shipped(refiner, "refine")
    load_shipped(PictureEncoder(channels=GRID_CHANNELS, code=painter.noise), "encode")
    generator = CodeGenerator(flow, decoder, steps=wanted.steps, guidance=wanted.guidance)
    with torch.no_grad():
        sketch = generator.eval()(space, noise)[0]
        refined = refiner.eval()(sketch, space)
    feeds = {"space": space.numpy(), "noise": noise.numpy()}
    shipped = painter._sketch.run(feeds, ["picture"])[0]
    np.testing.assert_allclose(sketch.numpy(), shipped, atol=1e-3)
    assert painter._refine is not None
    shipped = painter._refine.run({"sketch": sketch.numpy(), "space": space.numpy()}, ["picture"])[0]
    np.testing.assert_allclose(refined.numpy(), shipped, atol=1e-3)
    with pytest.raises(TrainError, match="shape"):
        load_shipped(CodeDecoder(channels=(16, 16, 8, 8, 8)), "sketch", within="decoder")
    with pytest.raises(CardError, match="part"):
        load_shipped(decoder, "nonsense")


def test_what_one_side_wants_does_not_reach_the_other() -> None:
    discriminator = Discriminator(space=6, width=8)
    maps = [torch.randn(3, c, 32 >> n, 32 >> n, requires_grad=True) for n, c in enumerate(CHANNELS)]
    space = torch.randn(3, 6)
    mixed = discriminator.project(maps)
    discriminator_loss(discriminator, mixed, mixed, space, space).backward()
    assert all(p.grad is not None for p in discriminator.heads.parameters())
    assert all(p.grad is None for p in (*discriminator.mix.parameters(), *discriminator.cross.parameters()))


def test_hinge_losses_are_those_of_the_formula() -> None:
    real = (torch.tensor([[[2.0]], [[0.5]]]), torch.tensor([[0.0], [3.0]]))
    drawn = (torch.tensor([[[-2.0]], [[0.0]]]), torch.tensor([[-3.0], [1.0]]))
    wrong = torch.tensor([[-1.0], [-0.5]])
    # alone: (0 + 0.5) / 2 + (0 + 1) / 2; fitting: (1 + 0) / 2 + ((0 + 0.5) / 2 + (0 + 2) / 2) / 2
    assert float(hinge_discriminator(real, wrong, drawn)) == pytest.approx(0.75 + 0.5 + 0.625)
    assert float(hinge_generator(drawn)) == pytest.approx(1 + 1)


def test_variety_is_asked_for_up_to_a_limit() -> None:
    photographs = [torch.randn(6, 3, 8, 8)]
    same, other = torch.zeros(6, 3, 8, 8), torch.randn(6, 3, 8, 8) * 3
    assert float(variety_loss([same], photographs, apart=0.6)) == pytest.approx(1)
    assert float(variety_loss([other], photographs, apart=0.6)) == 0


def test_unknown_features_are_refused(home: Path) -> None:
    with pytest.raises(UnknownNameError, match="lite0"):
        recipe_of("draw-match", home, "features=nonsense")
