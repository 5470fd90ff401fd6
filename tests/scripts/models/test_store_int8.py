"""Files of a model's folder in 8 bits: smaller, with a card that fits them, and nearly the same answers."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from scripts.models.store_int8 import store_files
from szem.runtime.cards import check_file, read_card
from szem.runtime.sessions import OnnxFile

SHIPPED = Path(__file__).resolve().parents[3] / "src" / "szem" / "weights" / "lipwords"


def test_the_card_follows_and_the_answers_stay(tmp_path: Path) -> None:
    folder = tmp_path / "lipwords"
    shutil.copytree(SHIPPED, folder)
    before = read_card(folder)
    store_files(folder, [Path(before.file).stem])
    after = read_card(folder)
    assert after.size_bytes < 0.7 * before.size_bytes
    assert after.sha256 != before.sha256
    file = check_file(after, folder)  # size and checksum are those on the card
    names = [one.name for one in OnnxFile(file).outputs]
    inputs = {
        one.name: np.random.default_rng(0).integers(0, 255, [n if isinstance(n, int) else 3 for n in one.shape])
        for one in OnnxFile(file).inputs
    }
    kind = {"tensor(uint8)": np.uint8}.get(OnnxFile(file).input_types[0], np.float32)
    feeds = {name: value.astype(kind) for name, value in inputs.items()}
    old, new = (OnnxFile(path).run(feeds, names)[0] for path in (SHIPPED / before.file, file))
    assert np.abs(new - old).max() < 0.1 * np.abs(old).max()
