"""Files under folders that the operator has allowed, by `file://` URI, or `gs://` where a bucket is mapped.

Both ends are checked on the real path, and then walked from the allowed folder one name at a time without following
links: a link swapped in between the check and the use leads nowhere.
"""

import os
import stat
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

from szem.errors import DeniedError, FileMissingError, FormatError, MediaError, TooLargeError, UnsupportedError
from szem.serve.settings import ServeSettings
from szem.serve.status import FieldsError

__all__ = ["AllowedFolders"]

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_CAN_WALK = os.open in os.supports_dir_fd and bool(getattr(os, "O_NOFOLLOW", 0))


class AllowedFolders:
    """The operator's folders.

    Args:
        settings: Which folders may be read and written, and which buckets stand for folders.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._buckets = {name: folder.resolve() for name, folder in settings.buckets}
        mapped = tuple(self._buckets.values())
        self._read = tuple(folder.resolve() for folder in settings.read_folders) + mapped
        self._write = tuple(folder.resolve() for folder in settings.write_folders) + mapped

    def read(self, uri: str, *, max_bytes: int) -> bytes:
        """Read a whole file.

        Raises:
            FieldsError: not a URI of a file.
            DeniedError: outside the folders that may be read.
            FileMissingError: no such file.
            FormatError: a folder, a device, a pipe.
            TooLargeError: more than `max_bytes`.
        """
        root, parts = self._locate(uri, self._read, "read")
        try:
            with _opened(root, parts[:-1], make=False) as folder, _file(folder, root, parts) as descriptor:
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode):
                    raise FormatError(f"{uri[:200]}: not a regular file; give a picture file")
                if found.st_size > max_bytes:
                    raise TooLargeError(f"{uri[:200]}: {found.st_size:,} bytes, the limit is {max_bytes:,}")
                with os.fdopen(os.dup(descriptor), "rb") as file:
                    return file.read(max_bytes + 1)[:max_bytes]
        except FileNotFoundError as error:
            raise FileMissingError(f"{uri[:200]}: no such file; check the path") from error
        except (OSError, ValueError) as error:
            if isinstance(error, DeniedError | FormatError | TooLargeError):
                raise
            raise MediaError(f"{uri[:200]}: cannot be read; check the path and the rights") from error

    def check_prefix(self, prefix: str) -> None:
        """Make sure that files may be written under a prefix.

        Raises:
            FieldsError: not a URI of a file.
            DeniedError: outside the folders that may be written.
        """
        self._locate(prefix + "x", self._write, "write")

    def write(self, uri: str, data: bytes) -> None:
        """Write a whole file; it appears whole or not at all, and survives a loss of power.

        Raises:
            FieldsError: not a URI of a file.
            DeniedError: outside the folders that may be written.
            MediaError: the folder cannot be written.
        """
        root, parts = self._locate(uri, self._write, "write")
        part = f".{uuid.uuid4().hex}.part"
        try:
            with _opened(root, parts[:-1], make=True) as folder:
                at = folder if _CAN_WALK else None
                base = Path() if _CAN_WALK else root.joinpath(*parts[:-1])
                try:
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS
                    descriptor = os.open(base / part, flags, 0o644, dir_fd=at)
                    with os.fdopen(descriptor, "wb") as file:
                        file.write(data)
                        file.flush()
                        os.fsync(file.fileno())
                    os.replace(base / part, base / parts[-1], src_dir_fd=at, dst_dir_fd=at)
                    if at is not None:
                        os.fsync(at)
                except BaseException:
                    with suppress(OSError):
                        os.unlink(base / part, dir_fd=at)
                    raise
        except (OSError, ValueError) as error:
            raise MediaError(f"{uri[:200]}: cannot be written; check the folder and its rights") from error

    def _locate(self, uri: str, roots: Sequence[Path], verb: str) -> tuple[Path, tuple[str, ...]]:
        """The allowed folder and the names below it."""
        path = self._path_of(uri)
        try:
            real = Path(os.path.realpath(path))
        except OSError as error:  # a link that changed while it was followed
            raise FileMissingError(f"{uri[:200]}: cannot be followed; check the path") from error
        for root in roots:
            if real != root and real.is_relative_to(root):
                return root, real.relative_to(root).parts
        raise DeniedError(
            f"this server may not {verb} {uri[:200]!r}; the operator allows folders with "
            f"--allow-{verb} DIR, and buckets with --bucket NAME=DIR"
        )

    def _path_of(self, uri: str) -> Path:
        if uri.startswith("gs://"):
            bucket, _, name = uri[5:].partition("/")
            folder = self._buckets.get(bucket)
            if folder is None:
                raise UnsupportedError(
                    f"{uri[:200]}: there is no Google Cloud Storage here; use file:///PATH under an allowed folder, "
                    "or let the operator map the bucket with --bucket NAME=DIR"
                )
            return folder / _plain(name, uri)
        if not uri.startswith("file:///"):
            raise FieldsError(f"{uri[:200]!r} is not a URI of a file; write file:///FOLDER/NAME")
        try:
            return Path("/") / _plain(unquote(uri[len("file://") :], errors="strict"), uri)
        except UnicodeDecodeError as error:
            raise FieldsError(f"{uri[:200]!r}: the percent-encoding is not UTF-8") from error


def _plain(name: str, uri: str) -> str:
    """Refuse names that mean something else than what they say."""
    if "\0" in name or "\\" in name or ".." in name.split("/"):
        raise DeniedError(f"{uri[:200]!r}: a path here must not hold '..', a backslash or a zero")
    return name.lstrip("/")


@contextmanager
def _opened(root: Path, names: Sequence[str], *, make: bool) -> Iterator[int]:
    """A descriptor of a folder, reached without following a link."""
    if not _CAN_WALK:
        folder = root.joinpath(*names)
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        yield -1
        return
    flags = os.O_RDONLY | os.O_DIRECTORY | _NO_LINKS
    if make:
        root.mkdir(parents=True, exist_ok=True)
    here = os.open(root, flags)
    try:
        for name in names:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=here)
            below = os.open(name, flags, dir_fd=here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


@contextmanager
def _file(folder: int, root: Path, parts: Sequence[str]) -> Iterator[int]:
    flags = os.O_RDONLY | _NO_LINKS | getattr(os, "O_NONBLOCK", 0)  # a pipe must not make the server wait
    if _CAN_WALK:
        descriptor = os.open(parts[-1], flags, dir_fd=folder)
    else:
        descriptor = os.open(root.joinpath(*parts), flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
