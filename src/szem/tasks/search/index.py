"""The index of a folder's pictures, in one SQLite file: rows are appended in segments with a checksum each.

A query reads the segments through SQLite's memory map, a part at a time, so that neither time nor memory grows with
anything but the rows themselves. What changed is written in one transaction: a process that is killed leaves the
index as it was. Two writers do no harm: each appends what it encoded. A segment whose checksum is wrong is given up,
and its pictures are encoded again. This file does not know about networks.
"""

import errno
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from szem.errors import StoreError
from szem.files import write_error
from szem.kept import made_anew

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Candidate", "DamagedIndexError", "FileState", "IndexFile"]

_FORMAT = "4"
_SEGMENT = 2048  # rows; the last one is filled up before another is begun
_TOGETHER = 256  # rows turned to float at a time: a product too small for BLAS to wait for threads
_MAPPED = 1 << 31  # bytes of the file that SQLite may map
_WAIT_S = 20.0  # for another writer
_TABLES = """
    CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE pictures (name TEXT PRIMARY KEY, size INTEGER, changed INTEGER, row INTEGER UNIQUE, tags TEXT,
        fault TEXT, checksum INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX faults ON pictures (name, fault) WHERE fault IS NOT NULL;
    CREATE TABLE segments (first INTEGER PRIMARY KEY, rows BLOB NOT NULL, checksum INTEGER NOT NULL);
    CREATE TABLE dead (row INTEGER PRIMARY KEY);
    CREATE TABLE folders (name TEXT PRIMARY KEY, changed INTEGER) WITHOUT ROWID;
"""


_OUTSIDE = frozenset(
    getattr(sqlite3, f"SQLITE_{name}")
    for name in ("BUSY", "CANTOPEN", "FULL", "INTERRUPT", "IOERR", "LOCKED", "NOLFS", "NOMEM", "PERM", "READONLY")
)


class DamagedIndexError(StoreError):
    """The file of the index is broken; `begin_anew` gives it up."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells whether a file is still the one that was encoded."""

    name: str  # below the folder, with /
    size_bytes: int
    changed_ns: int


@dataclass(frozen=True)
class Candidate:
    """A picture and the product of its row with a query."""

    name: str
    value: float
    tags: str


