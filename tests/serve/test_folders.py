"""file:// and gs:// under allowed folders: nothing outside is read or written, whatever the path says."""

import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from szem.errors import (
    DeniedError,
    FileMissingError,
    MediaError,
    StoreError,
    SzemError,
    TooLargeError,
    UnsupportedError,
)
from szem.serve.folders import AllowedFolders, list_pictures, read_listed
from szem.serve.settings import ServeSettings
from szem.serve.status import FieldsError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"A")
    (tmp_path / "in" / "deep" / "b c.png").write_bytes(b"B")
    (tmp_path / "secret.txt").write_bytes(b"S")
    (tmp_path / "inside-out").mkdir()
    (tmp_path / "inside-out" / "x").write_bytes(b"X")
    return tmp_path


@pytest.fixture
def folders(place: Path) -> AllowedFolders:
    return AllowedFolders(
        ServeSettings(
            read_folders=(place / "in",), write_folders=(place / "out",), buckets=(("pics", place / "bucket"),)
        )
    )


def read(folders: AllowedFolders, uri: str) -> bytes:
    return folders.read(uri, max_bytes=1000)


def test_files_below_an_allowed_folder_are_read(folders: AllowedFolders, place: Path) -> None:
    assert read(folders, f"file://{place}/in/a.png") == b"A"
    assert read(folders, f"file://{place}/in/deep/b%20c.png") == b"B"


def test_links_are_never_followed_wherever_they_lead(folders: AllowedFolders, place: Path) -> None:
    (place / "in" / "link.png").symlink_to(place / "in" / "a.png")
    (place / "in" / "around").symlink_to(place / "in" / "deep")
    (place / "in" / "hard.png").hardlink_to(place / "secret.txt")
    for name in ("link.png", "around/b%20c.png", "hard.png"):
        with pytest.raises(DeniedError):
            read(folders, f"file://{place}/in/{name}")
    (place / "out" / "around").symlink_to(place / "out")
    with pytest.raises(DeniedError, match="links are not followed"):
        folders.write(f"file://{place}/out/around/new", b"x")
    assert list((place / "out").iterdir()) == [place / "out" / "around"]


def test_a_folder_may_itself_be_reached_by_a_link_of_the_operators(place: Path) -> None:
    (place / "name").symlink_to(place / "in")
    folders = AllowedFolders(ServeSettings(read_folders=(place / "name",)))
    for name in ("name", "in"):
        assert read(folders, f"file://{place}/{name}/a.png") == b"A"


def test_the_pictures_of_a_folder_are_listed_without_its_links(place: Path) -> None:
    for name, target in (("l.png", place / "secret.txt"), ("far", place / "inside-out"), ("loop", place / "in")):
        (place / "in" / name).symlink_to(target)
    (place / "inside-out" / "x.png").write_bytes(b"X")
    (place / "in" / "h.png").hardlink_to(place / "inside-out" / "x.png")
    found = list_pictures((place / "in",), suffixes={".png"}, most=10)
    assert [path.relative_to(place / "in").as_posix() for path in found] == ["a.png", "deep/b c.png"]
    assert len(list_pictures((place / "in",), suffixes={".png"}, most=1)) == 1


def test_a_listed_picture_that_became_a_link_is_not_read(place: Path) -> None:
    (found,) = list_pictures((place / "in" / "deep",), suffixes={".png"}, most=10)
    assert read_listed(found, [place / "in" / "deep"]) == b"B"
    found.unlink()
    found.symlink_to(place / "secret.txt")
    with pytest.raises(MediaError, match="cannot be read any more"):
        read_listed(found, [place / "in" / "deep"])
    (place / "in" / "deep" / "b c.png").unlink()
    (place / "in" / "deep").rmdir()
    (place / "in" / "deep").symlink_to(place)
    (place / "b c.png").write_bytes(b"S")
    with pytest.raises(MediaError, match="cannot be read any more"):
        read_listed(found, [place / "in"])


def test_a_full_disk_is_reported_as_what_it_is_and_leaves_nothing(
    folders: AllowedFolders, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="the disk is full"):
        folders.write(f"file://{place}/out/a.json", b"x")
    assert list((place / "out").iterdir()) == []


def test_what_a_killed_server_left_is_swept_and_what_is_being_written_stays(
    folders: AllowedFolders, place: Path
) -> None:
    (place / "out" / "run").mkdir()
    for name in (".szem-0123.part", ".szem-4567.part", ".other.part", "a.json"):
        (place / "out" / "run" / name).write_bytes(b"half")
    with (place / "out" / "run" / ".szem-4567.part").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert folders.sweep(f"file://{place}/out/run/") == 1
    assert sorted(p.name for p in (place / "out" / "run").iterdir()) == [".other.part", ".szem-4567.part", "a.json"]
    assert folders.sweep(f"file://{place}/out/none/there/") == 0
    with pytest.raises(DeniedError):
        folders.sweep(f"file://{place}/in/")


