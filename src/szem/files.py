"""The one writer of files: what szem writes appears whole under its name, or not at all.

A file is written beside its target under a name of its own, flushed to the disk, and renamed. A fault on the way (a
full disk, a crash, an interrupt) leaves the file that was there before. `sweep_folder` removes what killed processes
left behind; whoever owns a folder calls it before writing there.

This file knows bytes and names; it does not know pictures, videos or models.
"""

import errno
import json
import math
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from szem.errors import FormatError, OverwriteError, StoreError, SzemError

if sys.platform != "win32":
    import fcntl

__all__ = [
    "ANOTHER_PLACE",
    "CAN_WALK",
    "LINK_ERRORS",
    "NOWHERE",
    "NO_LINKS",
    "ScratchFolder",
    "cache_folder",
    "is_disk_full",
    "no_nan",
    "open_folder",
    "open_plain",
    "sweep_folder",
    "sweep_scratch",
    "write_bytes",
    "write_error",
    "write_file",
    "write_json",
    "write_text",
]

_START, _END = ".szem-", ".part"  # hidden, so that folders that are read again pass it over
ANOTHER_PLACE = "choose another place"  # how advice ends to which the command line adds the option
# Where there is no home: a path that can neither exist nor be made, so that readers find nothing and writers fail.
NOWHERE = Path(os.devnull, "szem")
_SCRATCH = "szem-scratch-"
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))

NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
LINK_ERRORS = frozenset((errno.ELOOP, errno.EMLINK))  # what O_NOFOLLOW says of a link, system by system
CAN_WALK = os.open in os.supports_dir_fd and bool(getattr(os, "O_NOFOLLOW", 0))

PathLike = str | os.PathLike[str]


@contextmanager
def write_file(path: PathLike, *, mode: int | None = None) -> Iterator[Path]:
    """Write a file that appears whole or not at all.

    Args:
        path: Where to; folders are made. A file that is there is replaced, and its permissions are kept.
        mode: Permissions of the file, such as 0o600 for secrets; without it those of the file before, or the usual.
    Yields:
        The path of an empty file beside the target. Write into it: by `open`, or by a library that takes a name
        (it must not replace the file by another). It becomes the target when the block ends without an exception.
    Raises:
        StoreError: the folder cannot be written or the disk is full; its `errno` is that of the cause, and what was
            there before is still there.
        OverwriteError: the path names a folder or a device.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with write_file(Path(folder) / "a.txt") as part:
    ...         _ = part.write_text("whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    target = Path(path)
    part = target.with_name(f"{_START}{secrets.token_hex(6)}{_END}")
    holder = -1
    try:
        kept = _check_target(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        # The lock tells a sweep in another process that this file still has an owner.
        holder = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
        with suppress(OSError):  # a file system without locks
            _lock(holder)
        yield part
        os.fsync(holder)
        wanted = kept if mode is None else mode
        if wanted is not None and hasattr(os, "fchmod"):
            with suppress(OSError):  # a file system without permissions
                os.fchmod(holder, wanted)
        if os.name == "nt":  # Windows renames no open file
            os.close(holder)
            holder = -1
        part.replace(target)
        _sync_folder(target.parent)
    except BrokenPipeError:  # the standard output of the process, not this file
        raise
    except OSError as error:
        if isinstance(error, SzemError) or not _is_about(error, part, target):
            raise
        raise write_error(target, error) from error
    finally:
        if holder >= 0:
            os.close(holder)
        with suppress(OSError):
            part.unlink()


def write_bytes(path: PathLike, data: bytes | bytearray | memoryview, *, mode: int | None = None) -> None:
    """Write bytes; raises as `write_file`."""
    with write_file(path, mode=mode) as part, part.open("wb") as file:
        file.write(data)


def write_text(path: PathLike, text: str, *, mode: int | None = None) -> None:
    r"""Write UTF-8 text as it is, without translating line ends; raises as `write_file`.

    A name that is no valid Unicode (an old file name) is written with \udcXX in place of each odd byte.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"), mode=mode)


def write_json(path: PathLike, value: Any, *, indent: int | None = None, mode: int | None = None) -> None:
    """Write JSON with a line end; numbers that are not finite become null; raises as `write_file`."""
    text = json.dumps(no_nan(value), indent=indent, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", mode=mode)


def no_nan(value: Any) -> Any:
    """The same JSON value with null for each number that is not finite: JSON has no word for those.

    >>> no_nan({"a": [1.0, float("nan")], "b": float("inf")})
    {'a': [1.0, None], 'b': None}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: no_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [no_nan(one) for one in value]
    return value


def cache_folder() -> Path | None:
    """szem's folder for what can be made anew: `$SZEM_HOME/cache`, or the platform's folder for caches.

    It need not exist, and may be removed at any time.

    Returns:
        None for a user without a home (a service, a container's uid without a passwd entry).
    """
    try:
        if home := os.environ.get("SZEM_HOME"):
            return Path(home).expanduser() / "cache"
        if cache := os.environ.get("XDG_CACHE_HOME"):
            return Path(cache) / "szem"
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "szem" / "cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "szem"
        return Path.home() / ".cache" / "szem"
    except RuntimeError:  # from pathlib: no HOME, and no passwd entry either
        return None


@contextmanager
def open_folder(root: Path, names: Sequence[str], *, make: bool) -> Iterator[int]:
    """A descriptor of a folder below another, reached without following a link; -1 where the system cannot.

    Args:
        root: Where to begin; links that lead to it are followed, one in its place is not.
        names: Of the folders below it, one in the other.
        make: Make those that are not there.
    Raises:
        OSError: with one of `LINK_ERRORS` where a link is in the way.
        ValueError: a name that means another place.
    """
    _check_names(names)
    if not CAN_WALK:
        folder = root.joinpath(*names)
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        yield -1
        return
    if make:
        root.mkdir(parents=True, exist_ok=True)
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | NO_LINKS)
    try:
        for name in names:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=here)
            below = _step(name, os.O_RDONLY | os.O_DIRECTORY | NO_LINKS, here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def open_plain(root: Path, names: Sequence[str]) -> IO[bytes]:
    """Open a file below a folder for reading, without following a link, and without waiting for a pipe.

    Args:
        root, names: As `open_folder`; the last name is the file's.
    Raises:
        FormatError: a folder, a device, a pipe.
        OSError, ValueError: as `open_folder`.
    """
    _check_names(names)
    flags = os.O_RDONLY | NO_LINKS | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open_folder(root, names[:-1], make=False) as folder:
        if CAN_WALK:
            handle = os.open(names[-1], flags, dir_fd=folder)
        else:
            handle = os.open(root.joinpath(*names), flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FormatError(f"{names[-1]}: not a regular file; give a file")
    return os.fdopen(handle, "rb")


def _check_names(names: Sequence[str]) -> None:
    if any(name in ("", ".", "..") or "/" in name or "\0" in name for name in names):
        raise ValueError(f"not the names of folders and a file below another folder: {names!r}"[:200])


def _step(name: str, flags: int, here: int) -> int:
    """Open the folder of a name in another folder."""
    try:
        return os.open(name, flags, dir_fd=here)
    except OSError as error:
        with suppress(FileNotFoundError):
            if stat.S_ISLNK(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):  # Linux says: not a directory
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
        raise


def sweep_folder(folder: PathLike) -> int:
    """Remove what killed processes left in a folder; files that a living process is writing stay.

    Args:
        folder: It need not exist; folders in it are not entered.
    Returns:
        How many files were removed.
    """
    removed = 0
    try:
        left = list(Path(folder).glob(f"{_START}*{_END}"))
    except OSError:
        return 0
    for file in left:
        with suppress(OSError):
            handle = os.open(file, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
            try:
                _lock(handle)  # fails while its owner lives
                if os.name != "nt":
                    file.unlink()
            finally:
                os.close(handle)
            file.unlink(missing_ok=True)  # Windows deletes no open file, which protects it as well as a lock does
            removed += 1
    return removed


class ScratchFolder(AbstractContextManager["ScratchFolder"]):
    """A folder of this process's own for files that need not outlive it, among the system's temporary ones.

    It is locked while it is in use, so that `sweep_scratch` knows those of killed processes.

    Args:
        purpose: A word for its name.
    Raises:
        StoreError: there is no place for temporary files.
    """

    def __init__(self, purpose: str) -> None:
        self._holder = -1
        try:
            self.path = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{purpose}-"))
            while not self._hold():  # a sweep of another process came between
                self.path = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{purpose}-"))
        except OSError as error:
            raise write_error(tempfile.gettempdir(), error, advice="set TMPDIR to another folder") from error

    def _hold(self) -> bool:
        if sys.platform == "win32":
            return True
        with suppress(FileNotFoundError, BlockingIOError):
            self._holder = os.open(self.path, os.O_RDONLY)
            _lock(self._holder)
            if self.path.exists():
                return True
        self.close()
        return False

    def close(self) -> None:
        """Remove it with all that is in it. May be called again."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._holder >= 0:
            os.close(self._holder)
            self._holder = -1

    def __exit__(self, *_: object) -> None:
        self.close()


def sweep_scratch() -> int:
    """Remove the scratch folders that killed processes of this user left; how many there were."""
    removed = 0
    if sys.platform == "win32":  # a lock tells which are in use
        return removed
    for folder in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*-*"):
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(handle).st_uid == os.geteuid():
                    _lock(handle)  # fails while its owner lives
                    shutil.rmtree(folder)
                    removed += 1
            finally:
                os.close(handle)
    return removed


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, says that there is no space left.

    >>> is_disk_full(OSError(errno.ENOSPC, "no space")), is_disk_full(ValueError())
    (True, False)
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False


def write_error(path: PathLike, error: OSError, *, advice: str = ANOTHER_PLACE) -> StoreError:
    """The error to raise for a file that could not be written: it names the file and, on a full disk, the space.

    Args:
        path: What should have been written.
        error: What the system said.
        advice: What to do, where the disk is not full.
    """
    if error.errno in _FULL:
        whose = "the disk is full" if error.errno == errno.ENOSPC else "your quota is used up"
        text = (
            f"{path}: cannot be written: {whose} ({_free_space(Path(path))}); free some space or choose another disk"
        )
    elif Path(path).is_relative_to(NOWHERE):
        text = f"there is no home folder to write to (HOME is not set); set SZEM_HOME to a folder, or {advice}"
    else:
        said = _file_in_the_way(Path(path), error) or (os.strerror(error.errno) if error.errno else str(error))
        text = f"{path}: cannot be written ({said}); {advice}"
    found = StoreError(text)
    found.errno = error.errno
    return found


def _file_in_the_way(path: Path, error: OSError) -> str:
    """What is wrong with a path on which a file stands where a folder would have to be; empty: nothing."""
    for parent in (path, *path.parents) if error.errno == errno.EEXIST else path.parents:
        if parent.exists() and not parent.is_dir():
            return f"{parent} is not a folder"
    return ""


def _free_space(path: Path) -> str:
    folder = next((parent for parent in path.absolute().parents if parent.is_dir()), path)
    try:
        free = float(shutil.disk_usage(folder).free)
    except OSError:
        return "free space unknown"
    for unit in ("bytes", "kB", "MB"):
        if free < 1000:
            return f"{free:.0f} {unit} free"
        free /= 1000
    return f"{free:.1f} GB free"


def _check_target(target: Path) -> int | None:
    """The permissions of the file that is replaced, if there is one."""
    try:
        found = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(found.st_mode):
        raise OverwriteError(f"{target}: a folder, where a file should be written; give the name of a file")
    if not stat.S_ISREG(found.st_mode):  # renaming over /dev/null would replace the device itself
        raise OverwriteError(f"{target}: a device or pipe, which is not replaced by a file; {ANOTHER_PLACE}")
    return stat.S_IMODE(found.st_mode)


def _is_about(error: OSError, part: Path, target: Path) -> bool:
    """Whether an error in the block is one of writing this file, and not, for one, of reading another."""
    name = error.filename
    if name is None:
        return True  # `file.write` and `fsync` do not say
    text = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else str(name)
    return text.removeprefix("file:") in (str(part), str(target)) or Path(text) in (target.parent, *target.parents)


def _lock(handle: int) -> None:
    """Raises OSError where another process holds the lock."""
    if sys.platform != "win32":
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk too."""
    if os.name != "posix":
        return
    with suppress(OSError):  # some network file systems refuse
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
