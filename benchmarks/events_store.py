"""Times of the guard's database: one event by its id, an hour, a day, at any number of events.

    python benchmarks/events_store.py --rows 1000000

Made in a temporary folder; each time is the median of some calls. Nothing is compared with a peer: the table of
docs/guard.md quotes these numbers.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import insert

from szem.guard.db_schema import EVENTS, event_to_row
from szem.guard.event_record import EventQuery, StoredEvent
from szem.guard.event_store import EventStore

_BATCH = 5000
_KINDS = ("enters", "leaves", "loiters", "crosses")


def fill(store: EventStore, rows: int, *, days: float) -> list[str]:
    """Events in the order of their time, the last one now; their ids."""
    rng = random.Random(0)
    begun, ids = time.time() - days * 86_400, []
    for first in range(0, rows, _BATCH):
        batch = []
        for k in range(first, min(first + _BATCH, rows)):
            started = begun + days * 86_400 * k / rows
            event = StoredEvent(
                id=f"{rng.getrandbits(128):032x}", source=f"camera {k % 8}", kind=rng.choice(_KINDS), started=started,
                ended=started + rng.expovariate(0.1), start_s=0.0, end_s=0.0, score=rng.random(),
            )  # fmt: skip
            ids.append(event.id)
            batch.append(event_to_row(event))
        with store.begin() as connection:
            connection.execute(insert(EVENTS), batch)
    return ids


def median_ms(call: Callable[[], object], *, times: int = 15) -> float:
    """Of some calls, the first one left out."""
    call()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(taken)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=float, default=30.0)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, closing(EventStore(Path(folder))) as store:
        ids = fill(store, wanted.rows, days=wanted.days)
        now = time.time()
        middle = now - wanted.days * 43_200
        hour, last = EventQuery(since=middle, until=middle + 3600), EventQuery(since=now - 3600)
        day, month = EventQuery(since=middle, until=middle + 86_400), EventQuery(since=now - wanted.days * 86_400)
        calls: dict[str, Callable[[], object]] = {
            "get by id": lambda: store.get(ids[len(ids) // 2]),
            "get by 8 digits": lambda: store.get(ids[len(ids) // 3][:8]),
            "page, newest": lambda: store.page(EventQuery(), size=50),
            "page, the last hour": lambda: store.page(last, size=50),
            "page, an hour long ago": lambda: store.page(hour, size=50),
            "page, all days": lambda: store.page(month, size=50),
            "count, a day long ago": lambda: store.count(day),
            "counts by source, a day long ago": lambda: store.counts("source", day),
        }
        print(f"{wanted.rows:,} events over {wanted.days:g} days, SQLite")
        for name, call in calls.items():
            print(f"{name:34} {median_ms(call):8.2f} ms")


if __name__ == "__main__":
    main()
