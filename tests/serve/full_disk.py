"""`szem serve` on a disk that is full while the file $SZEM_TEST_FULL exists: no file, no row of the database."""

import errno
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from szem.cli import main

_sync = os.fsync


def is_full() -> bool:
    return Path(os.environ["SZEM_TEST_FULL"]).exists()


def fsync(handle: int) -> None:
    if is_full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    _sync(handle)


def refuse_writing(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any) -> None:
    if is_full() and not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
        raise OperationalError(statement, parameters, sqlite3.OperationalError("database or disk is full"))


if __name__ == "__main__":
    os.fsync = fsync
    event.listen(Engine, "before_cursor_execute", refuse_writing)
    sys.argv[0] = "szem"
    main()
