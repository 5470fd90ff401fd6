"""What is still to be told to others: kept in the database until it was taken, through failures and restarts.

Messages of one hook go out in order. A hook that fails is tried again after a wait that doubles each time; others do
not wait for it. A message may arrive twice (the answer got lost, power failed before it was noted): it then carries
the same id. This file does not know how anything is sent.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import delete, func, select, update

from szem.errors import SzemError
from szem.guard.db_schema import OUTBOX
from szem.guard.event_store import EventStore

__all__ = ["END_S", "Message", "Notifier", "Outbox", "RefusedError"]

_log = logging.getLogger("szem.guard")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 600.0
_IDLE_S = 30.0  # how often to look when nobody says that there is something
END_S = 1.0  # for messages that are on their way at the end
_KEEP_S = 7 * 86_400.0  # messages older than this are given up
_MOST_REFUSED = 5  # attempts at a message that the receiver understands and refuses
_MOST_WAITING = 100_000  # messages of one hook; beyond it the oldest are given up


@dataclass(frozen=True)
class Message:
    """One message as it goes out."""

    id: str
    topic: str
    body: str  # JSON
    attempts: int


class RefusedError(SzemError):
    """The receiver answered and will not take this message, however often it comes."""


class Notifier(Protocol):
    """A way out."""

    def send(self, message: Message) -> None:
        """Deliver a message; return once the receiver has it.

        Raises:
            RefusedError: the receiver will never take it.
            SzemError, OSError: not now.
        """

    def close(self) -> None:
        """Let the connection go."""


class Outbox:
    """Sends what waits, a thread for each hook.

    Args:
        store: Where messages wait.
        notifiers: By name; messages of hooks that are not configured any more are given up after a week.
        on_sent: Called with a hook's name and "sent", "failed" or "given up".
        first_wait_s: After the first failure; doubled each time.
    """

    def __init__(
        self,
        store: EventStore,
        notifiers: Mapping[str, Notifier],
        *,
        on_sent: Callable[[str, str], None] = lambda _name, _outcome: None,
        first_wait_s: float = _FIRST_WAIT_S,
    ) -> None:
        self._store, self._notifiers, self._on_sent, self._first_wait_s = (
            store,
            dict(notifiers),
            on_sent,
            first_wait_s,
        )
        self._stopped = threading.Event()
        self._wakes = {name: threading.Event() for name in notifiers}
        self._threads = [
            threading.Thread(target=self._work, args=(name, notifier), name=f"szem-hook-{name}", daemon=True)
            for name, notifier in self._notifiers.items()
        ]

    def start(self) -> None:
        """Begin with what waits since the last time."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Say that there is something new."""
        for event in self._wakes.values():
            event.set()

    def stop(self, *, grace_s: float = 5.0) -> None:
        """End; what was not taken waits in the database for the next start.

        Args:
            grace_s: How long messages may still go out.
        """
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline and any(t.is_alive() for t in self._threads) and self._has_fresh():
            self.wake()
            time.sleep(0.05)
        self._stopped.set()
        self.wake()
        deadline = time.monotonic() + END_S  # for all together; a message that is on its way comes again
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        for notifier in self._notifiers.values():
            notifier.close()

    def waiting(self) -> dict[str, int]:
        """How many messages wait, by hook."""
        many = func.count()
        with self._store.begin() as connection:
            rows = connection.execute(select(OUTBOX.c.notifier, many).group_by(OUTBOX.c.notifier)).all()
        return {str(row[0]): int(row[1]) for row in rows}

    def _has_fresh(self) -> bool:
        """Whether messages wait that were never tried: those are worth a moment more."""
        try:
            with self._store.begin() as connection:
                query = select(func.count()).where(
                    OUTBOX.c.attempts == 0, OUTBOX.c.notifier.in_(list(self._notifiers))
                )
                return bool(connection.execute(query).scalar_one())
        except SzemError:
            return False

    # A hook's thread --------------------------------------------------------------------------------------------

    def _work(self, name: str, notifier: Notifier) -> None:
        failures = 0
        while not self._stopped.is_set():
            self._wakes[name].clear()
            try:
                failures = self._send_next(name, notifier, failures)
            except SzemError as error:  # the database
                _log.warning("webhook %s pauses: %s", name, error)
                failures = max(failures, 1)
            if failures:
                self._stopped.wait(min(self._first_wait_s * 2 ** (failures - 1), _LONGEST_WAIT_S))

    def _send_next(self, name: str, notifier: Notifier, failures: int) -> int:
        """Send one message, or wait for one; how many attempts have failed in a row now."""
        message = self._oldest(name)
        if message is None:
            self._wakes[name].wait(_IDLE_S)
            return 0
        try:
            notifier.send(message)
        except RefusedError as error:
            if message.attempts + 1 >= _MOST_REFUSED:
                _log.error("webhook %s: message %s is given up: %s", name, message.id, error)
                self._on_sent(name, "given up")
                self._drop(message.id, name)
                return 0
            self._note_failure(name, message, error)
        except Exception as error:
            self._note_failure(name, message, error)
        else:
            self._drop(message.id, name)
            self._on_sent(name, "sent")
            if failures:
                _log.info("webhook %s: answers again", name)
            return 0
        if not failures:
            _log.warning("webhook %s: %s", name, self._last_error)
        return failures + 1

    _last_error = ""

    def _note_failure(self, name: str, message: Message, error: BaseException) -> None:
        self._last_error = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        self._on_sent(name, "failed")
        with self._store.begin() as connection:
            connection.execute(
                update(OUTBOX)
                .where(OUTBOX.c.id == message.id, OUTBOX.c.notifier == name)
                .values(attempts=message.attempts + 1, error=self._last_error)
            )

    def _oldest(self, name: str) -> Message | None:
        table = OUTBOX.c
        with self._store.begin() as connection:
            row = connection.execute(
                select(OUTBOX).where(table.notifier == name).order_by(table.number).limit(1)
            ).one_or_none()
        return None if row is None else Message(row.id, row.topic, row.body, row.attempts)

    def _drop(self, id: str, name: str) -> None:
        with self._store.begin() as connection:
            connection.execute(delete(OUTBOX).where(OUTBOX.c.id == id, OUTBOX.c.notifier == name))

    def give_up_old(self) -> int:
        """Drop messages that have waited for too long, or are too many; how many there were."""
        table = OUTBOX.c
        dropped = 0
        with self._store.begin() as connection:
            before_s = self._store.clock.now_s() - _KEEP_S
            dropped += connection.execute(delete(OUTBOX).where(table.kept_s < before_s)).rowcount
            for name in self._notifiers:
                query = select(table.number).where(table.notifier == name).order_by(table.number.desc())
                last = connection.execute(query.offset(_MOST_WAITING).limit(1)).scalar_one_or_none()
                if last is not None:
                    old = (table.notifier == name) & (table.number <= last)
                    dropped += connection.execute(delete(OUTBOX).where(old)).rowcount
        if dropped:
            _log.error(
                "%d messages were given up: their webhooks did not take them for a week, or too many wait", dropped
            )
        return dropped


def message_row(notifier: str, *, topic: str, body: str) -> dict[str, Any]:
    """A message for `EventStore.add`."""
    return {"notifier": notifier, "topic": topic[:300], "body": body}