class IndexFile:
    """An open index.

    Args:
        file: Where it lies; None for one in memory. One of another model, of another format, or damaged is made anew.
        identity: Of the networks.
        width: Numbers in a row.
    Raises:
        StoreError: the file cannot be written.
    """

    def __init__(self, file: Path | None, *, identity: str, width: int) -> None:
        self.file, self.width, self._identity = file, width, identity
        try:
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._open()
        except (sqlite3.DatabaseError, OSError) as error:
            if file is None or not _is_damage(error):
                raise _store_error(file, error) from error
            made_anew(file, f"damaged ({error})")
            self._remove()
            self._db = self._open()

    def begin_anew(self) -> None:
        """Give up what is in a damaged file."""
        assert self.file is not None
        self.close()
        self._remove()
        self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            ":memory:" if self.file is None else self.file,
            timeout=_WAIT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            db.execute(f"PRAGMA mmap_size={_MAPPED}")
            db.execute("PRAGMA synchronous=FULL")
            db.create_function("crc", 6, _checksum, deterministic=True)
            if not self._is_ours(db):
                db.execute("BEGIN IMMEDIATE")
                for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall():
                    db.execute(f'DROP TABLE "{name}"')
                for statement in _TABLES.split(";"):
                    db.execute(statement)
                rows = (("format", _FORMAT), ("identity", self._identity), ("width", str(self.width)))
                db.executemany("INSERT INTO about VALUES (?, ?)", rows)
                db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _is_ours(self, db: sqlite3.Connection) -> bool:
        try:
            about = dict(db.execute("SELECT key, value FROM about"))
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return False
            raise
        return (about.get("format"), about.get("identity"), about.get("width")) == (
            _FORMAT,
            self._identity,
            str(self.width),
        )

    def _remove(self) -> None:
        assert self.file is not None
        for ending in ("", "-journal"):
            with suppress(FileNotFoundError):
                Path(f"{self.file}{ending}").unlink()

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def __len__(self) -> int:
        return int(next(self._rows("SELECT count(*) FROM pictures WHERE row IS NOT NULL"))[0])

    def faults(self) -> dict[str, str]:
        """Files that could not be read, and why."""
        return dict(self._rows("SELECT name, fault FROM pictures WHERE fault IS NOT NULL ORDER BY name"))

    def states_in(self, folder: str) -> dict[str, tuple[FileState, str | None]]:
        """The files right in a folder and, where one could not be read, why.

        Args:
            folder: Below the index's own, with / at its end; empty for that itself.
        """
        rows = self._rows(
            "SELECT name, size, changed, fault FROM pictures "
            "WHERE name >= ? AND name < ? AND NOT instr(substr(name, ?), '/')",
            (folder, f"{folder[:-1]}0" if folder else chr(0x10FFFF), len(folder) + 1),  # 0 is the letter after /
        )
        return {name: (FileState(name, size, changed), fault) for name, size, changed, fault in rows}

    def states_after(self, name: str, count: int) -> list[tuple[FileState, str | None]]:
        """So many files in the order of their names, those after a name."""
        rows = self._rows(
            "SELECT name, size, changed, fault FROM pictures WHERE name > ? ORDER BY name LIMIT ?", (name, count)
        )
        return [(FileState(name, size, changed), fault) for name, size, changed, fault in rows]

    def folders(self) -> dict[str, int]:
        """The folders that were listed and when each had been changed."""
        return dict(self._rows("SELECT name, changed FROM folders"))

    def checked(self) -> tuple[str, float]:
        """The last file that was compared, and when the segments were checked."""
        found = dict(self._rows("SELECT key, value FROM about WHERE key IN ('compared', 'checked')"))
        try:
            return found.get("compared", ""), float(found.get("checked", 0))
        except ValueError:  # damaged: checked anew
            return "", 0.0

    def note(self, folders: dict[str, int], *, gone: Iterable[str], compared: str, checked: float) -> None:
        """Keep what was listed and compared, so that the next query need not do it again."""
        with self._transaction():
            self._db.executemany("DELETE FROM folders WHERE name=?", ((name,) for name in gone))
            self._db.executemany("INSERT OR REPLACE INTO folders VALUES (?, ?)", folders.items())
            rows = (("compared", compared), ("checked", repr(checked)))
            self._db.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", rows)

    def add(
        self,
        rows: Sequence[tuple[FileState, NDArray[np.int8], str]],
        faults: Sequence[tuple[FileState, str]] = (),
    ) -> None:
        """Append pictures; one whose name is known is replaced.

        Args:
            rows: Files, their rows (width,) and their tags.
            faults: Files that could not be read, and why.
        Raises:
            StoreError: the disk is full or the file cannot be written.
        """
        with self._transaction():
            self._forget([*(row[0].name for row in rows), *(fault[0].name for fault in faults)])
            first, body = self._last_segment()
            place = first + len(body) // self.width
            for state, row, tags in rows:
                if len(body) >= _SEGMENT * self.width:
                    self._put_segment(first, bytes(body))
                    first, body = place, bytearray()
                body += np.ascontiguousarray(row, np.int8).tobytes()
                self._db.execute(
                    "INSERT INTO pictures VALUES (?1, ?2, ?3, ?4, ?5, NULL, crc(?1, ?2, ?3, ?4, ?5, NULL))",
                    (state.name, state.size_bytes, state.changed_ns, place, tags),
                )
                place += 1
            if rows:
                self._put_segment(first, bytes(body))
            for state, why in faults:
                self._db.execute(
                    "INSERT INTO pictures VALUES (?1, ?2, ?3, NULL, NULL, ?4, crc(?1, ?2, ?3, NULL, NULL, ?4))",
                    (state.name, state.size_bytes, state.changed_ns, why),
                )

    def remove(self, names: Iterable[str]) -> None:
        """Forget files that are gone; their rows are given back when they are as many as the others."""
        with self._transaction():
            self._forget(names)
            dead = self._db.execute("SELECT count(*) FROM dead").fetchone()[0]
            if dead > max(_SEGMENT, len(self)):
                self._rewrite()

    def check(self) -> int:
        """Give up segments, and pictures, whose checksum is wrong; returns how many pictures must be encoded again.

        Raises:
            DamagedIndexError: the file's own structure is damaged.
        """
        (said,) = next(self._rows("PRAGMA integrity_check(1)"))
        if said != "ok":
            raise DamagedIndexError(f"{self.file}: the index is damaged ({said.splitlines()[-1]}); remove it")
        self._write("DELETE FROM dead WHERE row IN (SELECT row FROM pictures)")
        bad = [
            (first, len(rows) // self.width)
            for first, rows, checksum in self._rows("SELECT first, rows, checksum FROM segments")
            if zlib.crc32(rows, first) != checksum
        ]
        lost = self._write("DELETE FROM pictures WHERE checksum IS NOT crc(name, size, changed, row, tags, fault)")
        if lost:  # one of another name hides that its folder must be listed again
            self._write("DELETE FROM folders")
        for first, count in bad:
            with self._transaction():
                span = (first, first + count)
                lost += self._db.execute("DELETE FROM pictures WHERE row >= ? AND row < ?", span).rowcount
                self._db.executemany("INSERT OR IGNORE INTO dead VALUES (?)", ((row,) for row in range(*span)))
                blank = bytes(count * self.width)
                self._put_segment(first, blank)
                self._db.execute("DELETE FROM folders")
        if lost:
            made_anew(self.file or Path("index"), f"the checksums of {lost} pictures differ")
        return lost

    def best(self, weights: NDArray[np.float32], count: int) -> list[Candidate]:
        """The pictures whose rows have the largest product with `weights` (width,), best first."""
        parts = []
        places = []
        for first, rows in self._rows("SELECT first, rows FROM segments ORDER BY first"):
            table = np.frombuffer(rows, np.int8).reshape(-1, self.width)
            for start in range(0, len(table), _TOGETHER):
                part = table[start : start + _TOGETHER].astype(np.float32)
                parts.append(part @ weights)
                places.append(np.arange(first + start, first + start + len(part)))
        if not parts:
            return []
        values, rows_of = np.concatenate(parts), np.concatenate(places)
        dead = np.fromiter((row for (row,) in self._rows("SELECT row FROM dead")), np.int64)
        values[np.isin(rows_of, dead)] = -np.inf
        kept = min(count, len(values))
        found = np.argpartition(-values, kept - 1)[:kept]
        found = found[np.argsort(-values[found], kind="stable")]
        out = []
        for place in found[np.isfinite(values[found])]:
            row = next(self._rows("SELECT name, tags FROM pictures WHERE row=?", (int(rows_of[place]),)), None)
            if row is not None:
                out.append(Candidate(row[0], float(values[place]), row[1]))
        return out

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self._db.execute(
                "INSERT OR IGNORE INTO dead SELECT row FROM pictures WHERE name=? AND row IS NOT NULL", (name,)
            )
            self._db.execute("DELETE FROM pictures WHERE name=?", (name,))

    def _last_segment(self) -> tuple[int, bytearray]:
        found = self._db.execute("SELECT first, rows FROM segments ORDER BY first DESC LIMIT 1").fetchone()
        return (found[0], bytearray(found[1])) if found else (0, bytearray())

    def _put_segment(self, first: int, rows: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO segments VALUES (?, ?, ?)", (first, rows, zlib.crc32(rows, first)))

    def _rewrite(self) -> None:
        """Leave the dead rows out, segment by segment, in the transaction that is open."""
        names = self._db.execute("SELECT row, name FROM pictures WHERE row IS NOT NULL ORDER BY row").fetchall()
        old = self._db.execute("SELECT first FROM segments ORDER BY first").fetchall()
        self._db.execute("UPDATE pictures SET row = -1 - row WHERE row IS NOT NULL")  # rows are unique at any moment
        body, first, place, at = bytearray(), 0, 0, 0
        for (begin,) in old:
            rows = self._db.execute("SELECT rows FROM segments WHERE first=?", (begin,)).fetchone()[0]
            self._db.execute("DELETE FROM segments WHERE first=?", (begin,))
            while at < len(names) and names[at][0] < begin + len(rows) // self.width:
                offset = (names[at][0] - begin) * self.width
                if len(body) >= _SEGMENT * self.width:
                    self._put_segment(first, bytes(body))
                    first, body = place, bytearray()
                body += rows[offset : offset + self.width]
                self._db.execute(
                    "UPDATE pictures SET row=?1, checksum=crc(name, size, changed, ?1, tags, fault) WHERE name=?2",
                    (place, names[at][1]),
                )
                place, at = place + 1, at + 1
        if body:
            self._put_segment(first, bytes(body))
        self._db.execute("DELETE FROM dead")

    def _rows(self, statement: str, values: "Sequence[object]" = ()) -> "Iterator[Any]":
        """What a question finds."""
        try:
            yield from self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise _store_error(self.file, error) from error

    def _write(self, statement: str) -> int:
        """Change rows in a transaction of its own; returns how many."""
        with self._transaction():
            return self._db.execute(statement).rowcount

    @contextmanager
    def _transaction(self) -> "Iterator[None]":
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise _store_error(self.file, error) from error


def _checksum(*values: object) -> int:
    return zlib.crc32(repr(values).encode("utf-8", "surrogatepass"))


def _is_damage(error: Exception) -> bool:
    """Whether the file is broken, not the disk, its rights, or another process at work on it."""
    if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.ProgrammingError):
        return False
    code = getattr(error, "sqlite_errorcode", None)  # none: text that is no UTF-8
    return code is None or code & 0xFF not in _OUTSIDE


def _store_error(file: Path | None, error: Exception) -> StoreError:
    """SQLite's and the system's errors in the words of every file that cannot be written."""
    if _is_damage(error):
        return DamagedIndexError(f"{file}: the index is damaged ({error}); remove it")
    if not isinstance(error, OSError):
        number = errno.ENOSPC if "full" in str(error) else errno.EACCES
        error = OSError(number, str(error))
    found = write_error(file or Path("index"), error)
    kept = StoreError(f"the index cannot be kept: {found}")
    kept.errno = error.errno
    return kept
