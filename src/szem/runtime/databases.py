"""Databases by URL: SQLite in a file of one's own, or whatever SQLAlchemy speaks to.

This file does not know the tables.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from szem.errors import RangeError
from szem.files import is_disk_full

__all__ = ["FULL", "check_url", "is_damage", "is_full", "is_sqlite", "open_database", "plain_fault"]


FULL = "the disk on which it lies is full; free some space, or move it to another disk"


def open_database(url: str, tables: MetaData, *, name: str, option: str = "--database") -> Engine:
    """Open a database; its tables are made where they are missing.

    Args:
        url: SQLAlchemy URL; the folder of an SQLite file is made.
        tables: What it is to hold.
        name: What to call it in messages: "operations", "events".
        option: Where the caller has the URL from, for the advice.
    Raises:
        RangeError: the URL is wrong, or the database cannot be reached.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
            file = Path(str(parsed.database))
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not str(parsed.database).startswith("file:"):  # SQLite's own form of address
                _make_private(file)
        # Without the values: an error's text goes to logs, and rows hold what callers sent.
        engine = create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
        if is_sqlite(engine):
            event.listen(engine, "connect", _prepare_sqlite)
        tables.create_all(engine)
    except (SQLAlchemyError, OSError, ImportError, ValueError) as error:
        advice = f"; check {option}"
        if is_full(error):
            raise RangeError(f"the database of {name} cannot be opened: {FULL}") from error
        if is_damage(error):
            advice = f"; {parsed.database} is damaged: move it away, and a new one is begun, or restore a copy"
        raise RangeError(f"the database of {name} cannot be opened ({plain_fault(error)}){advice}") from error
    return engine


def check_url(url: str, *, name: str, option: str = "--database") -> None:
    """Refuse a URL that can never be opened; nothing is connected.

    Raises:
        RangeError: it is no URL, or of a database whose driver is not installed.
    """
    try:
        create_engine(url).dispose()
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise RangeError(f"the database of {name} cannot be opened ({plain_fault(error)}); check {option}") from error


def _make_private(file: Path) -> None:
    """Make an SQLite file that only its owner can read, and close one that everybody could read.

    The files that SQLite keeps beside it get the same permissions.
    """
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
    if os.name == "posix" and file.stat().st_mode & 0o007:
        with suppress(OSError):  # another owner's
            file.chmod(0o600)


def plain_fault(error: BaseException) -> str:
    """What a database says is wrong, on one line, without SQLAlchemy's words around it.

    >>> plain_fault(FileNotFoundError(2, "No such file or directory", "/proc/x"))
    'No such file or directory'
    """
    cause = getattr(error, "orig", None) or error
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return next(iter(text.splitlines()), "") or type(cause).__name__


def is_damage(error: BaseException) -> bool:
    """Whether an SQLite file is no database, or one that is broken."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_full(error: BaseException) -> bool:
    """Whether a database says that its disk is full.

    >>> is_full(OSError(28, "No space left on device"))
    True
    """
    if isinstance(error, OSError):
        return is_disk_full(error)
    cause = getattr(error, "orig", None)
    code = getattr(cause, "sqlite_errorcode", None)
    is_sqlites = code == sqlite3.SQLITE_FULL or "disk is full" in str(cause)
    return is_sqlites or getattr(cause, "sqlstate", None) == "53100"  # PostgreSQL: disk_full


def is_sqlite(engine: Engine) -> bool:
    """Whether the database is an SQLite file."""
    return engine.dialect.name == "sqlite"


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # readers do not wait for the writer
    cursor.execute("PRAGMA synchronous=FULL")  # what was accepted survives a loss of power
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()
