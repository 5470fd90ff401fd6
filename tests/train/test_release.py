"""A run becomes a model in three precisions, or is refused; it is read back with its settings."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from szem.errors import TrainError, UnsupportedError
from szem.runtime.cards import PictureInput, check_file
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile
from szem.train.checkpoint import CHECKPOINT, save_checkpoint
from szem.train.quantize_search import ALLOWED_LOSS, Trial
from szem.train.release import Release, export_run
from szem.train.runs import open_run

sys.path.insert(0, str(Path(__file__).parent))
from toy import ToySettings

SIDE = 24
PICTURE = PictureInput(width_px=SIDE, height_px=SIDE, mean=(127.0,) * 3, scale=(128.0,) * 3)


class Small(nn.Module):
    """Two convolutions; with `is_fine`, all that matters is lost when it is computed in whole numbers."""

    def __init__(self, *, is_fine: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, padding=1)
        self.last = nn.Conv2d(32, 4, 1)
        if is_fine:
            with torch.no_grad():  # two equal large terms that cancel, and a small rest
                self.first.weight[1] = self.first.weight[0] = 50 * self.first.weight[0].abs()
                self.first.weight[1] *= 1.0005
                self.last.weight[:] = 0
                self.last.weight[:, 0], self.last.weight[:, 1] = 1, -1

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x)))


class SmallRecipe:
    """What `export_run` asks for."""

    held_split = "val"

    def __init__(self, *, has_samples: bool = True, is_fine: bool = False, has_score: bool = True) -> None:
        self.settings = ToySettings()
        self.has_samples, self.is_fine, self.has_score = has_samples, is_fine, has_score

    def build_network(self) -> nn.Module:
        torch.manual_seed(0)
        return Small(is_fine=self.is_fine)

    def release(self, network: nn.Module) -> Release:
        random = np.random.default_rng(0)
        pictures = [random.integers(150, 255, (SIDE, SIDE, 3)).astype(np.uint8) for _ in range(16)]

        def score(file: Path, given: PictureInput) -> float:
            """The correlation of the outputs with the network's."""
            (found,) = OnnxFile(file).run({"picture": prepare_picture(pictures[0], given)}, ["scores"])
            wanted = network(torch.from_numpy(prepare_picture(pictures[0], PICTURE))).detach().numpy()
            return float(np.corrcoef(found.ravel(), wanted.ravel())[0, 1])

        return Release(
            task="segment",
            head="scores",
            summary="Small.",
            network=network,
            outputs={"scores": "scores"},
            input=PICTURE,
            labels=("a", "b", "c", "d"),
            training_data=(),
            samples=(lambda given: [prepare_picture(p, given) for p in pictures]) if self.has_samples else None,
            score=score if self.has_score else None,
        )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "run" / CHECKPOINT, {"average": SmallRecipe().build_network().state_dict()})
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("precision", "off"),
    [("float32", 1e-4), ("float16", 0.01), ("int8", 0.2)],  # largest difference, of the largest value
)
def test_a_run_becomes_a_model(run: Path, tmp_path: Path, precision: str, off: float) -> None:
    recipe = SmallRecipe()
    card = export_run(recipe, run, tmp_path / "m", command="c", recipe_name="r", precision=precision)
    assert card.precision == precision
    file = check_file(card, tmp_path / "m")
    picture = np.random.default_rng(1).integers(150, 255, (SIDE, SIDE, 3)).astype(np.uint8)
    (found,) = OnnxFile(file).run({"picture": prepare_picture(picture, card.picture)}, ["scores"])
    scaled = prepare_picture(picture, recipe.release(nn.Identity()).input)
    expected = recipe.build_network()(torch.from_numpy(scaled)).detach().numpy()
    assert np.abs(found - expected).max() <= off * np.abs(expected).max()
    assert str(tmp_path).encode() not in file.read_bytes()  # nothing of this machine


# Largest loss allowed, which trial is then taken, precision: 8-bit arithmetic spoils the network, and where even
# an equal score is not enough, nothing is left but float.
SPOILT = [(ALLOWED_LOSS, -1, "int8"), (-0.5, 0, "float16")]


@pytest.mark.parametrize(("allowed_loss", "taken", "precision"), SPOILT)
def test_a_network_that_8_bit_arithmetic_spoils_stays_float(
    tmp_path: Path, allowed_loss: float, taken: int, precision: str
) -> None:
    recipe = SmallRecipe(is_fine=True)
    save_checkpoint(tmp_path / "run" / CHECKPOINT, {"average": recipe.build_network().state_dict()})
    tried: list[Trial] = []
    card = export_run(
        recipe,
        tmp_path / "run",
        tmp_path / "m",
        command="c",
        recipe_name="r",
        precision="int8",
        allowed_loss=allowed_loss,
        on_trials=tried.extend,
    )
    assert tried[taken].is_taken
    assert tried[0].score - max(trial.score for trial in tried[1:-1]) > ALLOWED_LOSS
    assert (card.precision, card.picture.dtype) == (precision, "uint8" if precision == "int8" else "float32")
    assert [file.name for file in sorted((tmp_path / "m").iterdir())] == ["card.json", "model.onnx"]


@pytest.mark.parametrize(
    ("precision", "match"), [("int8", "held out of the training, and here nothing is"), ("int4", "there are float32")]
)
@pytest.mark.parametrize("lacks", ["has_samples", "has_score"])
def test_what_is_not_written_is_said(run: Path, tmp_path: Path, precision: str, match: str, lacks: str) -> None:
    recipe = SmallRecipe(**{lacks: False})
    with pytest.raises(UnsupportedError, match=match):
        export_run(recipe, run, tmp_path / "m", command="c", recipe_name="r", precision=precision)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (None, r"not the folder of a run, it has no run\.json"),
        ("{", "not the folder of a run"),
        ("[]", "does not say recipe, settings and command"),
        (json.dumps({"recipe": "road", "command": "c", "settings": 3}), "settings must be fields and values"),
    ],
)
def test_what_is_no_run_is_named(tmp_path: Path, text: str | None, match: str) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(TrainError, match=match):
        open_run(tmp_path)
