"""What a run reads: folders, patterns, shards and tables, in parts that are the same each time."""

import io
import re
import tarfile
from pathlib import Path

import pytest

from szem.errors import FileMissingError, RangeError
from szem.media.samples import sample_path
from szem.scale.parts import InputPart, cut_into_parts, read_part
from szem.scale.places import Place
from tests.scale.runs import make_pictures

pytest.importorskip("pyarrow")
PNG = sample_path("cat").read_bytes()


def parts_of(*names: object, size: int = 0, takes: str = "picture") -> list[InputPart]:
    return list(cut_into_parts([Place(str(name)) for name in names], takes=takes, size=size))


def inputs_of(part: InputPart, *names: object) -> list[tuple[str, bytes, str]]:
    place = Place(str(names[part.place]))
    return [(one.name, one.data, one.error) for one in read_part(part, place, takes="picture")]


def test_parts_hold_every_file_once_in_order_and_grow(tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "in", 300)
    parts = parts_of(folder)
    paths = [path for part in parts for path in part.paths]
    assert paths == sorted(str(file) for file in folder.rglob("*.*"))
    assert [part.inputs for part in parts[:9]] == [16] * 8 + [32]
    assert parts == parts_of(folder)
    assert [InputPart.from_json(part.to_json()) for part in parts] == parts


def test_hidden_files_other_kinds_and_the_sink_are_passed_over(tmp_path: Path) -> None:
    for name in (".hidden.png", "notes.txt", "clip.mp4", "out/old.png", "a.png", "b.HEIC"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(PNG)
    found = list(cut_into_parts([Place(str(tmp_path))], takes="picture", leave_out=str(tmp_path / "out")))
    # HEIC is a picture: whether it can be read, reading says.
    assert [Path(path).name for part in found for path in part.paths] == ["a.png", "b.HEIC"]


def test_patterns_match_as_they_do_in_a_shell(tmp_path: Path) -> None:
    make_pictures(tmp_path / "in", 4)
    found = [Path(p).name for part in parts_of(tmp_path / "in" / "**" / "*[02].png") for p in part.paths]
    assert found == ["0000.png", "0002.png"]
    assert parts_of(tmp_path / "in" / "*.png") == []


def test_a_name_that_stands_for_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="no such file or folder"):
        parts_of(tmp_path / "nowhere")
    with pytest.raises(RangeError, match="gopherx"):
        parts_of("gopherx://example/pictures")


def test_a_webdataset_shard_is_one_part(tmp_path: Path) -> None:
    shard = tmp_path / "shard-000.tar"
    with tarfile.open(shard, "w") as tar:
        for name, data in (("1.jpg", PNG), ("1.json", b"{}"), ("2.png", PNG)):
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    (part,) = parts_of(tmp_path)
    assert [(name, error) for name, _, error in inputs_of(part, tmp_path)] == [
        (f"{shard}#1.jpg", ""),
        (f"{shard}#2.png", ""),
    ]
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])  # cut short, as a broken download is
    *done, last = inputs_of(part, tmp_path)
    assert [name for name, _, _ in done] in ([], [f"{shard}#1.jpg"])
    assert last[0] == str(shard)
    assert "damaged" in last[2]


def test_rows_of_parquet_files_are_inputs(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = tmp_path / "many.parquet"
    table = pa.table(
        {
            "label": [1, 2, 3],
            "image": [{"bytes": PNG, "path": "a"}, {"bytes": None, "path": "b"}] * 1 + [{"bytes": PNG, "path": "c"}],
        }
    )
    pq.write_table(table, file, row_group_size=2)
    first, second = parts_of(file)
    assert [(name, bool(data), error) for name, data, error in inputs_of(first, file)] == [
        (f"{file}#0", True, ""),
        (f"{file}#1", False, "no bytes in this row"),
    ]
    assert [name for name, _, _ in inputs_of(second, file)] == [f"{file}#2"]


def test_a_file_that_is_no_parquet_is_a_failure_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"no")
    (part,) = parts_of(tmp_path)
    ((name, _, error),) = inputs_of(part, tmp_path)
    assert name.endswith("x.parquet")
    assert re.search("cannot be read", error)


def test_a_file_that_is_gone_is_a_failure(tmp_path: Path) -> None:
    make_pictures(tmp_path, 2)
    part = parts_of(tmp_path)[0]
    (tmp_path / "a" / "0000.png").unlink()
    errors = {Path(name).name: error for name, _, error in inputs_of(part, tmp_path)}
    assert errors["0000.png"]
    assert not errors["0001.png"]
