"""checkpoint.py: what is damaged is refused by its checksum, the generation before it is used, and both are said."""

import logging
import pickle
import random
from pathlib import Path

import pytest
import torch

from szem.errors import TrainError
from szem.train import checkpoint as module
from szem.train.checkpoint import load_checkpoint, previous_generation, save_checkpoint


def state(step: int) -> dict[str, object]:
    return {"step": step, "network": {"w": torch.full((20, 20), float(step))}, "name": "x"}


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Cut off, bits flipped, a stretch zeroed, or a byte of the beginning replaced."""
    out = bytearray(data)
    kind, at = rng.randrange(4), rng.randrange(len(out))
    if kind == 0:
        return bytes(out[:at])
    if kind == 1:
        for _ in range(rng.choice((1, 4, 20))):
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    elif kind == 2:
        out[at : at + 50] = bytes(50)
    else:
        out[at % 900] ^= 0xFF
    return bytes(out)


def test_every_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, state(3))
    good, rng = path.read_bytes(), random.Random(0)
    for _ in range(600):
        bad = damaged(good, rng)
        if bad == good:  # zeros over zeros
            continue
        path.write_bytes(bad)
        with pytest.raises(TrainError):
            load_checkpoint(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80\x02}q.", b"hello", pickle.dumps({"a": 1}), module.MAGIC, module.MAGIC + bytes(32)],
    ids=["empty", "broken pickle", "text", "pickle", "magic alone", "zeros for a checksum"],
)
def test_other_files_are_no_checkpoints(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(data)
    with pytest.raises(TrainError, match=r"checkpoint\.pt"):
        load_checkpoint(path)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").mkdir()
    with pytest.raises(TrainError, match="cannot be read"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def test_a_file_that_would_run_code_does_not(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "executed",)

    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"step": Attack()})  # whole, checksum and all
    with pytest.raises(TrainError, match="not a checkpoint of szem"):
        load_checkpoint(path)
    assert not (tmp_path / "executed").exists()


def test_the_generation_before_is_used_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, state(1))
    save_checkpoint(path, state(2))
    assert load_checkpoint(path)["step"] == 2
    path.write_bytes(path.read_bytes()[:-7])
    with caplog.at_level(logging.WARNING):
        assert load_checkpoint(path)["step"] == 1
    assert "damaged" in caplog.text
    assert str(previous_generation(path)) in caplog.text


def test_a_missing_newest_generation_is_made_good_by_the_one_before(tmp_path: Path) -> None:
    """Between the two renames of a save there is no newest one: a kill may fall there."""
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, state(1))
    path.replace(previous_generation(path))
    assert load_checkpoint(path)["step"] == 1


def test_a_full_disk_leaves_both_generations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, state(1))
    save_checkpoint(path, state(2))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(TrainError, match="No space left on device"):
        save_checkpoint(path, state(3))
    assert load_checkpoint(path)["step"] == 2
    assert load_checkpoint(previous_generation(path))["step"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.previous.pt", "checkpoint.pt"]
