"""Folders and buckets: how a name becomes a file system and a path, what lies there, and how results are written.

Local folders, `s3://` and `gs://` are opened by pyarrow, any other scheme by fsspec. This file does not know tasks.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from szem.errors import FileMissingError, RangeError, StoreError, TooLargeError
from szem.files import sweep_folder, write_error, write_file

__all__ = ["MOST_BYTES", "Place", "Sink", "is_remote", "read_bytes", "unreachable"]

MOST_BYTES = 1 << 30  # of one input
_MAGIC = re.compile(r"[*?\[]")


def is_remote(name: str) -> bool:
    """Whether a name is an address such as `s3://bucket/folder`.

    >>> is_remote("s3://photos/2026"), is_remote("photos/2026")
    (True, False)
    """
    return re.match(r"[a-z][a-z0-9+.-]*://", name) is not None


@dataclass(frozen=True)
class Place:
    """A folder, a file or a pattern on a file system.

    Args:
        name: As typed.
        folder: What local names are relative to: the folder of whoever started the run.
    """

    name: str
    folder: str = ""

    def open(self) -> tuple[Any, str]:
        """The file system (pyarrow's) and the path on it.

        Raises:
            RangeError: nobody knows the scheme.
            StoreError: the bucket cannot be reached.
        """
        from pyarrow.fs import FileSystem, FSSpecHandler, LocalFileSystem, PyFileSystem

        if not is_remote(self.name):
            return LocalFileSystem(), os.path.normpath(os.path.join(self.folder or os.getcwd(), self.name))  # noqa: PTH109, PTH118
        try:
            address, _, options = (
                self.name.partition("?") if "endpoint_override=" in self.name else (self.name, "", "")
            )
            head = _MAGIC.split(address)[0]
            system, base = FileSystem.from_uri(f"{head}?{options}" if options else head)
            return system, base.rstrip("/") + address[len(head.rstrip("/")) :] if head != address else base
        except ValueError:  # pyarrow does not know it
            import fsspec

            try:
                system, path = fsspec.core.url_to_fs(self.name)
            except (ValueError, ImportError) as error:
                raise RangeError(f"{self.name}: {error}") from error
            return PyFileSystem(FSSpecHandler(system)), path
        except OSError as error:
            raise unreachable(self.name, error) from error

    def shown(self, path: str) -> str:
        """What a file of this place is called in results: as typed for local ones."""
        if is_remote(self.name):
            return f"{self.name.partition('://')[0]}://{path}"
        if os.path.isabs(self.name):  # noqa: PTH117
            return path
        return os.path.relpath(path, self.folder or None)

    def files(self, *, leave_out: str = "") -> Iterator[tuple[str, int]]:
        """Path and size of every file, in order; one folder is held in memory at a time. Hidden ones are passed over.

        Args:
            leave_out: The path of a folder that is not entered.
        Raises:
            FileMissingError: there is nothing of this name.
            StoreError: the bucket cannot be reached.
        """
        from pyarrow.fs import FileType

        system, path = self.open()
        try:
            if _MAGIC.search(path) and system.get_file_info(path).type == FileType.NotFound:
                start = path[: _MAGIC.search(path).start()].rpartition("/")[0]  # type: ignore[union-attr]
                wanted = re.compile(_pattern(path))
                for found, size in _walk(system, start, leave_out):
                    if wanted.fullmatch(found):
                        yield found, size
                return
            about = system.get_file_info(path)
            if about.type == FileType.NotFound:
                raise FileMissingError(f"{self.name}: no such file or folder")
            if about.type == FileType.File:
                yield path, about.size
            else:
                yield from _walk(system, path, leave_out)
        except FileMissingError:
            raise
        except OSError as error:
            raise unreachable(self.name, error) from error


def unreachable(name: str, error: OSError) -> StoreError:
    """The error for a place that does not answer."""
    text = " ".join(str(error).split())
    return StoreError(f"{name}: cannot be read ({text[:300]}); check address, rights and network, then start again")


def read_bytes(system: Any, path: str) -> bytes:
    """A whole file; raises `TooLargeError` above `MOST_BYTES`, and what the file system raises."""
    with system.open_input_stream(path) as file:
        data: bytes = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise TooLargeError(f"{path}: more than {MOST_BYTES:,} bytes; split the file")
    return data


def _walk(system: Any, folder: str, leave_out: str) -> Iterator[tuple[str, int]]:
    from pyarrow.fs import FileSelector, FileType

    for about in sorted(system.get_file_info(FileSelector(folder)), key=lambda about: about.path):
        if about.base_name.startswith(".") or (leave_out and about.path == leave_out):
            continue
        if about.type == FileType.Directory:
            if not (system.type_name == "local" and os.path.islink(about.path)):  # noqa: PTH114
                yield from _walk(system, about.path, leave_out)
        else:
            yield about.path, about.size


def _pattern(text: str) -> str:
    """A glob as a regular expression; ** matches any number of folders.

    >>> [bool(re.fullmatch(_pattern(text), "a/b/c.jpg")) for text in ("a/**/*.jpg", "a/*.jpg", "a/[bc]/?.jpg")]
    [True, False, True]
    """
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", text)
    return "".join(parts.get(p, p.replace("[!", "[^") if p[:1] == "[" else re.escape(p)) for p in pieces)


class Sink:
    """Where results are written: a folder, or an address. Each file appears whole or not at all.

    Args:
        name: The folder.
        folder: What a local one is relative to.
    """

    def __init__(self, name: str, folder: str = "") -> None:
        self.name = name
        self.system, self.path = Place(name, folder).open()
        self.is_local = self.system.type_name == "local"

    def sweep(self) -> None:
        """Remove what killed processes left."""
        if self.is_local:
            for folder in (self.path, f"{self.path}/records", f"{self.path}/pictures"):
                sweep_folder(folder)

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A file to write to, which appears when the block ends without an exception.

        Raises:
            StoreError: no space, no right, no network; what was there before is still there.
        """
        if self.is_local:
            with write_file(Path(self.path, name)) as part, part.open("wb") as file:
                yield file
            return
        with tempfile.TemporaryFile() as file:  # so that a fault on the way uploads nothing
            yield file
            file.seek(0)
            try:
                with self.system.open_output_stream(f"{self.path}/{name}") as out:
                    shutil.copyfileobj(file, out, 1 << 20)
            except OSError as error:
                raise write_error(f"{self.name}/{name}", error) from error

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file; raises as `writing`."""
        with self.writing(name) as file:
            file.write(data)

    def read(self, name: str, *, first: int = 0, size: int | None = None) -> bytes:
        """A file, or a part of it; raises `FileMissingError` where there is none."""
        try:
            with self.system.open_input_file(f"{self.path}/{name}") as file:
                file.seek(first)
                data: bytes = file.read(size)
                return data
        except FileNotFoundError as error:
            raise FileMissingError(f"{self.name}/{name}: no such file") from error
        except OSError as error:
            raise unreachable(self.name, error) from error

    def names(self, folder: str = "") -> list[str]:
        """The files of the sink, or of a folder in it, in order."""
        from pyarrow.fs import FileSelector

        try:
            found = self.system.get_file_info(FileSelector(f"{self.path}/{folder}".rstrip("/"), allow_not_found=True))
        except NotADirectoryError as error:
            raise StoreError(f"{self.name} is a file; name a folder for the results") from error
        except OSError as error:
            raise unreachable(self.name, error) from error
        return sorted(about.base_name for about in found)
