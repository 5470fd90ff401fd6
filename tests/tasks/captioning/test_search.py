"""tasks/captioning/search.py: the index follows the folder, survives damage, lists what is broken, and finds."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

import szem
from szem.errors import FileMissingError, RangeError, StoreError
from szem.media.samples import read_sample
from szem.tasks.captioning import search as module
from szem.tasks.captioning.caption import Captioner, open_captioner
from szem.tasks.captioning.search import index_place, rank_sentences, read_index, search, update_index

NAMES = ("cat", "coffee", "astronaut")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "pictures"
    (home / "deep").mkdir(parents=True)
    for name in NAMES:
        place = home / ("deep" if name == "coffee" else "") / f"{name}.jpg"
        cv2.imwrite(str(place), cv2.resize(read_sample(name)[..., ::-1], (96, 96)))
    (home / "broken.png").write_bytes(b"\x89PNG nothing")
    (home / "notes.txt").write_text("no picture")
    (home / ".hidden.jpg").write_bytes(b"")
    return home


@pytest.fixture
def captioner() -> Captioner:
    return open_captioner(threads=1)


def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are looked at from now on."""
    seen: list[str] = []
    look = module._look_at
    monkeypatch.setattr(
        module, "_look_at", lambda path, captioner: (seen.append(path.name), look(path, captioner))[1]
    )
    return seen


def test_pictures_are_found_and_broken_ones_reported(folder: Path, tmp_path: Path) -> None:
    hits = szem.search("a cat", folder, index=tmp_path / "x.index")
    assert {hit.path.name for hit in hits} == {f"{name}.jpg" for name in NAMES}
    assert hits.searched == 3
    assert list(hits.broken) == ["broken.png"]
    assert len(szem.search("a cat", folder, top=1, index=tmp_path / "x.index")) == 1


def test_scores_are_the_cosines(folder: Path, tmp_path: Path, captioner: Captioner) -> None:
    hits = search("a woman in a suit", folder, index=tmp_path / "x.index")
    for hit in hits:
        alone = captioner.picture_places([szem.read_picture(hit.path)])[0] @ captioner.place(["a woman in a suit"])[0]
        assert hit.score == pytest.approx(float(alone), abs=2e-3)


