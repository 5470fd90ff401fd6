"""Files under folders that the operator has allowed, by `file://` URI, or `gs://` where a bucket is mapped.

A path is walked from the allowed folder one name at a time. Links on it are never followed, wherever they lead:
neither symbolic links nor files that have a second name elsewhere (hard links).
"""

import errno
import os
import secrets
import stat
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

from szem.errors import DeniedError, FileMissingError, FormatError, MediaError, TooLargeError, UnsupportedError
from szem.files import is_disk_full, sweep_folder, write_error
from szem.serve.settings import ServeSettings
from szem.serve.status import FieldsError

if sys.platform != "win32":
    import fcntl

__all__ = ["AllowedFolders", "list_pictures"]

_PART = (".szem-", ".part")  # as in `szem.files`
_LINK_ERRORS = frozenset((errno.ELOOP, errno.EMLINK))  # what O_NOFOLLOW says of a link, system by system
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_CAN_WALK = os.open in os.supports_dir_fd and bool(getattr(os, "O_NOFOLLOW", 0))


class AllowedFolders:
    """The operator's folders.

    Args:
        settings: Which folders may be read and written, and which buckets stand for folders.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._buckets = {name: folder.resolve() for name, folder in settings.buckets}
        mapped = {folder: folder for folder in self._buckets.values()}
        self._read = _names_of(settings.read_folders) | mapped
        self._write = _names_of(settings.write_folders) | mapped

    def read(self, uri: str, *, max_bytes: int) -> bytes:
        """Read a whole file.

        Raises:
            FieldsError: not a URI of a file.
            DeniedError: outside the folders that may be read.
            FileMissingError: no such file.
            FormatError: a folder, a device, a pipe, a link.
            TooLargeError: more than `max_bytes`.
        """
        root, parts = self._locate(uri, self._read, "read")
        try:
            with _opened(root, parts[:-1], make=False) as folder, _file(folder, root, parts) as descriptor:
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode):
                    raise FormatError(f"{uri[:200]}: not a regular file; give a picture file")
                if found.st_nlink > 1:
                    raise DeniedError(f"{uri[:200]}: a file with a second name (a hard link); copy it")
                if found.st_size > max_bytes:
                    raise TooLargeError(f"{uri[:200]}: {found.st_size:,} bytes, the limit is {max_bytes:,}")
                with os.fdopen(os.dup(descriptor), "rb") as file:
                    return file.read(max_bytes + 1)[:max_bytes]
        except FileNotFoundError as error:
            raise FileMissingError(f"{uri[:200]}: no such file; check the path") from error
        except (OSError, ValueError) as error:
            if isinstance(error, DeniedError | FormatError | TooLargeError):
                raise
            if isinstance(error, OSError) and error.errno in _LINK_ERRORS:
                raise DeniedError(f"{uri[:200]}: links are not followed here; give the file's own path") from error
            raise MediaError(f"{uri[:200]}: cannot be read; check the path and the rights") from error

    def check_prefix(self, prefix: str) -> None:
        """Make sure that files may be written under a prefix.

        Raises:
            FieldsError: not a URI of a file.
            DeniedError: outside the folders that may be written.
        """
        root, parts = self._locate(prefix + "x", self._write, "write")
        try:
            with _opened(root, parts[:-1], make=False):
                return
        except (OSError, ValueError) as error:
            if not (isinstance(error, OSError) and error.errno in _LINK_ERRORS):
                return  # it will be made, or writing will say what is wrong
            raise DeniedError(f"{prefix[:200]}: links are not followed here; give the folder's own path") from error

    def write(self, uri: str, data: bytes) -> None:
        """Write a whole file; it appears whole or not at all, and survives a loss of power.

        Raises:
            FieldsError: not a URI of a file.
            DeniedError: outside the folders that may be written, or a link on the way.
            StoreError: the disk is full: to try again later helps.
            MediaError: the folder cannot be written.
        """
        root, parts = self._locate(uri, self._write, "write")
        part = f"{_PART[0]}{secrets.token_hex(16)}{_PART[1]}"
        try:
            with _opened(root, parts[:-1], make=True) as folder:
                at = folder if _CAN_WALK else None
                base = Path() if _CAN_WALK else root.joinpath(*parts[:-1])
                try:
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS
                    descriptor = os.open(base / part, flags, 0o644, dir_fd=at)
                    with os.fdopen(descriptor, "wb") as file:
                        _hold(descriptor)
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
            if isinstance(error, OSError) and is_disk_full(error):
                raise write_error(root.joinpath(*parts), error) from error
            if isinstance(error, OSError) and error.errno in _LINK_ERRORS:
                raise DeniedError(f"{uri[:200]}: links are not followed here; give the folder's own path") from error
            raise MediaError(f"{uri[:200]}: cannot be written; check the folder and its rights") from error

    def sweep(self, prefix: str) -> int:
        """Remove what killed servers left half-written in the folder of a prefix; what is being written stays.

        Returns:
            How many files.
        Raises:
            FieldsError, DeniedError: as `check_prefix`.
        """
        root, parts = self._locate(prefix + "x", self._write, "write")
        removed = 0
        with suppress(OSError), _opened(root, parts[:-1], make=False) as folder:
            if not _CAN_WALK:
                return sweep_folder(root.joinpath(*parts[:-1]))
            for name in os.listdir(folder):  # noqa: PTH208  by its descriptor, which pathlib cannot
                if name.startswith(_PART[0]) and name.endswith(_PART[1]) and _is_abandoned(folder, name):
                    with suppress(OSError):
                        os.unlink(name, dir_fd=folder)
                        removed += 1
        return removed

    def _locate(self, uri: str, roots: Mapping[Path, Path], verb: str) -> tuple[Path, tuple[str, ...]]:
        """The allowed folder and the names below it, as they are written: no link is followed to find out."""
        path = self._path_of(uri)
        for name, root in roots.items():
            if path != name and path.is_relative_to(name):
                return root, path.relative_to(name).parts
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


def list_pictures(folders: Sequence[Path], *, suffixes: Collection[str], most: int) -> list[Path]:
    """Picture files below folders, in order of their names; links are passed over, and never followed.

    Args:
        folders: To begin with.
        suffixes: Of pictures, with the dot, in small letters.
        most: Stop at so many.
    """
    found: list[Path] = []
    for top in folders:
        for folder, below, names in os.walk(top.resolve(), followlinks=False):
            below.sort()
            for path in (Path(folder, name) for name in sorted(names)):
                if len(found) >= most:
                    return found
                with suppress(OSError):
                    state = path.lstat()
                    if path.suffix.lower() in suffixes and stat.S_ISREG(state.st_mode) and state.st_nlink == 1:
                        found.append(path)
    return found


def _names_of(folders: Sequence[Path]) -> dict[Path, Path]:
    """Each folder as the operator wrote it and as it is really called -> the latter."""
    return {name: folder.resolve() for folder in folders for name in (folder.absolute(), folder.resolve())}


def _hold(descriptor: int) -> None:
    """Tell a sweep in another process that this file still has a writer."""
    if sys.platform != "win32":
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_abandoned(folder: int, name: str) -> bool:
    try:
        descriptor = os.open(name, os.O_RDWR | _NO_LINKS, dir_fd=folder)
    except OSError:
        return False
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


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
            below = _step(name, flags, here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _step(name: str, flags: int, here: int) -> int:
    """Open the folder of a name in another folder."""
    try:
        return os.open(name, flags, dir_fd=here)
    except OSError as error:
        with suppress(FileNotFoundError):
            if stat.S_ISLNK(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):  # Linux says: not a directory
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
        raise


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
