"""tasks/search/index.py: rows that are appended, replaced and removed are found or not, and rows given back."""

from pathlib import Path

import numpy as np
import pytest

from szem.errors import StoreError
from szem.tasks.search import index as module
from szem.tasks.search.index import FileState, IndexFile

WIDTH = 4


def put(index: IndexFile, first: int, count: int) -> None:
    rows = [
        (FileState(f"{n:04}.png", 1, n), np.full(WIDTH, n % 100, np.int8), "[]") for n in range(first, first + count)
    ]
    index.add(rows)


def order(index: IndexFile, count: int = 99) -> list[str]:
    return [one.name for one in index.best(np.ones(WIDTH, np.float32), count)]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IndexFile:
    monkeypatch.setattr(module, "_SEGMENT", 4)
    monkeypatch.setattr(module, "_TOGETHER", 3)
    return IndexFile(tmp_path / "x.index", identity="a", width=WIDTH)


def test_rows_are_appended_over_segments(index: IndexFile) -> None:
    for first, count in ((0, 3), (3, 1), (4, 6)):
        put(index, first, count)
    assert len(index) == 10
    assert order(index) == [f"{n:04}.png" for n in reversed(range(10))]
    assert order(index, 2) == ["0009.png", "0008.png"]
    assert index.check() == 0


def test_a_replaced_picture_is_found_once_with_its_new_row(index: IndexFile) -> None:
    put(index, 0, 3)
    index.add([(FileState("0000.png", 2, 2), np.full(WIDTH, 99, np.int8), "[]")])
    assert order(index) == ["0000.png", "0002.png", "0001.png"]
    index.add([], [(FileState("0000.png", 3, 3), "no longer readable")])
    assert order(index) == ["0002.png", "0001.png"]
    assert index.faults() == {"0000.png": "no longer readable"}


def test_rows_of_removed_pictures_are_given_back(index: IndexFile) -> None:
    put(index, 0, 20)
    size = index._db.execute("SELECT sum(length(rows)) FROM segments").fetchone()[0]
    index.remove([f"{n:04}.png" for n in range(0, 20, 2)])
    index.remove(["0001.png"])
    assert order(index) == [f"{n:04}.png" for n in reversed(range(3, 20, 2))]
    assert index._db.execute("SELECT sum(length(rows)) FROM segments").fetchone()[0] < size
    put(index, 30, 5)
    assert len(index) == len(order(index)) == 14
    assert index.check() == 0


def test_an_index_of_other_networks_is_begun_anew(index: IndexFile, tmp_path: Path) -> None:
    put(index, 0, 3)
    index.close()
    assert len(IndexFile(tmp_path / "x.index", identity="a", width=WIDTH)) == 3
    assert len(IndexFile(tmp_path / "x.index", identity="b", width=WIDTH)) == 0


def test_a_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="the index cannot be kept"):
        IndexFile(tmp_path / "file" / "x.index", identity="a", width=WIDTH)


def test_a_full_disk_is_reported_and_what_was_kept_stays(index: IndexFile) -> None:
    put(index, 0, 3)
    pages = index._db.execute("PRAGMA page_count").fetchone()[0]
    index._db.execute(f"PRAGMA max_page_count={pages}")
    many = [(FileState(f"{n}.png", 1, n), np.zeros(WIDTH, np.int8), "x" * 4000) for n in range(9)]
    with pytest.raises(StoreError, match=r"the index cannot be kept: .*the disk is full"):
        index.add(many)
    assert order(index) == ["0002.png", "0001.png", "0000.png"]
