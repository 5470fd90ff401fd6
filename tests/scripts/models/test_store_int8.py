"""Files of a model's folder in 8 bits: smaller, with a card that fits them, and nearly the same answers."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from scripts.models.store_int8 import store_files
from szem.runtime.cards import check_part, read_card
from szem.runtime.sessions import OnnxFile

SHIPPED = Path(__file__).resolve().parents[3] / "src" / "szem" / "weights" / "faces"


def test_the_card_follows_and_the_answers_stay(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    shutil.copytree(SHIPPED, folder)
    before = read_card(folder)
    store_files(folder, ["far"])
    after = read_card(folder)
    assert after.parts["far"].size_bytes < 0.7 * before.parts["far"].size_bytes
    assert (after.sha256, after.parts["near"]) == (before.sha256, before.parts["near"])
    file = check_part(after, folder, "far")  # size and checksum are those on the card
    names = [one.name for one in OnnxFile(file).outputs]
    (taken,) = OnnxFile(file).inputs
    shape = [n if isinstance(n, int) else 192 if place else 1 for place, n in enumerate(taken.shape)]
    feeds = {taken.name: np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)}
    for old, new in zip(*(OnnxFile(path).run(feeds, names) for path in (SHIPPED / "far.onnx", file)), strict=True):
        assert np.abs(new - old).max() < 0.1 * np.abs(old).max()
