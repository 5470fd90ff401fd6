"""Where results go: names, one file or a folder, JSON and CSV on standard output."""

import json
from pathlib import Path

import numpy as np
import pytest

from szem.cli.outputs import (
    Destination,
    Stems,
    Targets,
    json_text,
    parse_ways,
    printable,
    refuse_own_source,
    refuse_two_tables,
)
from szem.errors import OverwriteError, RangeError, UnknownNameError
from szem.media.pictures import write_picture

PNG = frozenset((".png",))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/one.png", "b/one.png", "b/deep/er/three.webp"):
        write_picture(tmp_path / name, np.zeros((2, 2, 3), np.uint8))
    (tmp_path / "b" / "notes.txt").write_text("no picture")
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "inputs", "file"),
    [
        ("out.png", 1, "out.png"),  # a file, by its suffix
        ("out.PNG", 1, "out.PNG"),
        ("out", 1, "out/x.png"),  # no suffix: a folder
        ("out", 3, "out/x.png"),
        ("out.png/", 1, "out.png/x.png"),  # a slash: a folder
        ("out.v2/", 2, "out.v2/x.png"),
        ("there.png", 1, "there.png/x.png"),  # a folder that is there
        (".hidden", 1, ".hidden/x.png"),
    ],
)
def test_a_name_is_a_file_or_a_folder(
    typed: str, inputs: int, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.png").mkdir()
    to = Destination(typed, suffixes=PNG, inputs=inputs)
    assert to.file("x.png") == Path(file)
    assert to.is_file == (Path(file).name != "x.png")
    assert to.folder == Path(file).parent


def test_one_file_for_several_inputs_is_refused_with_a_folder_to_name() -> None:
    with pytest.raises(RangeError, match=r"--out out\.png names one file, and there are 2 inputs; .* --out out/"):
        Destination("out.png", suffixes=PNG, inputs=2)


def test_a_format_that_is_not_written_is_refused() -> None:
    with pytest.raises(RangeError, match=r"\.doc is not written here; a file ends with \.png, a folder with /"):
        Destination("out.doc", suffixes=PNG, inputs=1)
    with pytest.raises(RangeError, match=r"--srt x\.png: .* name a folder"):
        Destination("x.png", suffixes=(), inputs=1, option="--srt")


def test_json_is_read_by_the_strictest_reader() -> None:
    text = json_text({"file": "tükör\udcff", "score": float("nan"), "box": [float("inf"), 1.0]})
    assert text.isascii()

    def refuse(word: str) -> None:
        pytest.fail(word)

    assert json.loads(text, parse_constant=refuse) == {"file": "tükör\udcff", "score": None, "box": [None, 1.0]}


def test_two_tables_at_once_are_refused() -> None:
    refuse_two_tables(as_json=True, as_csv=False)
    with pytest.raises(RangeError, match="choose one"):
        refuse_two_tables(as_json=True, as_csv=True)


def test_what_to_write_is_read() -> None:
    assert parse_ways("video, json", ("video", "json", "csv")) == {"video", "json"}
    assert parse_ways("none", ("video",)) == frozenset()
    with pytest.raises(UnknownNameError, match="--write takes video, json or none, got gif"):
        parse_ways("gif", ("video", "json"))


def test_names_of_results_are_unique() -> None:
    stems = Stems()
    names = [stems.of(Path(name)) for name in ("a/x.png", "b/x.jpg", "c/X.png", "d\\.png", "..")]
    assert len({name.lower() for name in names}) == len(names)


def test_printable_keeps_letters_and_hides_controls() -> None:
    assert printable("tükör 目 👁.png") == "tükör 目 👁.png"
    assert printable("\x1b\r\n\udcff") == "\\x1b\\x0d\\x0a\\xdcff"


def test_an_input_is_never_written_to(tree: Path) -> None:
    source = tree / "a" / "one.png"
    (tree / "b" / "link.png").symlink_to(source)
    for target in (source, tree / "b" / ".." / "a" / "one.png", tree / "b" / "link.png"):
        for typed in (False, True):
            with pytest.raises(OverwriteError, match="one of the inputs"):
                refuse_own_source(target, [tree / "b" / "one.png", source], typed=typed)


def test_where_the_inputs_are_no_file_is_replaced(tree: Path) -> None:
    sources = [tree / "b" / "deep" / "er" / "three.webp", "-", "rtsp://camera/1", "gone.png", "a\0b"]
    beside, above = tree / "b" / "deep" / "er" / "mine.jpg", tree / "b" / "notes.txt"
    refuse_own_source(beside, sources)  # nothing there yet
    beside.write_text("mine")
    for target in (beside, above):
        with pytest.raises(OverwriteError, match="left alone"):
            refuse_own_source(target, sources)
        refuse_own_source(target, sources, typed=True)
    refuse_own_source(tree / "a" / "one.png", sources)  # a folder of its own
    refuse_own_source(tree / "a" / "one.png", [])


def test_two_inputs_of_a_run_never_share_a_result(tree: Path) -> None:
    targets = Targets([tree / "a" / "one.png"])
    assert targets.take(tree / "out" / "x.jpg") == tree / "out" / "x.jpg"
    with pytest.raises(OverwriteError, match="another input"):
        targets.take(tree / "out" / "." / "x.jpg")


def test_a_folder_that_is_written_to_is_swept_of_what_a_killed_run_left(tmp_path: Path) -> None:
    (tmp_path / ".szem-0123456789ab.part").write_bytes(b"half")
    Targets([]).take(tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []
