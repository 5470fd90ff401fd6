"""Which classes rules may name."""

import json
from pathlib import Path

import pytest

from szem.guard.sources import all_labels, known_labels
from szem.runtime.store import user_folder
from szem.tasks.models import default_model


def test_classes_of_a_model_of_ones_own_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("SZEM_HOME", str(tmp_path))
    shipped = default_model("detect")
    card = json.loads((shipped.folder / "card.json").read_text())
    card |= {"name": "own", "labels": ["helmet", *shipped.labels[1:]]}
    own = user_folder() / "own"
    own.mkdir(parents=True)
    (own / "card.json").write_text(json.dumps(card))
    assert known_labels() == shipped.labels
    assert known_labels("own")[0] == "helmet"
    assert set(all_labels()) == {"helmet", *shipped.labels}
