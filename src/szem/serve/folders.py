"""Files under folders that the operator has allowed, by `file://` URI, or `gs://` where a bucket is mapped.

A path is walked from the allowed folder one name at a time. Links on it are never followed, wherever they lead:
neither symbolic links nor files that have a second name elsewhere (hard links).
"""

import os
import secrets
import stat
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from szem.errors import DeniedError, FileMissingError, FormatError, MediaError, TooLargeError, UnsupportedError
from szem.files import (
    CAN_WALK,
    LINK_ERRORS,
    NO_LINKS,
    is_disk_full,
    open_folder,
    open_plain,
    sweep_folder,
    write_error,
)
from szem.serve.settings import ServeSettings
from szem.serve.status import FieldsError

if sys.platform != "win32":
    import fcntl

__all__ = ["AllowedFolders", "list_pictures", "read_listed"]

_PART = (".szem-", ".part")  # as in `szem.files`


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
            with open_plain(root, parts) as file:
                found = os.fstat(file.fileno())
                if found.st_nlink > 1:
                    raise DeniedError(f"{uri[:200]}: a file with a second name (a hard link); copy it")
                if found.st_size > max_bytes:
                    raise TooLargeError(f"{uri[:200]}: {found.st_size:,} bytes, the limit is {max_bytes:,}")
                return file.read(max_bytes + 1)[:max_bytes]
        except FileNotFoundError as error:
            raise FileMissingError(f"{uri[:200]}: no such file; check the path") from error
        except FormatError as error:
            raise FormatError(f"{uri[:200]}: not a regular file; give a picture file") from error
        except (OSError, ValueError) as error:
            if isinstance(error, DeniedError | TooLargeError):
                raise
            if isinstance(error, OSError) and error.errno in LINK_ERRORS:
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
            with open_folder(root, parts[:-1], make=False):
                return
        except (OSError, ValueError) as error:
            if not (isinstance(error, OSError) and error.errno in LINK_ERRORS):
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
            with open_folder(root, parts[:-1], make=True) as folder:
                at = folder if CAN_WALK else None
                base = Path() if CAN_WALK else root.joinpath(*parts[:-1])
                try:
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS
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
            if isinstance(error, OSError) and error.errno in LINK_ERRORS:
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
        with suppress(OSError), open_folder(root, parts[:-1], make=False) as folder:
            if not CAN_WALK:
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


def read_listed(file: Path, folders: Sequence[Path]) -> bytes:
    """The bytes of a file that `list_pictures` found; one that became a link since is not read.

    Raises:
        MediaError: it cannot be read any more.
    """
    top = next(top for top in (folder.resolve() for folder in folders) if file.is_relative_to(top))
    try:
        with open_plain(top, file.relative_to(top).parts) as opened:
            return opened.read()
    except OSError as error:
        raise MediaError(f"{file}: cannot be read any more; search again") from error


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
        descriptor = os.open(name, os.O_RDWR | NO_LINKS, dir_fd=folder)
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
