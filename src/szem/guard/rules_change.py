"""A rules file that somebody changes while the guard runs: by hand, or in the studio.

This file does not know what is done with new rules.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from szem.errors import SzemError
from szem.tasks.rules import Rules

__all__ = ["RulesChange"]

_log = logging.getLogger("szem.guard")


class RulesChange:
    """Looks at a file now and then.

    Args:
        path: The file; it need not be there yet.
        read: Reads it.
    """

    def __init__(self, path: Path, read: Callable[[Path], Rules]) -> None:
        self._path, self._read = path, read
        self._seen = self._state()

    def look(self) -> Rules | None:
        """The new rules, once, when the file has changed and they are right; the old ones go on otherwise."""
        state = self._state()
        if state == self._seen:
            return None
        self._seen = state
        if state is None:
            return None
        try:
            return self._read(self._path)
        except SzemError as error:
            _log.error("the new rules are not taken, the old ones go on: %s", error)
            return None

    def _state(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