def test_only_new_and_changed_files_are_looked_at(
    folder: Path, tmp_path: Path, captioner: Captioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "x.index"
    seen = looked_at(monkeypatch)
    update_index(folder, captioner=captioner, file=index)
    assert sorted(seen) == ["astronaut.jpg", "broken.png", "cat.jpg", "coffee.jpg"]
    seen.clear()
    before = index.stat().st_mtime_ns
    assert len(update_index(folder, captioner=captioner, file=index)) == 3
    assert not seen
    assert index.stat().st_mtime_ns == before  # nothing to write either
    (folder / "cat.jpg").unlink()
    cv2.imwrite(str(folder / "new.jpg"), np.zeros((20, 20, 3), np.uint8))
    cv2.imwrite(str(folder / "broken.png"), np.zeros((20, 20, 3), np.uint8))  # repaired
    found = update_index(folder, captioner=captioner, file=index)
    assert sorted(seen) == ["broken.png", "new.jpg"]
    assert sorted(f.name for f in found.files) == ["astronaut.jpg", "broken.png", "deep/coffee.jpg", "new.jpg"]
    assert not found.broken


def test_an_interruption_loses_little(
    folder: Path, tmp_path: Path, captioner: Captioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TOGETHER", 1)
    monkeypatch.setattr(module, "_SAVE_EVERY", 2)
    index = tmp_path / "x.index"

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update_index(folder, captioner=captioner, file=index, progress=stop)
    seen = looked_at(monkeypatch)
    assert len(update_index(folder, captioner=captioner, file=index)) == 3
    assert len(seen) == 2
    assert not list(tmp_path.glob("*.part"))


DAMAGE = [b"", b"nothing", b"PK\x03\x04 cut off"]


@pytest.mark.parametrize("data", DAMAGE)
def test_a_damaged_index_is_made_anew(folder: Path, tmp_path: Path, captioner: Captioner, data: bytes) -> None:
    index = tmp_path / "x.index"
    index.write_bytes(data)
    assert read_index(index, folder=folder, model="any") is None
    assert len(update_index(folder, captioner=captioner, file=index)) == 3


def test_an_index_that_lies_is_made_anew(folder: Path, tmp_path: Path, captioner: Captioner) -> None:
    index = tmp_path / "x.index"
    good = update_index(folder, captioner=captioner, file=index)
    about = {"format": 1, "model": good.model, "files": [["a.jpg", 1, 1]] * 9, "broken": []}
    for space in (good.space, np.full((9, 4), np.nan, np.float16), np.zeros((9, 4), np.float64)):
        with index.open("wb") as file:
            np.savez(file, about=np.frombuffer(json.dumps(about).encode(), np.uint8), space=space)
        assert read_index(index, folder=folder, model=good.model) is None
    pickled = np.array([{"a": 1}], dtype=object)
    with index.open("wb") as file:
        np.savez(file, about=pickled, space=good.space)
    assert read_index(index, folder=folder, model=good.model) is None


def test_where_the_index_lies(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    search("a cat", folder)
    assert index_place(folder).is_file()
    assert index_place(folder).is_relative_to(tmp_path / "home")
    assert index_place(folder) != index_place(folder / "deep")
    assert not list(folder.glob("*.index"))


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="needs POSIX links")
def test_links_to_nowhere_and_rings_of_links_do_no_harm(folder: Path, tmp_path: Path, captioner: Captioner) -> None:
    (folder / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    (folder / "deep" / "round").symlink_to(folder)
    found = update_index(folder, captioner=captioner, file=tmp_path / "x.index")
    assert len(found) == 3


def test_an_empty_folder_has_no_hits(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    hits = search("a dog", tmp_path / "empty", index=tmp_path / "x.index")
    assert (len(hits), hits.searched) == (0, 0)


def test_what_is_wrong_is_reported(folder: Path, tmp_path: Path, captioner: Captioner) -> None:
    with pytest.raises(FileMissingError, match="no such folder"):
        search("a dog", tmp_path / "nowhere")
    with pytest.raises(RangeError, match="needs one word at least"):
        search(" . ", folder)
    with pytest.raises(RangeError, match="top must be at least 1"):
        search("a dog", folder, top=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="the index cannot be kept"):
        update_index(folder, captioner=captioner, file=tmp_path / "file" / "x.index")


def test_sentences_are_ranked() -> None:
    ranked = rank_sentences(read_sample("cat"), ["a dog", "people on a street", "a cat"])
    assert {text for text, _ in ranked} == {"a dog", "people on a street", "a cat"}
    assert [score for _, score in ranked] == sorted((score for _, score in ranked), reverse=True)
    assert rank_sentences(read_sample("cat"), []) == []


def test_without_a_place_for_the_index_the_search_answers_all_the_same(
    folder: Path, captioner: Captioner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "file"))
    found = update_index(folder, captioner=captioner)
    assert len(found) == 3
    assert "the index cannot be kept" in found.unsaved


def test_pictures_of_formats_that_are_not_read_are_listed(folder: Path, captioner: Captioner, tmp_path: Path) -> None:
    (folder / "late.jxl").write_bytes(b"\xff\x0a")
    for _ in range(2):  # also when the index is kept
        found = update_index(folder, captioner=captioner, file=tmp_path / "x.index")
        reasons = {file.name: why for file, why in found.broken}
        assert "JPEG XL, which szem does not read" in reasons["late.jxl"]
        assert len(found) == 3


def test_what_a_killed_search_left_is_swept(folder: Path, captioner: Captioner, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / ".szem-0123456789ab.part").write_bytes(b"half")
    update_index(folder, captioner=captioner, file=tmp_path / "index" / "x")
    assert [path.name for path in (tmp_path / "index").iterdir()] == ["x"]
