"""From what is typed to inputs, and the loop over them."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from szem.cli.walk import Failure, Item, each_picture, find_files, report_failures
from szem.errors import FileMissingError, FormatError, StoreError
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
    reported = {
        PICTURE_SUFFIXES: "no pictures in this folder",
        PICTURE_SUFFIXES | VIDEO_SUFFIXES: "no pictures or videos in this folder",
        SOUND_SUFFIXES | VIDEO_SUFFIXES: "no sounds or videos in this folder",
        VIDEO_SUFFIXES: "no videos in this folder",
    }
    for suffixes, reason in reported.items():
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


@pytest.fixture
def without_heic(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the heic extra is not installed."""
    monkeypatch.setattr("szem.media.formats.find_spec", lambda _: None)


def unread(folder: Path) -> Path:
    """A folder with pictures that are read, that are not, and files of other kinds."""
    write_picture(folder / "good.png", np.zeros((2, 2, 3), np.uint8))
    heic = b"\0\0\0\x18ftypheic" + bytes(4) + b"mif1heic"
    for name, data in {
        "phone.HEIC": heic,
        "camera.nef": b"MM\0*",
        "late.jxl": b"\xff\x0a",
        "no-suffix": b"\xff\x0a\0\0",
        "film.mp4": b"",
        "notes.txt": b"II*\0",
        "x.json": b"{}",
        "renamed.heic": (folder / "good.png").read_bytes(),
    }.items():
        (folder / name).write_bytes(data)
    (folder / "also-no-suffix").write_bytes((folder / "good.png").read_bytes())
    return folder


@pytest.mark.usefixtures("without_heic")
def test_a_picture_that_is_not_read_is_named_with_its_format(tmp_path: Path) -> None:
    items, failures = find_files([str(unread(tmp_path))])
    # what a file is, its bytes say: a PNG without a suffix or under another one is taken
    assert {Path(item.name).name for item in items} == {"good.png", "also-no-suffix", "renamed.heic"}
    reasons = {Path(f.name).name: f.reason.partition(",")[0] for f in failures if not f.is_note}
    assert reasons == {
        "phone.HEIC": "HEIC",
        "camera.nef": "a camera's raw format",
        "late.jxl": "JPEG XL",
        "no-suffix": "JPEG XL",
    }
    assert [Path(f.name).name for f in failures if f.is_note] == ["film.mp4"]


@pytest.mark.usefixtures("without_heic")
def test_patterns_name_what_they_match_and_is_not_read(tmp_path: Path) -> None:
    unread(tmp_path)
    items, failures = find_files([str(tmp_path / "*.HEIC")])
    assert (items, [Path(f.name).name for f in failures]) == ([], ["phone.HEIC"])
    items, failures = find_files([str(tmp_path / "*.txt")])
    assert (items, [f.reason for f in failures]) == ([], ["no pictures match this pattern"])


@pytest.mark.usefixtures("without_heic")
def test_what_is_passed_over_decides_the_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, failures = find_files([str(unread(tmp_path))])
    assert report_failures(failures, total=3) == 1
    reported = capsys.readouterr().err
    assert "szem: 4 of 7 could not be done:" in reported
    assert f"szem: passed over: {tmp_path / 'film.mp4'}: a video, where pictures are looked for" in reported
    assert report_failures([f for f in failures if f.is_note], total=3) == 0


def test_files_of_other_kinds_are_named_by_their_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("good.png", "song.mp3", "clip.mp4", "talk.mp3"):
        (tmp_path / name).write_bytes(b"")
    _, failures = find_files([str(tmp_path)])
    assert report_failures(failures, total=1) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("clip.mp4: a video, where pictures are looked for")
    assert "song.mp3, " in second
    assert second.endswith("talk.mp3: a sound, where pictures are looked for")


def test_many_files_of_another_kind_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_picture(tmp_path / "good.png", np.zeros((2, 2, 3), np.uint8))
    for n in range(9):
        (tmp_path / f"{n}.wav").write_bytes(b"")
    _, failures = find_files([str(tmp_path)])
    assert report_failures(failures, total=1) == 0
    reported = capsys.readouterr().err
    assert reported.count("\n") == 1
    assert "4.wav and 4 more: a sound, where pictures are looked for" in reported


def test_a_file_that_is_called_dash_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = write_picture(tmp_path / "x.png", np.full((3, 4, 3), 7, np.uint8)).read_bytes()
    (tmp_path / "-").write_bytes(data)
    for typed in ("./-", "."):
        items, _ = find_files([typed])
        item = next(item for item in items if item.stem == "-")
        assert item.read().shape == (3, 4, 3)


def test_a_full_disk_ends_the_loop(tree: Path) -> None:
    items, _ = find_files([str(tree)])
    done: list[str] = []

    def work(item: Item, picture: object) -> None:
        done.append(item.stem)
        error = StoreError("x.jpg: cannot be written: the disk is full")
        error.errno = errno.ENOSPC
        raise error

    with pytest.raises(StoreError, match="the disk is full"):
        each_picture(items, [], work=work)
    assert len(done) == 1


def test_a_failure_without_a_name_is_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_failures([Failure("", "there is no word to draw")], total=1) == 1
    assert capsys.readouterr().err == "szem: there is no word to draw\n"
