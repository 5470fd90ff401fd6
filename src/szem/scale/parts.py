"""What a run reads, cut into parts. A part is what a worker takes and what appears in the results as one file.

The list of parts is made once, when a run starts, and kept beside the results: a run that goes on reads the same
inputs in the same parts.
"""

import json
import math
import tarfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from szem.errors import FormatError, SzemError
from szem.media.formats import recognize_suffix
from szem.media.pictures import PICTURE_SUFFIXES
from szem.media.sound import SOUND_SUFFIXES
from szem.media.video import VIDEO_SUFFIXES
from szem.scale.places import MOST_BYTES, Place, read_bytes, unreachable

__all__ = ["Input", "InputPart", "cut_into_parts", "first_inputs", "read_part"]

_SUFFIXES = {"picture": PICTURE_SUFFIXES, "sound": SOUND_SUFFIXES | VIDEO_SUFFIXES, "video": VIDEO_SUFFIXES}
_COLUMNS = ("bytes", "image", "content", "data", "jpg", "png")  # of a Parquet file: where the files are
_FIRST, _LARGEST, _SAME = 16, 1024, 8  # inputs in a part: few at first, so that small runs use all workers
_AHEAD = 4  # files read while another is worked on: a bucket answers late, but many at a time


@dataclass(frozen=True, kw_only=True)
class InputPart:
    """Inputs that are worked on together."""

    place: int  # which of the run's sources
    kind: str  # files, tar (a WebDataset shard), rows (a row group of a Parquet file), piece (of a video)
    paths: tuple[str, ...]
    inputs: int  # how many; 0 where only reading tells
    size_bytes: int
    group: int = 0  # of a Parquet file
    piece: tuple[float, float | None] | None = None  # of a video: begin and end in seconds

    def to_json(self) -> bytes:
        """One line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> "InputPart":
        """From one line."""
        values = json.loads(line)
        piece = values.get("piece")
        return cls(**{**values, "paths": tuple(values["paths"]), "piece": tuple(piece) if piece else None})


@dataclass(frozen=True)
class Input:
    """One picture, video or sound: what to call it, and its bytes or why there are none."""

    name: str
    data: bytes | str = b""  # of a video that is cut and lies on this machine: its path
    error: str = ""
    piece: tuple[float, float | None] | None = None


CutVideo = Callable[[bytes | str], list[tuple[float, float]]]


def cut_into_parts(
    places: Sequence[Place], *, takes: str, leave_out: str = "", size: int = 0, cut: CutVideo | None = None
) -> Iterator[InputPart]:
    """Every input of the places, in order, in parts.

    Args:
        places: Folders, files and patterns.
        takes: picture, sound or video.
        leave_out: The path of a folder that is passed over: the one that results go to.
        size: Inputs in a part; 0: from 16, growing to 1024.
        cut: Gives the pieces of a video, from its bytes or its path; each is a part.
    Raises:
        FileMissingError: a name stands for nothing.
        StoreError: a bucket cannot be reached.
    """
    number = 0
    for index, place in enumerate(places):
        paths: list[str] = []
        size_bytes = 0
        for path, file_bytes in place.files(leave_out=leave_out):
            suffix = Path(path).suffix.lower()
            if suffix == ".tar":
                yield InputPart(place=index, kind="tar", paths=(path,), inputs=0, size_bytes=file_bytes)
            elif suffix == ".parquet":
                yield from _row_groups(place, index, path)
            elif cut is not None and suffix in VIDEO_SUFFIXES:
                yield from _pieces(place, index, path, file_bytes, cut)
            elif path == place.name or _is_taken(suffix, takes):
                paths.append(path)
                size_bytes += file_bytes
                if len(paths) >= (size or _part_size(number)):
                    yield _files(index, paths, size_bytes)
                    number, paths, size_bytes = number + 1, [], 0
        if paths:
            yield _files(index, paths, size_bytes)
            number += 1


def _files(place: int, paths: list[str], size_bytes: int) -> InputPart:
    return InputPart(place=place, kind="files", paths=tuple(paths), inputs=len(paths), size_bytes=size_bytes)


def _part_size(number: int) -> int:
    return int(min(_LARGEST, _FIRST << min(number // _SAME, 6)))


def _is_taken(suffix: str, takes: str) -> bool:
    """Also of formats that are not read: those appear among the failures with their reason."""
    found = recognize_suffix(suffix)
    return suffix in _SUFFIXES[takes] or (found is not None and found.kind == takes)


def _pieces(place: Place, index: int, path: str, file_bytes: int, cut: CutVideo) -> Iterator[InputPart]:
    try:
        ends = [(begin, None if end == math.inf else end) for begin, end in cut(_video(place.open()[0], path))]
    except SzemError:  # reading it says why, as a failure of this file
        ends = [(0.0, None)]
    except OSError as error:
        raise unreachable(place.shown(path), error) from error
    for piece in ends:
        size_bytes = file_bytes // len(ends)
        yield InputPart(place=index, kind="piece", paths=(path,), inputs=1, size_bytes=size_bytes, piece=piece)


def _video(system: Any, path: str) -> bytes | str:
    """A video that lies on this machine is opened where it lies: it may be larger than what is held in memory."""
    return path if system.type_name == "local" else read_bytes(system, path)


def _row_groups(place: Place, index: int, path: str) -> Iterator[InputPart]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with place.open()[0].open_input_file(path) as file:
            about = pq.ParquetFile(file).metadata
            groups = [about.row_group(n) for n in range(about.num_row_groups)]
            sizes = [(group.num_rows, group.total_byte_size) for group in groups]
    except pa.ArrowInvalid:
        sizes = [(1, 0)]  # not a Parquet file: reading it says so, as a failure of this file
    except OSError as error:
        raise unreachable(place.shown(path), error) from error
    for group, (rows, size_bytes) in enumerate(sizes):
        yield InputPart(place=index, kind="rows", paths=(path,), inputs=rows, size_bytes=size_bytes, group=group)


def read_part(part: InputPart, place: Place, *, takes: str) -> Iterator[Input]:
    """The inputs of a part, in order; one that cannot be read comes with its reason.

    Raises:
        StoreError: the place does not answer: no fault of an input.
    """
    system, _ = place.open()
    if part.kind == "tar":
        yield from _tar(system, part.paths[0], place, takes)
    elif part.kind == "rows":
        yield from _rows(system, part, place)
    elif part.piece is not None:
        yield _file(system, part.paths[0], place, part.piece)
    else:
        yield from _ahead(part.paths, lambda path: _file(system, path, place))


def _file(system: Any, path: str, place: Place, piece: tuple[float, float | None] | None = None) -> Input:
    name = place.shown(path)
    try:
        if piece is not None:
            return Input(f"{name}#{piece[0]:g}", _video(system, path), piece=piece)
        return Input(name, read_bytes(system, path))
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        return Input(name, error=error.strerror or str(error))
    except SzemError as error:
        return Input(name, error=str(error))
    except OSError as error:
        raise unreachable(name, error) from error


def _ahead(paths: Sequence[str], read: Callable[[str], Input]) -> Iterator[Input]:
    waiting = iter(paths)
    with ThreadPoolExecutor(_AHEAD, thread_name_prefix="szem-read") as pool:
        coming = [pool.submit(read, path) for path in islice(waiting, _AHEAD)]
        while coming:
            yield coming.pop(0).result()
            coming += [pool.submit(read, path) for path in islice(waiting, 1)]


def _tar(system: Any, path: str, place: Place, takes: str) -> Iterator[Input]:
    shard = place.shown(path)
    count = 0
    try:
        with system.open_input_stream(path) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                if member.isfile() and Path(member.name).suffix.lower() in _SUFFIXES[takes]:
                    count += 1
                    name = f"{shard}#{member.name}"
                    if member.size > MOST_BYTES:
                        yield Input(name, error=f"more than {MOST_BYTES:,} bytes; split the file")
                        continue
                    file = tar.extractfile(member)
                    assert file is not None
                    yield Input(name, file.read())
    except (tarfile.TarError, EOFError) as error:
        yield Input(shard, error=f"the shard is damaged after {count} inputs ({error}); make it anew")
    except FileNotFoundError as error:
        yield Input(shard, error=str(error.strerror or error))
    except OSError as error:
        raise unreachable(shard, error) from error


def _rows(system: Any, part: InputPart, place: Place) -> Iterator[Input]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = part.paths[0]
    shown = place.shown(path)
    try:
        with system.open_input_file(path) as file:
            parquet = pq.ParquetFile(file)
            before = sum(parquet.metadata.row_group(n).num_rows for n in range(part.group))
            column = _column_of(parquet.schema_arrow, shown)
            for batch in parquet.iter_batches(batch_size=64, row_groups=[part.group], columns=[column]):
                for value in batch.column(0).to_pylist():
                    data = value.get("bytes") if isinstance(value, dict) else value
                    name = f"{shown}#{before}"
                    before += 1
                    yield Input(name, data) if data else Input(name, error="no bytes in this row")
    except (pa.ArrowInvalid, FormatError) as error:
        yield Input(shown, error=f"cannot be read ({error}); write it anew with a column of bytes")
    except FileNotFoundError as error:
        yield Input(shown, error=str(error.strerror or error))
    except OSError as error:
        raise unreachable(shown, error) from error


def _column_of(schema: Any, shown: str) -> str:
    """The column that holds the files: of bytes, or a struct with `bytes`, as Hugging Face's datasets write."""
    import pyarrow.types as kinds

    for name in _COLUMNS:
        if name in schema.names:
            kind = schema.field(name).type
            if kinds.is_binary(kind) or kinds.is_large_binary(kind) or kinds.is_struct(kind):
                return name
    raise FormatError(f"{shown}: no column of bytes called {', '.join(_COLUMNS)}; rename yours")


def first_inputs(parts: Iterator[InputPart], places: Sequence[Place], *, takes: str, count: int) -> Iterator[Input]:
    """The first inputs of a run, for a sample."""
    found = (one for part in parts for one in read_part(part, places[part.place], takes=takes))
    return islice(found, count)
