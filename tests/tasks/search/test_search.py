"""tasks/search: the index follows the folder, survives damage, lists what is broken, and finds."""

import os
import shutil
import sqlite3
from pathlib import Path

import cv2
import numpy as np
import pytest

import szem
from szem.errors import FileMissingError, RangeError, StoreError
from szem.media.samples import read_sample
from szem.tasks.search import search as module
from szem.tasks.search.contact_sheet import contact_sheet
from szem.tasks.search.encoder import SearchEncoder, open_encoder
from szem.tasks.search.search import index_place, probability_of, rank_sentences, search, update_index

NAMES = ("cat", "coffee", "astronaut")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "pictures"
    (home / "deep").mkdir(parents=True)
    for name in NAMES:
        place = home / ("deep" if name == "coffee" else "") / f"{name}.jpg"
        cv2.imwrite(str(place), cv2.resize(read_sample(name)[..., ::-1], (160, 160)))
    (home / "broken.png").write_bytes(b"\x89PNG nothing")
    (home / "notes.txt").write_text("no picture")
    (home / ".hidden.jpg").write_bytes(b"")
    return home


@pytest.fixture
def encoder() -> SearchEncoder:
    return open_encoder(threads=1)


def encoded_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are encoded from now on."""
    seen: list[str] = []
    encode = module._encode
    monkeypatch.setattr(module, "_encode", lambda path, encoder: (seen.append(path.name), encode(path, encoder))[1])
    return seen


def test_pictures_are_found_and_broken_ones_reported(folder: Path, tmp_path: Path) -> None:
    hits = szem.search("a cat", folder, index=tmp_path / "x.index")
    assert {hit.path.name for hit in hits} == {f"{name}.jpg" for name in NAMES}
    assert hits.searched == 3
    assert hits[0].path.name == "cat.jpg"
    assert [hit.path.name for hit in hits.fitting] == ["cat.jpg"]
    assert list(hits.broken) == ["broken.png"]
    assert len(szem.search("a cat", folder, top=1, index=tmp_path / "x.index")) == 1


def test_nothing_fits_what_is_not_there(folder: Path, tmp_path: Path) -> None:
    hits = szem.search("two giraffes beside a train", folder, index=tmp_path / "x.index")
    assert hits.fitting == ()
    assert "none fits" in hits.summary()
    assert "Nothing fits" in contact_sheet(hits)


def test_a_picture_finds_its_like(folder: Path, tmp_path: Path) -> None:
    hits = szem.search(folder=folder, like=read_sample("cat"), index=tmp_path / "x.index")
    assert hits[0].path.name == "cat.jpg"
    assert hits[0].score > 0.9 > hits[1].score
    with pytest.raises(RangeError, match="got both"):
        szem.search("a cat", folder, like=read_sample("cat"))


def test_scores_are_those_of_the_picture_alone(folder: Path, tmp_path: Path, encoder: SearchEncoder) -> None:
    text = "a woman in an orange suit"
    for hit in search(text, folder, index=tmp_path / "x.index"):
        alone = probability_of(encoder, encoder.query(text), encoder.encode(szem.read_picture(hit.path)))
        assert hit.score == pytest.approx(alone, abs=2e-3)


def test_only_new_and_changed_files_are_encoded(
    folder: Path, tmp_path: Path, encoder: SearchEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SETTLED_NS", 0)
    index = tmp_path / "x.index"
    seen = encoded_files(monkeypatch)
    update_index(folder, encoder=encoder, file=index)
    assert sorted(seen) == ["astronaut.jpg", "broken.png", "cat.jpg", "coffee.jpg"]
    seen.clear()
    before = index.read_bytes()
    assert len(update_index(folder, encoder=encoder, file=index)) == 3
    assert not seen
    assert index.read_bytes() == before  # nothing to write either
    (folder / "cat.jpg").unlink()
    cv2.imwrite(str(folder / "new.jpg"), np.zeros((20, 20, 3), np.uint8))
    cv2.imwrite(str(folder / "broken.png"), np.zeros((20, 20, 3), np.uint8))  # repaired
    found = update_index(folder, encoder=encoder, file=index)
    assert sorted(seen) == ["broken.png", "new.jpg"]
    names = [state.name for state, _ in found.file.states_after("", 99)]
    assert names == ["astronaut.jpg", "broken.png", "deep/coffee.jpg", "new.jpg"]
    assert not found.broken


def test_folders_that_come_go_and_move_are_followed(
    folder: Path, tmp_path: Path, encoder: SearchEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COMPARED", 2)  # fewer than there are: most files are trusted to their folders
    monkeypatch.setattr(module, "_SETTLED_NS", 0)
    index = tmp_path / "x.index"

    def names() -> list[str]:
        found = update_index(folder, encoder=encoder, file=index)
        out = [state.name for state, fault in found.file.states_after("", 99) if not fault]
        found.file.close()
        return out

    assert names() == ["astronaut.jpg", "cat.jpg", "deep/coffee.jpg"]
    (folder / "deep" / "deeper").mkdir()
    shutil.copy(folder / "cat.jpg", folder / "deep" / "deeper" / "cat.jpg")
    assert names() == ["astronaut.jpg", "cat.jpg", "deep/coffee.jpg", "deep/deeper/cat.jpg"]
    (folder / "deep").rename(folder / "other")
    assert names() == ["astronaut.jpg", "cat.jpg", "other/coffee.jpg", "other/deeper/cat.jpg"]
    shutil.rmtree(folder / "other")
    assert names() == ["astronaut.jpg", "cat.jpg"]
    seen = encoded_files(monkeypatch)
    (folder / "cat.jpg").write_bytes((folder / "astronaut.jpg").read_bytes())  # in place: the folder has not changed
    for _ in range(2):
        names()
    assert seen == ["cat.jpg"]


def test_an_interruption_loses_little(
    folder: Path, tmp_path: Path, encoder: SearchEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TOGETHER", 1)
    monkeypatch.setattr(module, "_SAVE_EVERY", 2)

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update_index(folder, encoder=encoder, file=tmp_path / "x.index", progress=stop)
    seen = encoded_files(monkeypatch)
    assert len(update_index(folder, encoder=encoder, file=tmp_path / "x.index")) == 3
    assert len(seen) == 2


@pytest.mark.parametrize("data", [b"", b"nothing", b"PK\x03\x04 cut off", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_index_is_made_anew(folder: Path, tmp_path: Path, encoder: SearchEncoder, data: bytes) -> None:
    index = tmp_path / "x.index"
    index.write_bytes(data)
    assert len(update_index(folder, encoder=encoder, file=index)) == 3


def test_a_segment_that_was_damaged_is_encoded_again(
    folder: Path, tmp_path: Path, encoder: SearchEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "x.index"
    update_index(folder, encoder=encoder, file=index).file.close()
    with sqlite3.connect(index) as db:
        db.execute("UPDATE segments SET checksum = checksum + 1")
    db.close()
    seen = encoded_files(monkeypatch)
    found = update_index(folder, encoder=encoder, file=index)
    assert sorted(seen) == ["astronaut.jpg", "cat.jpg", "coffee.jpg"]
    assert len(found) == 3
    assert len(search("a cat", folder, index=index)) == 3


def test_where_the_index_lies(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    search("a cat", folder)
    assert index_place(folder).is_file()
    assert index_place(folder).is_relative_to(tmp_path / "home")
    assert index_place(folder) != index_place(folder / "deep")
    assert not list(folder.glob("*.index"))


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="needs POSIX links")
def test_links_to_nowhere_and_rings_of_links_do_no_harm(folder: Path, tmp_path: Path, encoder: SearchEncoder) -> None:
    (folder / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    (folder / "deep" / "round").symlink_to(folder)
    assert len(update_index(folder, encoder=encoder, file=tmp_path / "x.index")) == 3


def test_an_empty_folder_has_no_hits(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    hits = search("a dog", tmp_path / "empty", index=tmp_path / "x.index")
    assert (len(hits), hits.searched) == (0, 0)


def test_what_is_wrong_is_reported(folder: Path, tmp_path: Path, encoder: SearchEncoder) -> None:
    with pytest.raises(FileMissingError, match="no such folder"):
        search("a dog", tmp_path / "nowhere")
    with pytest.raises(RangeError, match="needs one word at least"):
        search(" . ", folder)
    with pytest.raises(RangeError, match="top must be at least 1"):
        search("a dog", folder, top=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="the index cannot be kept"):
        update_index(folder, encoder=encoder, file=tmp_path / "file" / "x.index")


def test_sentences_are_ranked() -> None:
    ranked = rank_sentences(read_sample("cat"), ["a dog", "people on a street", "a cat"])
    assert ranked[0][0] == "a cat"
    assert [score for _, score in ranked] == sorted((score for _, score in ranked), reverse=True)
    assert rank_sentences(read_sample("cat"), []) == []


def test_without_a_place_for_the_index_the_search_answers_all_the_same(
    folder: Path, encoder: SearchEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "file"))
    found = update_index(folder, encoder=encoder)
    assert len(found) == 3
    assert "the index cannot be kept" in found.unsaved


def test_pictures_of_formats_that_are_not_read_are_listed(
    folder: Path, encoder: SearchEncoder, tmp_path: Path
) -> None:
    (folder / "late.jxl").write_bytes(b"\xff\x0a")
    for _ in range(2):  # also when the index is kept
        found = update_index(folder, encoder=encoder, file=tmp_path / "x.index")
        assert "JPEG XL, which szem does not read" in found.broken["late.jxl"]
        assert len(found) == 3
