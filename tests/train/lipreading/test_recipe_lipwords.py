"""Words from lips: parts by speaker, clips of any length, a run that becomes a model, what the task makes of it."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch

from szem.data.lip_words import TEST_SPEAKERS, read_lip_takes
from szem.errors import ShapeError, UnknownNameError
from szem.results.mouth import MouthTrack
from szem.runtime.store import Model
from szem.tasks.evaluate import evaluate
from szem.tasks.lipreading.single_words import LipWordReader, fit_clip, tight_crops
from szem.train.lipreading.recipe_lipwords import LipWordsRecipe, LipWordsSettings
from szem.train.loop import train
from szem.train.recipe import Loop
from szem.train.release import export_run

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four speakers say "open" (a mouth that opens), "wide" (one that widens) and the phrase "shut up"."""
    folder = tmp_path_factory.mktemp("takes")
    (folder / "clips").mkdir()
    rows = []
    for speaker in ("A1", "A2", *TEST_SPEAKERS[:2]):
        for kind, text in (("word", "open"), ("word", "wide"), ("phrase", "shut up")):
            name = f"clips/{speaker}_{text.replace(' ', '')}.mp4"
            _write(folder / name, text, light=90 + 20 * len(rows) % 80)
            rows.append((name, speaker, kind, text, 1, 9))
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("video", "speaker", "kind", "text", "take", "frames"), *rows])
    return folder


def _write(path: Path, text: str, *, light: int) -> None:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 15, (128, 80))
    for number in range(9):
        part = np.sin(np.pi * number / 8)
        tall = 6 + 24 * part * (text == "open")
        wide = 30 + 26 * part * (text == "wide")
        frame = np.full((80, 128, 3), light, np.uint8)
        cv2.ellipse(frame, (64, 40), (int(wide), int(tall)), 0, 0, 360, (20, 20, 20), -1)
        video.write(frame)
    video.release()


@pytest.fixture(scope="module")
def model(takes: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("run")
    loop = Loop(steps=30, batch=8, lr=3e-3, ema=0.8, scores=1)
    recipe = LipWordsRecipe(LipWordsSettings(data=takes, loop=loop, channels=(6, 8, 8), width=16, mixing=0.0))
    train(recipe, folder, device="cpu")
    (folder / "run.json").write_text('{"settings": {"loop": {"seed": 0}}}', encoding="utf-8")
    card = export_run(recipe, folder, folder / "toy", command="szem train lipwords", recipe_name="lipwords")
    return Model(card, folder / "toy")


def test_nobody_is_in_two_parts(takes: Path) -> None:
    learned = {take.speaker for take in read_lip_takes(takes, split="train")}
    tested = {take.speaker for take in read_lip_takes(takes, split="test")}
    assert learned == {"A1", "A2"}
    assert tested == set(TEST_SPEAKERS[:2])
    assert {take.speaker for take in read_lip_takes(takes, split="A1")} == {"A1"}
    with pytest.raises(UnknownNameError, match="A1, A2"):
        read_lip_takes(takes, split="B9")


def test_watched_speakers_are_not_learned_from(takes: Path) -> None:
    recipe = LipWordsRecipe(LipWordsSettings(data=takes, watch=("A2",)))
    assert {take.speaker for take in recipe.training_items} == {"A1"}
    assert {take.speaker for take in recipe.watching} == {"A2"}
    assert recipe.words == ("open", "wide", "shut up")  # words first


def test_the_same_numbers_give_the_same_batch(takes: Path) -> None:
    recipe = LipWordsRecipe(LipWordsSettings(data=takes))
    one, other = recipe.batch(range(6), 0.0), recipe.batch(range(6), 0.9)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert one["crops"].shape == (6, 14, 32, 48)
    torch.testing.assert_close(one["goal"].sum(dim=1), torch.ones(6))


def test_the_model_is_shipped_with_its_speakers_and_gives_torchs_numbers(model: Model) -> None:
    assert "A1, A2" in model.card.training_data[0].name  # export itself refuses where torch and ONNX differ
    assert model.labels == ("open", "wide", "shut up")


def test_the_task_answers_within_the_kind_asked_for(model: Model, takes: Path) -> None:
    reader = LipWordReader(model)
    take = read_lip_takes(takes, split="A1")[0]
    for kind, allowed in (("word", {"open", "wide"}), ("phrase", {"shut up"}), ("any", {"open", "wide", "shut up"})):
        (found,) = reader([take.frames], [0.6], kind=kind)
        assert {label.name for label in found.items} == allowed
        assert sum(label.score for label in found.items) == pytest.approx(1, abs=1e-4)
    (mirrored,) = reader([take.frames[..., ::-1]], [0.6])
    (plain,) = reader([take.frames], [0.6])
    assert [x.score for x in mirrored.items] == pytest.approx([x.score for x in plain.items], abs=0.02)
    with pytest.raises(ShapeError, match="at least 3 frames"):
        reader([take.frames[:2]], [0.1])
    with pytest.raises(UnknownNameError, match="no kind called"):
        reader([take.frames], [0.6], kind="song")


def test_scores_are_taken_by_kind_and_by_speaker(model: Model, takes: Path) -> None:
    found = {row.metric: row for row in evaluate(model, takes, split="test")}
    assert found["words right"].n == 4
    assert found["phrases right"].value == 1  # there is only one phrase
    assert {f"words right, {speaker}" for speaker in TEST_SPEAKERS[:2]} <= found.keys()


@pytest.mark.parametrize("frames", [3, 9, 14, 40])
def test_a_clip_of_any_length_keeps_its_ends(frames: int) -> None:
    clip = np.repeat(np.arange(frames, dtype=np.uint8)[:, None, None], 20, axis=1).repeat(30, axis=2)
    fitted = fit_clip(clip, frames=14, size=(32, 48))
    assert fitted.shape == (14, 32, 48)
    np.testing.assert_allclose(fitted[:, 5, 5], np.linspace(0, frames - 1, 14), atol=1e-4)


def test_crops_of_a_track_are_cut_about_the_lips() -> None:
    n = 4
    lips = np.zeros((n, 20, 2), np.float32)
    lips[:, 0], lips[:, 6] = (100, 100), (140, 100)  # 40 pixels wide
    corners = np.tile(np.array([(80, 76), (160, 76), (160, 124), (80, 124)], np.float32), (n, 1, 1))
    crops: NDArray[np.uint8] = np.zeros((n, 48, 80), np.uint8)
    track = MouthTrack(
        crops=crops,
        valid=np.ones(n, np.bool_),
        times_s=np.arange(n) / 25,
        boxes_xyxy=np.zeros((n, 4), np.float32),
        corners_xy=corners,
        points_xy=lips,
        eyes_px=np.full(n, 62, np.float32),
        faces=np.ones(n, np.int64),
        width=300,
        height=300,
    )
    assert tight_crops(track).shape == (n, 28, 45)  # 40 · 1.12 wide, in the shape of 128 × 80