ESCAPES = [
    "file://{0}/secret.txt",
    "file://{0}/in/../secret.txt",
    "file://{0}/in/%2e%2e/secret.txt",
    "file://{0}/in/deep/../../secret.txt",
    "file://{0}/in",
    "file://{0}/inside-out/x",
    "file://{0}/out/x",
    "file:///etc/passwd",
    "file:///proc/self/environ",
    "file://{0}/in/out-link/secret.txt",
    "file://{0}/in/file-link",
    "file://{0}/in/..\\secret.txt",
    "file://{0}/in/a.png\0.txt",
    "file://{0}/in/a.png%00.txt",
    "gs://pics/../secret.txt",
    "gs://pics/%2e%2e/secret.txt",
]


@pytest.mark.parametrize("uri", ESCAPES)
def test_nothing_outside_is_read(folders: AllowedFolders, place: Path, uri: str) -> None:
    (place / "in" / "out-link").symlink_to(place)
    (place / "in" / "file-link").symlink_to(place / "secret.txt")
    with pytest.raises((DeniedError, FileMissingError)):
        read(folders, uri.format(place))


@pytest.mark.parametrize(
    "uri", ["file://host/a.png", "file:a.png", "file://", "/etc/passwd", "http://x/", "", "file:///%ff"]
)
def test_what_is_no_uri_of_a_file_is_reported(folders: AllowedFolders, uri: str) -> None:
    with pytest.raises(FieldsError):
        read(folders, uri)


def test_a_bucket_that_is_not_mapped_is_reported(folders: AllowedFolders) -> None:
    with pytest.raises(UnsupportedError, match="--bucket NAME=DIR"):
        read(folders, "gs://other/a.png")


def test_a_bucket_stands_for_a_folder(folders: AllowedFolders, place: Path) -> None:
    folders.write("gs://pics/sub/out-1.json", b"{}")
    assert (place / "bucket" / "sub" / "out-1.json").read_bytes() == b"{}"
    assert read(folders, "gs://pics/sub/out-1.json") == b"{}"


def test_missing_large_and_strange_files_are_reported(folders: AllowedFolders, place: Path) -> None:
    (place / "in" / "large").write_bytes(b"x" * 1001)
    os.mkfifo(place / "in" / "pipe")
    with pytest.raises(FileMissingError, match="no such file"):
        read(folders, f"file://{place}/in/none.png")
    with pytest.raises(TooLargeError, match="1,001 bytes"):
        read(folders, f"file://{place}/in/large")
    with pytest.raises(MediaError, match="not a regular file"):
        read(folders, f"file://{place}/in/pipe")
    with pytest.raises(MediaError, match="not a regular file"):
        read(folders, f"file://{place}/in/deep")


@pytest.mark.parametrize(
    "uri",
    [
        "file://{0}/in/new",
        "file://{0}/new",
        "file://{0}/out/../new",
        "file://{0}/out/%2e%2e/new",
        "file://{0}/out/link/new",
        "file:///etc/new",
        "gs://pics/../new",
    ],
)
def test_nothing_outside_is_written(folders: AllowedFolders, place: Path, uri: str) -> None:
    (place / "out" / "link").symlink_to(place)
    before = sorted(place.rglob("*"))
    with pytest.raises(DeniedError):
        folders.check_prefix(uri.format(place))
    with pytest.raises(DeniedError):
        folders.write(uri.format(place), b"x")
    assert sorted(place.rglob("*")) == before


def test_a_file_appears_whole_and_leaves_nothing_beside_it(folders: AllowedFolders, place: Path) -> None:
    uri = f"file://{place}/out/new/folder/a.json"
    for data in (b"one", b"two"):
        folders.write(uri, data)
        assert [p.name for p in (place / "out" / "new" / "folder").iterdir()] == ["a.json"]
        assert (place / "out" / "new" / "folder" / "a.json").read_bytes() == data


def test_a_link_swapped_in_after_the_check_leads_nowhere(folders: AllowedFolders, place: Path) -> None:
    """One thread swaps a folder for a link to outside, over and over, while another reads through it."""
    real, link = place / "in" / "deep", place / "in" / "swap"
    (place / "outside").mkdir()
    (place / "outside" / "b c.png").write_bytes(b"SECRET")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            link.mkdir(exist_ok=True)
            (link / "b c.png").write_bytes(b"B")
            (link / "b c.png").unlink()
            link.rmdir()
            link.symlink_to(place / "outside")
            link.unlink()

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(400):
            try:
                assert read(folders, f"file://{place}/in/swap/b c.png") in (b"", b"B")
            except SzemError:
                continue
    finally:
        stop.set()
        thread.join(10)
    assert real.is_dir()
