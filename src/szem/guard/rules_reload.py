"""Files of rules that somebody changes while the guard runs: by hand, or in the studio.

This file does not know what is done with new rules.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from szem.errors import SzemError
from szem.tasks.surveillance.rules import Rules

__all__ = ["RulesReload"]

_log = logging.getLogger("szem.guard")


class RulesReload:
    """Looks at files now and then.

    Args:
        paths: The files; they need not be there yet.
        read: Reads them.
    """

    def __init__(self, paths: Sequence[Path], read: Callable[[], Rules]) -> None:
        self._paths, self._read = tuple(paths), read
        self._seen = self._states()

    def look(self) -> Rules | None:
        """The new rules, once, when a file has changed and they are right; the old ones go on otherwise."""
        before, self._seen = self._seen, self._states()
        if self._seen == before or any(now is None and then for now, then in zip(self._seen, before, strict=True)):
            return None
        try:
            return self._read()
        except SzemError as error:
            _log.error("the new rules are not taken, the old ones go on: %s", error)
            return None

    def _states(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_state(path) for path in self._paths)


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
