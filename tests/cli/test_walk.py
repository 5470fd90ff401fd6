"""From what is typed to inputs, and the loop over them."""

import os
from pathlib import Path

import numpy as np
import pytest

from szem.cli.walk import Failure, Item, each_picture, find_files, report_failures
from szem.errors import FileMissingError, FormatError
from szem.media.pictures import PICTURE_SUFFIXES, write_picture
from szem.media.sound import SOUND_SUFFIXES
from szem.media.video import VIDEO_SUFFIXES


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    picture = np.zeros((2, 2, 3), np.uint8)
    for name in ("a/one.png", "a/two.jpg", "b/one.png", "b/deep/er/three.webp", "b/.hidden/no.png", "b/.no.png"):
        write_picture(tmp_path / name, picture)
    (tmp_path / "b" / "notes.txt").write_text("no picture")
    return tmp_path


def names(items: list[Item], tree: Path) -> list[str]:
    return [Path(item.name).relative_to(tree).as_posix() for item in items]


def test_folders_are_entered_at_all_levels_hidden_ones_are_not(tree: Path) -> None:
    items, failures = find_files([str(tree)])
    assert names(items, tree) == ["a/one.png", "a/two.jpg", "b/one.png", "b/deep/er/three.webp"]
    assert failures == []


def test_every_input_has_an_output_name_of_its_own(tree: Path) -> None:
    items, _ = find_files([str(tree)])
    assert [item.stem for item in items] == ["one", "two", "one-2", "three"]


def test_an_input_given_twice_is_taken_once(tree: Path) -> None:
    items, _ = find_files([str(tree / "a"), str(tree / "a" / "one.png"), str(tree / "a" / "*.png"), "-", "-"])
    assert [item.stem for item in items] == ["one", "two", "stdin"]


def test_a_file_named_outright_is_taken_whatever_it_is(tree: Path) -> None:
    items, failures = find_files([str(tree / "b" / "notes.txt")])
    assert len(items) == 1
    assert failures == []


def test_globs_find_pictures_only(tree: Path) -> None:
    items, _ = find_files([str(tree / "b" / "*")])
    assert names(items, tree) == ["b/deep/er/three.webp", "b/one.png"]


def test_the_folder_written_to_is_passed_over(tree: Path) -> None:
    items, _ = find_files([str(tree)], leave_out=tree / "b")
    assert names(items, tree) == ["a/one.png", "a/two.jpg"]


def test_numbers_in_names_count(tree: Path) -> None:
    for n in (10, 9, 100):
        write_picture(tree / "c" / f"{n}.png", np.zeros((1, 1, 3), np.uint8))
    items, _ = find_files([str(tree / "c")])
    assert [item.stem for item in items] == ["9", "10", "100"]


def test_links_that_go_round_in_circles_end(tree: Path) -> None:
    (tree / "a" / "again").symlink_to(tree)
    items, _ = find_files([str(tree / "a")])
    assert names(items, tree) == ["a/one.png", "a/two.jpg"]


def test_brackets_in_names_are_names_first(tree: Path) -> None:
    write_picture(tree / "[x].png", np.zeros((1, 1, 3), np.uint8))
    items, failures = find_files([str(tree / "[x].png")])
    assert len(items) == 1
    assert failures == []


@pytest.mark.parametrize("name", ["gone.png", "*.gone", "", "a\0b", "x" * 9000, "["])
def test_what_names_nothing_is_said(name: str) -> None:
    items, failures = find_files([name])
    assert items == []
    assert failures[0].missing


def test_an_empty_folder_is_named_with_what_was_looked_for(tmp_path: Path) -> None:
    told = {
        PICTURE_SUFFIXES: "no pictures in this folder",
        PICTURE_SUFFIXES | VIDEO_SUFFIXES: "no pictures or videos in this folder",
        SOUND_SUFFIXES | VIDEO_SUFFIXES: "no sounds or videos in this folder",
        VIDEO_SUFFIXES: "no videos in this folder",
    }
    for suffixes, reason in told.items():
        assert [f.reason for f in find_files([str(tmp_path)], suffixes=suffixes)[1]] == [reason]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_cannot_be_entered_is_said(tree: Path) -> None:
    (tree / "b").chmod(0)
    try:
        items, failures = find_files([str(tree)])
    finally:
        (tree / "b").chmod(0o755)
    assert len(items) == 2
    assert "cannot be entered" in failures[0].reason


def test_work_is_done_in_order_and_failures_are_kept(tree: Path) -> None:
    items, _ = find_files([str(tree)])
    (tree / "a" / "two.jpg").write_bytes(b"broken")
    done: list[str] = []
    failures: list[Failure] = []
    heard: list[Failure] = []

    def work(item: Item, picture: object) -> None:
        done.append(item.stem)
        if item.stem == "three":
            raise ZeroDivisionError("a fault of ours")

    each_picture(items, failures, work=work, failed=heard.append)
    assert done == ["one", "one-2", "three"]
    assert [Path(failure.name).name for failure in failures] == ["two.jpg", "three.webp"]
    assert "please report this" in failures[1].reason
    assert heard == failures


def test_a_reader_that_has_gone_ends_the_loop(tree: Path) -> None:
    items, _ = find_files([str(tree)])

    def work(item: Item, picture: object) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        each_picture(items, [], work=work)


def test_the_report_counts_and_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_failures([], total=3) == 0
    failures = [Failure("a.png", "a.png: damaged"), Failure("gone", "no such file", missing=True)]
    assert report_failures(failures, total=3) == 1
    assert capsys.readouterr().err == "szem: 2 of 4 could not be done:\n  a.png: damaged\n  gone: no such file\n"
    with pytest.raises(FileMissingError, match="gone: no such file"):
        report_failures(failures[1:], total=0)


def test_stdin_that_is_no_picture_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    class Fed:
        buffer = io.BytesIO(b"hello")

    monkeypatch.setattr(sys, "stdin", Fed())
    with pytest.raises(FormatError):
        Item("-", "stdin").read()
