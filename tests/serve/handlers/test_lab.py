"""The lab's two halves: what a worker holds, and the files that the server keeps so that any worker can go on."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from szem.errors import FormatError, NotFoundError
from szem.media.pictures import write_picture
from szem.media.samples import sample_path
from szem.runtime.cards import PictureInput
from szem.runtime.store import list_models
from szem.serve.handlers import lab as module
from szem.serve.handlers.lab import ForgottenError, Lab, LookSource, describe_look, search_strongest
from szem.serve.handlers.lab_files import LabFiles
from szem.serve.settings import ServeSettings
from szem.tasks.explain.top_activations import find_strongest
from szem.tasks.models import default_model

NETWORK = "efficientnet-lite0"


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it in a thread: a browser driven in this process keeps an event loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    rng = np.random.default_rng(0)
    for k in range(4):
        write_picture(tmp_path / f"{k}.png", rng.integers(0, 256, (40, 40, 3)).astype(np.uint8))
    return Lab(ServeSettings(read_folders=(tmp_path,)))


def test_a_worker_asks_for_files_that_it_does_not_hold(lab: Lab) -> None:
    look = LookSource(NETWORK, "a look")
    with pytest.raises(ForgottenError, match="the picture"):
        _run(describe_look(lab, look))
    with_files = LookSource(NETWORK, "a look", picture_data=sample_path("cat").read_bytes())
    first = _run(describe_look(lab, with_files))
    assert _run(describe_look(lab, look)) == first  # now it is held
    with pytest.raises(ForgottenError, match="the network"):
        lab.explorer(LookSource("sent-1"))
    with pytest.raises(NotFoundError, match="no network called 'nope'; there are"):
        lab.explorer(LookSource("nope"))


def test_a_search_reports_how_far_it_is(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fractions: list[Any] = []

    def cached(*arguments: Any, **options: Any) -> Any:
        return find_strongest(*arguments, cache=tmp_path / "cache", **options)

    monkeypatch.setattr(module, "find_strongest", cached)
    monkeypatch.setattr(module, "report_progress", fractions.append)
    first = _run(search_strongest(lab, LookSource(NETWORK), 0, 0))
    assert fractions == [0.25, 0.5, 0.75, 1.0]
    fractions.clear()
    assert _run(search_strongest(lab, LookSource(NETWORK), 0, 0)) == first
    assert fractions == [1.0]  # found on disk


def test_how_far_a_search_is_is_known_while_it_runs_only() -> None:
    files = LabFiles()
    note, end = files.search("net")
    assert files.searched("net") is None
    note(0.5)
    assert files.searched("net") == 0.5
    end()
    assert files.searched("net") is None


def test_files_come_back_for_another_worker_until_they_are_forgotten() -> None:
    files = LabFiles()
    sent = files.sent(b"network")
    assert sent == files.sent(b"network")  # the same file has the same name
    with pytest.raises(NotFoundError, match="send its file again"):
        files.begin(sent.network, b"picture")  # not judged yet
    files.keep_network(sent, "mine")
    look = files.begin(sent.network, b"picture")
    assert (look.network_data, look.picture_data) == (b"network", b"picture")
    bare = files.find(look.name)
    assert (bare.network_data, bare.picture_data) == (None, None)
    assert files.with_files(bare) == look
    for number in range(20):  # others push it out
        files.begin(sent.network, bytes([number]) * 10_000_000)
    with pytest.raises(NotFoundError, match="send it again"):
        files.find(look.name)
    with pytest.raises(NotFoundError, match="send it again"):
        files.with_files(bare)
    with pytest.raises(FormatError, match="no network came"):
        files.sent(b"")


def test_the_list_begins_with_the_classifier_whatever_else_is_installed() -> None:
    files = LabFiles()
    rows = files.networks()
    assert rows[0]["name"] == default_model("classify").name
    of_pictures = sorted(model.name for model in list_models() if isinstance(model.card.input, PictureInput))
    assert sorted(row["name"] for row in rows) == of_pictures
    tasks = [row["task"] for row in rows]
    assert tasks == sorted(tasks, key=lambda task: task != "classify")
    files.keep_network(files.sent(b"network"), "mine")
    assert files.networks()[-1]["title"] == "mine"
