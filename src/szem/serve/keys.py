"""The owner's key: made at the first start, kept in a file that only its owner can read.

It opens what belongs to the owner of the server: the guard and pictures of folders. The studio's own address carries
it behind the `#`, which a browser never sends. This file does not know about HTTP.
"""

import logging
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from szem.errors import DeniedError, RangeError
from szem.files import write_error
from szem.runtime.store import user_folder

__all__ = ["default_key_file", "load_or_make_key", "studio_address"]

_log = logging.getLogger("szem.serve")
_KEY = re.compile(r"[A-Za-z0-9_-]{16,256}\Z")  # what stands in an address and in a header without any escape
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def default_key_file() -> Path:
    """Where the key is kept when no file is named."""
    return user_folder().parent / "key"


def load_or_make_key(path: Path | None = None) -> str:
    """Read the key; make it when there is none yet.

    Args:
        path: The file; None: `default_key_file()`. If that folder cannot be written, the key lasts as long as the
            process does.
    Raises:
        DeniedError: the file cannot be read or made, is a link, or belongs to somebody else.
        RangeError: the file holds no key.
    """
    file = default_key_file() if path is None else path
    try:
        found = _read(file)
        return _make(file) if found is None else found
    except DeniedError:
        raise
    except OSError as error:
        if path is not None:
            raise DeniedError(
                f"{path}: the key cannot be read or made ({error.strerror}); name another file with --key-file"
            ) from error
        why = write_error(file, error, advice="name a file for it with --key-file")
        _log.warning("the key lasts for this start only: %s", why)
        return secrets.token_urlsafe(32)


def studio_address(url: str, key: str) -> str:
    """The address under which the studio opens with the owner's key.

    >>> studio_address("http://127.0.0.1:8777", "abc")
    'http://127.0.0.1:8777/#key=abc'
    """
    return f"{url}/#key={key}"


def _read(file: Path) -> str | None:
    """The key in a file; None when there is no file."""
    try:
        descriptor = os.open(file, os.O_RDONLY | _NO_LINKS | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as opened:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise DeniedError(f"{file}: the key must be a regular file; name another with --key-file")
        if hasattr(os, "getuid") and state.st_uid not in (os.getuid(), 0):
            raise DeniedError(f"{file}: the key belongs to another user; name another file with --key-file")
        if state.st_mode & 0o077 and hasattr(os, "fchmod"):
            _log.warning("%s: other users could read the key; it is 0600 now", file)
            with suppress(OSError):
                os.fchmod(descriptor, 0o600)
        text = opened.read(1024).decode("ascii", "replace").strip()
    if not _KEY.match(text):
        raise RangeError(
            f"{file}: a key has 16 to 256 letters, digits, - and _; delete the file, and the next start makes one"
        )
    return text


def _make(file: Path) -> str:
    """Make a key. When two servers start at once, both take the key of the one that came first."""
    key = secrets.token_urlsafe(32)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f".{file.name}.{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(key + "\n")
            out.flush()
            os.fsync(descriptor)
        try:
            os.link(part, file)  # unlike a rename, a link never replaces a key that somebody has already
        except FileExistsError:
            return _read(file) or key
    finally:
        part.unlink(missing_ok=True)
    return key
