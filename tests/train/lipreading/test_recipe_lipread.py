"""Lip reading from drawn mouths and tones: views keep lips, sound and words together; it learns; ONNX agrees."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from szem.errors import FormatError, TrainError
from szem.media.sound import write_sound
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.lipreading.networks import FRAME_SAMPLES, LipNetworks, bands_of
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.lipreading import recipe_lipread as lipread
from szem.train.lipreading.augment import ViewRules, in_noise, make_view, plain_view, splice
from szem.train.lipreading.calibrate import fit_curve
from szem.train.lipreading.clips import LipClip
from szem.train.lipreading.recipe_lipread import LipreadRecipe
from szem.train.loop import train
from szem.train.recipes import load_recipe
from szem.train.release import export_run

WORDS = {"bin": (1, 12), "lay": (2, 30), "now": (3, 60)}  # word -> its label; grey of its mouth, pitch / 10
SMALL = ["width=16", "hidden=12", "dropout=0.0", "hold_back=2", "short=0.0", "splice=0.5", "loop.batch=4"]
SMALL += ["loop.lr=0.004", "loop.scores=1", "loop.ema=0.8", "loop.warmup=0.1", "loop.precision=float32"]


def draw_clip(words: tuple[str, ...], seed: int = 0) -> LipClip:
    """Each word is a grey level of the crop and a pitch, for seven frames, three apart, from frame five on."""
    rng = np.random.default_rng(seed)
    length = 30
    crops = rng.integers(0, 8, (length, 48, 80)).astype(np.uint8)
    labels, sound = np.zeros(length, np.int64), np.zeros(length * FRAME_SAMPLES, np.float32)
    spans = []
    for place, word in enumerate(words):
        label, pitch = WORDS[word]
        first = 5 + 10 * place
        crops[first : first + 7, 10:38, 20:60] += np.uint8(60 * label)
        labels[first : first + 7] = label
        part = slice(first * FRAME_SAMPLES, (first + 7) * FRAME_SAMPLES)
        sound[part] = 0.3 * np.sin(np.arange(7 * FRAME_SAMPLES) * pitch / 40)
        spans.append((label, first, first + 7))
    return LipClip(crops, np.rint(sound * 32767).astype(np.int16), labels, tuple(spans))


def test_spliced_clips_keep_words_and_frames_together() -> None:
    rng = np.random.default_rng(0)
    one, two = draw_clip(("bin", "lay")), draw_clip(("now", "now"))
    seen = set()
    for _ in range(40):
        both = splice(one, two, rng)
        assert len(both.sound) == len(both.crops) * FRAME_SAMPLES == len(both.labels) * FRAME_SAMPLES
        seen.add(tuple(label for label, _, _ in both.words))
        for label, first, last in both.words:
            assert (both.labels[first:last] == label).all()
            assert (both.crops[first:last, 20, 40] >= 60 * label).all()  # the mouth went with its word
            assert np.abs(both.sound[first * FRAME_SAMPLES : last * FRAME_SAMPLES]).max() > 5000
    assert seen == {(1, 3), (3, 2), (3, 3)}
    assert splice(one, draw_clip(("bin",)), rng) is one  # another number of words: no part fits


@pytest.mark.parametrize("frames", [30, 18])
def test_views_show_each_frame_what_it_is_asked_for(frames: int) -> None:
    rules = ViewRules(clean=1.0, shift_px=0, grow=0, turn_deg=0, cutout=0, frozen_frames=1)
    clip = draw_clip(("lay", "now"))
    for seed in range(6):
        view = make_view(clip, [clip], frames=frames, rules=rules, rng=np.random.default_rng(seed))
        assert view.crops.shape == (frames, 48, 80)
        assert view.mel.shape == (4 * frames, 64)
        speaking = view.labels > 0
        levels = view.crops[:, 24, 40].astype(int)
        if speaking.any() and (view.labels == 0).any():
            assert levels[speaking].min() > levels[view.labels == 0].max()
        assert set(view.labels[speaking]) == set(view.words)


def test_noise_comes_at_the_level_asked_for_and_bands_fit_frames() -> None:
    clip = draw_clip(("bin", "now"))
    noise = np.random.default_rng(0).standard_normal(len(clip.sound)).astype(np.float32)
    mixed = in_noise(clip, noise, snr_db=0.0).sound.astype(float)
    own = clip.sound.astype(float)
    fraction = float((mixed * own).sum() / (own * own).sum())  # the sum may have been turned down
    rest = mixed - fraction * own
    assert np.mean((fraction * own) ** 2) / np.mean(rest**2) == pytest.approx(1, rel=0.1)
    assert plain_view(clip).mel.shape == (120, 64)
    assert bands_of(np.zeros(10, np.float32), 3).shape == (12, 64)


def test_curve_finds_what_separates_right_from_wrong() -> None:
    rng = np.random.default_rng(1)
    measures = rng.normal(0, 1, (400, 2)) * (3, 5)
    is_so = measures[:, 0] + rng.normal(0, 0.5, 400) > 1
    curve = fit_curve(measures, is_so, pull=1e-4)
    guessed = measures @ curve[:-1] + curve[-1] > 0
    assert (guessed == is_so).mean() > 0.93
    assert abs(curve[1]) < 0.1 * curve[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve videos of two words; one has no face, one is not there."""
    home = tmp_path_factory.mktemp("spoken")
    rows = ["video,split,words,alignment_frames"]
    names = list(WORDS)
    for number in range(12):
        pair = (names[number % 3], names[number // 3 % 3])
        clip = draw_clip(pair, number)
        write_sound(home / f"{number}.wav", clip.sound.astype(np.float32) / 32768)
        np.save(home / f"{number}.npy", clip.crops)
        rows.append(f"{number}.wav,train,{' '.join(pair)},{pair[0]}:5-12 {pair[1]}:15-22")
    rows += ["faceless.wav,train,bin lay,bin:5-12 lay:15-22", "val.wav,val,bin,bin:5-12"]
    (home / "index.csv").write_text("\n".join(rows))
    return home


@pytest.fixture(scope="module")
def recipe(folder: Path) -> LipreadRecipe:
    def watch(path: Path) -> np.ndarray:
        if path.stem == "faceless":
            raise FormatError("no face")
        return np.load(path.with_suffix(".npy"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lipread, "watch_video", watch)
        places = [f"data={json.dumps(str(folder))}", f"clips={json.dumps(str(folder / 'clips'))}"]
        built = load_recipe("lipread", [*SMALL, "loop.steps=24", *places])
    assert isinstance(built, LipreadRecipe)
    return built


def test_recipe_keeps_clips_and_reports_what_it_left_out(recipe: LipreadRecipe, folder: Path) -> None:
    assert recipe.vocabulary == ("bin", "lay", "now")
    assert (len(recipe.training_items), len(recipe.held_out)) == (10, 2)
    assert [broken.name for broken in recipe.broken] == ["faceless.wav"]
    # kept clips are opened again without watching; watching would fail here, where there are no videos
    places = [f"data={json.dumps(str(folder))}", f"clips={json.dumps(str(folder / 'clips'))}"]
    again = load_recipe("lipread", [*SMALL, *places])
    assert np.array_equal(again.training_items[0].crops, recipe.training_items[0].crops)
    with pytest.raises(TrainError, match="held out"):
        load_recipe("lipread", [*SMALL, *places, "hold_back=11"])


def test_batches_are_the_same_for_the_same_numbers(recipe: LipreadRecipe) -> None:
    one, two = recipe.batch(range(4), 0.0), recipe.batch(range(4), 0.5)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert one["labels"].shape == (4, 75)
    assert not torch.equal(one["crops"], recipe.batch(range(4, 8), 0.0)["crops"])


@pytest.fixture(scope="module")
def run(recipe: LipreadRecipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("run") / "lips"
    outcome = train(recipe, place, quiet=True)
    assert outcome.is_done
    assert set(outcome.scores) == {"WER lips", "WER sound", "WER sound 0 dB", "WER both 0 dB"}
    return place


def test_it_learns(run: Path) -> None:
    losses = [float(row.split(",")[1]) for row in (run / "log.csv").read_text().splitlines()[1:]]
    assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:3])


@pytest.mark.slow
def test_exported_model_says_what_torch_says(
    recipe: LipreadRecipe, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("szem.train.lipreading.export.calibrate", lambda *_, **__: {"trust.word.lips.0": 1.0})
    card = export_run(recipe, run, tmp_path / "toy", command="test", recipe_name="lipread")
    assert card.labels == recipe.vocabulary
    assert set(card.parts) == {"listen", "join", "spell"}
    networks = LipNetworks(Session(Model(card, tmp_path / "toy")))
    net = recipe.build_network()
    net.load_state_dict(load_checkpoint(run / CHECKPOINT)["average"])
    net.eval()
    clip = recipe.held_out[0]
    sound = clip.sound.astype(np.float32) / 32768
    seen, heard = networks.watch(clip.crops), networks.listen(sound, len(clip.crops))
    with torch.no_grad():
        crops = torch.from_numpy(np.stack((clip.crops, clip.crops[:, :, ::-1]))).float()
        mel = torch.from_numpy(bands_of(sound, len(clip.crops)))[None].repeat(2, 1, 1)
        lips, ears = net.watcher(crops), net.listener(mel)
        for use, looks, listens in (("lips", 1.0, 0.0), ("sound", 0.0, 1.0), ("both", 1.0, 1.0)):
            _, words = net.joiner(lips, ears, torch.full((2,), looks), torch.full((2,), listens))
            wanted = words.softmax(-1).mean(0).log().numpy()
            found, _ = networks.join(None if use == "sound" else seen, None if use == "lips" else heard)
            assert np.abs(np.exp(found) - np.exp(wanted)).max() < 0.01, use
    read = networks.read(seen, heard)
    assert len(read.spans) == len(read.labels)
    assert read.spelled.attention.shape == (len(read.spelled.text), len(clip.crops))
    assert read.spelled.attention.sum(-1) == pytest.approx(1, abs=0.01)
