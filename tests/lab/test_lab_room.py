"""What the lab's server keeps: how far a search is, and that one search serves all who ask at once."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from szem.media.pictures import write_picture
from szem.runtime.cards import PictureInput
from szem.runtime.store import list_models
from szem.serve.handlers import lab as lab_room
from szem.serve.handlers.lab import LabHandler
from szem.serve.settings import ServeSettings
from szem.tasks.explain.top_activations import find_strongest
from szem.tasks.models import default_model


@pytest.fixture
def room(tmp_path: Path) -> LabHandler:
    rng = np.random.default_rng(0)
    for k in range(4):
        write_picture(tmp_path / f"{k}.png", rng.integers(0, 256, (40, 40, 3)).astype(np.uint8))
    return LabHandler(ServeSettings(read_folders=(tmp_path,)))


def test_a_search_tells_how_far_it_is_and_then_nothing(
    room: LabHandler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float | None] = []

    def watched(*arguments: Any, progress: Any, **options: Any) -> Any:
        def tell(share: float) -> None:
            progress(share)
            seen.append(room.searched("efficientnet-lite0"))

        return find_strongest(*arguments, progress=tell, cache=tmp_path / "cache", **options)

    monkeypatch.setattr(lab_room, "find_strongest", watched)
    assert room.searched("efficientnet-lite0") is None
    room.strongest("efficientnet-lite0")
    assert seen == [0.25, 0.5, 0.75, 1.0]
    assert room.searched("efficientnet-lite0") is None
    monkeypatch.setattr(lab_room, "find_strongest", lambda *_, progress, **__: progress(0.5) or 1 / 0)
    with pytest.raises(ZeroDivisionError):  # nor after a search that failed
        room.strongest("efficientnet-lite0")
    assert room.searched("efficientnet-lite0") is None


def test_two_who_ask_at_once_get_one_search(
    room: LabHandler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[float] = []

    def counted(*arguments: Any, progress: Any, **options: Any) -> Any:
        shares: list[float] = []
        found = find_strongest(*arguments, progress=shares.append, cache=tmp_path / "cache", **options)
        searches.append(len(shares))
        return found

    monkeypatch.setattr(lab_room, "find_strongest", counted)
    room.open("efficientnet-lite0")
    threads = [threading.Thread(target=room.strongest, args=("efficientnet-lite0",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(searches) == [1, 4]  # the second one found it on disk


def test_the_list_begins_with_the_classifier_whatever_else_is_installed(room: LabHandler) -> None:
    rows = room.networks()
    assert rows[0]["name"] == default_model("classify").name
    of_pictures = sorted(model.name for model in list_models() if isinstance(model.card.input, PictureInput))
    assert sorted(row["name"] for row in rows) == of_pictures
    tasks = [row["task"] for row in rows]
    assert tasks == sorted(tasks, key=lambda task: task != "classify")
