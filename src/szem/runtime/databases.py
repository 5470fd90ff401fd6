"""Databases by URL: SQLite in a file of one's own, or whatever SQLAlchemy speaks to.

This file does not know the tables.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from szem.errors import RangeError

__all__ = ["is_sqlite", "open_database"]


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
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, pool_pre_ping=True)
        if is_sqlite(engine):
            event.listen(engine, "connect", _prepare_sqlite)
        tables.create_all(engine)
    except (ArgumentError, NoSuchModuleError, SQLAlchemyError, OSError, ImportError) as error:
        raise RangeError(f"the database of {name} cannot be opened ({error}); check {option}") from error
    return engine


def is_sqlite(engine: Engine) -> bool:
    """Whether the database is an SQLite file."""
    return engine.dialect.name == "sqlite"


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # readers do not wait for the writer
    cursor.execute("PRAGMA synchronous=FULL")  # what was accepted survives a loss of power
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()
