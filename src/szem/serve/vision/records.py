"""The memory of long operations: one table, in SQLite or any database that SQLAlchemy speaks to.

Every change is one transaction. A server that works on an operation holds a lease on it; when the lease runs out,
the server is taken for dead and another (or itself, started again) goes on where the record says. Blocking: call it
from a thread. This file does not know what operations do.
"""

import base64
import binascii
import json
import re
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from szem.errors import BusyError, NotFoundError
from szem.runtime.databases import open_database
from szem.serve.status import FieldsError

__all__ = ["DATABASE_FILE", "Record", "Records", "default_database"]

DATABASE_FILE = "operations.sqlite3"
_MOST_UNFINISHED = 200  # accepted and not done; more are refused
MAX_ATTEMPTS = 5  # an operation that ends the server so many times without progress is given up

_ID = re.compile(r"[0-9a-f]{32}\Z")

_metadata = MetaData()
_operations = Table(
    "szem_operations",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("parent", String(256), nullable=False),  # "", projects/P or projects/P/locations/L
    Column("owner", String(16), nullable=False),  # fingerprint of the API key it came with
    Column("kind", String(16), nullable=False),  # images or files
    Column("body", Text, nullable=False),  # the request as JSON
    Column("state", String(16), nullable=False),  # CREATED, RUNNING, DONE, CANCELLED
    Column("done", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False),  # deleted by its owner while it ran
    Column("cancelled", Boolean, nullable=False),  # asked to stop
    Column("part", Integer, nullable=False),  # which of its files it is at
    Column("item", Integer, nullable=False),  # how many answers of that part lie in finished output files
    Column("attempts", Integer, nullable=False),  # times it was taken up without progress
    Column("worker", String(32), nullable=False),
    Column("lease_until", Float, nullable=False),  # seconds since 1970
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Column("error", Text),  # google.rpc.Status as JSON
    Column("response", Text),  # as JSON, with @type
    Index("szem_operations_waiting", "done", "lease_until"),
)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One operation as it stands."""

    id: str
    parent: str
    owner: str
    kind: str
    body: str
    state: str
    done: bool
    cancelled: bool
    part: int
    item: int
    attempts: int
    created: float
    updated: float
    error: dict[str, Any] | None
    response: dict[str, Any] | None

    @property
    def name(self) -> str:
        """Its resource name: `operations/ID`, below its parent."""
        return f"{self.parent}/operations/{self.id}" if self.parent else f"operations/{self.id}"


def default_database(home: Path) -> str:
    """The URL of the SQLite file in a folder.

    >>> default_database(Path("/data"))
    'sqlite:////data/operations.sqlite3'
    """
    return f"sqlite:///{home / DATABASE_FILE}"


class Records:
    """The table of operations.

    Args:
        url: SQLAlchemy URL; the folder of an SQLite file is made.
        lease_s: How long a worker may be silent.
    Raises:
        RangeError: the URL is wrong, or the database cannot be reached.
    """

    def __init__(self, url: str, *, lease_s: float) -> None:
        self.lease_s = lease_s
        self._engine = open_database(url, _metadata, name="operations")

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()

    def add(self, *, kind: str, body: str, parent: str, owner: str) -> Record:
        """Accept an operation; once this returns, it survives anything.

        Raises:
            BusyError: too many are not done yet.
        """
        now = time.time()
        with self._engine.begin() as connection:
            waiting = connection.execute(
                select(func.count()).select_from(_operations).where(_operations.c.done.is_(False))
            ).scalar_one()
            if waiting >= _MOST_UNFINISHED:
                raise BusyError(f"{waiting} operations are not done yet; try again later", retry_after_s=30.0)
            values: dict[str, Any] = {
                "id": uuid.uuid4().hex,
                "parent": parent,
                "owner": owner,
                "kind": kind,
                "body": body,
                "state": "CREATED",
                "done": False,
                "hidden": False,
                "cancelled": False,
                "part": 0,
                "item": 0,
                "attempts": 0,
                "worker": "",
                "lease_until": 0.0,
                "created": now,
                "updated": now,
            }
            connection.execute(insert(_operations).values(values))
        return self.get(values["id"], parent=parent, owner=owner)

    def get(self, id: str, *, parent: str, owner: str) -> Record:
        """Find one operation of a caller.

        Raises:
            NotFoundError: there is none, or it belongs to another key.
        """
        row = None
        if _ID.match(id):  # PostgreSQL takes no text with NUL in it
            with self._engine.connect() as connection:
                row = connection.execute(select(_operations).where(*_is(id, parent, owner))).mappings().first()
        if row is None:
            raise NotFoundError(f"no operation {id[:64]!r}; it never was, was deleted, or is forgotten by now")
        return _record(row)

    def page(self, *, parent: str, owner: str, size: int, token: str, done: bool | None) -> tuple[list[Record], str]:
        """Some operations of a caller, the newest first, and the token of the next page (empty: no more).

        Raises:
            FieldsError: the token is not one of ours.
        """
        table = _operations.c
        query = select(_operations).where(table.parent == parent, table.owner == owner, table.hidden.is_(False))
        if done is not None:
            query = query.where(table.done.is_(done))
        if token:
            created, id = _read_token(token)
            query = query.where(or_(table.created < created, (table.created == created) & (table.id < id)))
        query = query.order_by(table.created.desc(), table.id.desc()).limit(size + 1)
        with self._engine.connect() as connection:
            rows = [_record(row) for row in connection.execute(query).mappings()]
        more = _write_token(rows[size - 1]) if len(rows) > size else ""
        return rows[:size], more

    def cancel(self, id: str, *, parent: str, owner: str) -> None:
        """Ask an operation to stop. One that nobody works on stops at once; one that is done stays as it is.

        Raises:
            NotFoundError: there is none.
        """
        self.get(id, parent=parent, owner=owner)
        now = time.time()
        table = _operations.c
        with self._engine.begin() as connection:
            connection.execute(
                update(_operations).where(table.id == id, table.done.is_(False)).values(cancelled=True, updated=now)
            )
            connection.execute(
                update(_operations)
                .where(table.id == id, table.done.is_(False), table.state == "CREATED")
                .values(done=True, state="CANCELLED", error=json.dumps(CANCELLED_STATUS))
            )

    def delete(self, id: str, *, parent: str, owner: str) -> None:
        """Forget an operation. One that runs goes on unseen and is forgotten at its end.

        Raises:
            NotFoundError: there is none.
        """
        self.get(id, parent=parent, owner=owner)
        with self._engine.begin() as connection:
            connection.execute(update(_operations).where(_operations.c.id == id).values(hidden=True))
            self._forget_hidden(connection)

    # For workers ------------------------------------------------------------------------------------------------

    def claim(self, worker: str) -> Record | None:
        """Take up the oldest operation that waits, or whose worker is silent; None if there is none."""
        table = _operations.c
        free = (table.done.is_(False)) & (table.lease_until < time.time())
        with self._engine.begin() as connection:
            id = connection.execute(
                select(table.id).where(free).order_by(table.created, table.id).limit(1)
            ).scalar_one_or_none()
            if id is None:
                return None
            taken = connection.execute(
                update(_operations)
                .where(table.id == id, free)
                .values(
                    worker=worker,
                    lease_until=time.time() + self.lease_s,
                    state="RUNNING",
                    attempts=table.attempts + 1,
                    updated=time.time(),
                )
            )
            if taken.rowcount != 1:
                return None
            row = connection.execute(select(_operations).where(table.id == id)).mappings().one()
        return _record(row)

    def keep(self, id: str, worker: str) -> bool:
        """Renew a lease. False: stop, the operation was cancelled or belongs to another worker now."""
        table = _operations.c
        with self._engine.begin() as connection:
            kept = connection.execute(
                update(_operations)
                .where(table.id == id, table.worker == worker, table.done.is_(False), table.cancelled.is_(False))
                .values(lease_until=time.time() + self.lease_s)
            )
        return kept.rowcount == 1

    def advance(self, id: str, worker: str, *, part: int, item: int) -> bool:
        """Note that answers lie in their output file. False: stop, as `keep`."""
        now = time.time()
        return self._own(id, worker, part=part, item=item, attempts=0, updated=now, lease_until=now + self.lease_s)

    def release(self, id: str, worker: str) -> None:
        """Give an operation back unfinished: the server stops on purpose. That costs no attempt."""
        self._own(id, worker, lease_until=0.0, worker="", attempts=0)

    def finish(
        self,
        id: str,
        worker: str,
        *,
        state: str,
        error: dict[str, Any] | None = None,
        response: dict[str, Any] | None = None,
    ) -> bool:
        """End an operation. False: it belongs to another worker now."""
        done = self._own(
            id,
            worker,
            state=state,
            done=True,
            updated=time.time(),
            error=None if error is None else json.dumps(error),
            response=None if response is None else json.dumps(response),
        )
        with self._engine.begin() as connection:
            self._forget_hidden(connection)
        return done

    def forget(self, *, older_than_s: float) -> None:
        """Drop operations that ended long ago."""
        table = _operations.c
        with self._engine.begin() as connection:
            connection.execute(
                delete(_operations).where(table.done.is_(True), table.updated < time.time() - older_than_s)
            )

    def _own(self, id: str, owner: str, /, **values: Any) -> bool:
        table = _operations.c
        with self._engine.begin() as connection:
            changed = connection.execute(
                update(_operations)
                .where(table.id == id, table.worker == owner, table.done.is_(False))
                .values(**values)
            )
        return changed.rowcount == 1

    def _forget_hidden(self, connection: Any) -> None:
        table = _operations.c
        connection.execute(delete(_operations).where(table.hidden.is_(True), table.done.is_(True)))


CANCELLED_STATUS: dict[str, Any] = {"code": 1, "message": "the operation was cancelled"}


def _is(id: str, parent: str, owner: str) -> tuple[Any, ...]:
    table = _operations.c
    return table.id == id, table.parent == parent, table.owner == owner, table.hidden.is_(False)


def _record(row: RowMapping) -> Record:
    values = {name: row[name] for name in Record.__dataclass_fields__}
    for name in ("error", "response"):
        if values[name] is not None:
            values[name] = json.loads(values[name])
    return Record(**values)


def _write_token(record: Record) -> str:
    return base64.urlsafe_b64encode(f"{record.created!r} {record.id}".encode()).decode("ascii")


def _read_token(token: str) -> tuple[float, str]:
    try:
        created, id = base64.urlsafe_b64decode(token.encode("ascii")).decode("ascii").split(" ")
        if not _ID.match(id):
            raise ValueError("no id")
        return float(created), id
    except (ValueError, binascii.Error) as error:
        raise FieldsError(f"pageToken {token[:40]!r} is not one of this server's; begin without it") from error


def timestamp(seconds: float) -> str:
    """A moment as RFC 3339 text.

    >>> timestamp(0.5)
    '1970-01-01T00:00:00.500000Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
