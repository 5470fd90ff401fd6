"""The guard killed at random moments, again and again, on one store: nothing half, nothing lost that was whole."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import av
import pytest

from szem.guard.event_record import EventQuery
from szem.guard.event_store import EventStore
from szem.media.pictures import read_picture

from .acts import make_video

# Guards a film over and over, with an event every half second of it that is told to an address nobody answers at.
VICTIM = """
import sys
from contextlib import closing
from pathlib import Path
from szem.guard.service import GuardService
from szem.guard.sources import name_sources
from szem.guard.event_store import EventStore
from szem.results.events import Event
from szem.tasks.surveillance.rules_toml import parse_rules

class Senses:
    rate_hz, hears, levels, due = 16000, True, {}, 0.5
    def see(self, frame):
        if frame.time_s < self.due:
            return []
        self.due += 0.5
        return [Event(kind="enters", start_s=frame.time_s - 0.2, end_s=frame.time_s, score=0.9, best_s=frame.time_s,
                      channels={"video": 0.9})]
    def hear(self, block):
        return []
    def finish(self):
        return []

rules = parse_rules('''
[[rules]]
name = "all"
events = ["*"]
do = ["save", "webhook:nobody"]
[webhooks.nobody]
url = "http://127.0.0.1:9/"
[clips]
before_s = 0.5
after_s = 0.5
longest_s = 3
''')
folder, film = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
while True:
    with closing(EventStore(folder)) as store:
        GuardService(store, rules, name_sources([film], rules), make_analyzer=lambda _: Senses(), began=0.0).run()
"""


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("films") / "long.mp4", seconds=12.0)


def check(folder: Path) -> tuple[set[str], int]:
    """All that a store must keep to at any moment; the ids in it, and how many messages wait."""
    with closing(sqlite3.connect(folder / "events.sqlite3")) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        posted = [row[0] for row in database.execute("select body from szem_outbox order by number")]
        ids = {row[0] for row in database.execute("select id from szem_events")}
    with closing(EventStore(folder)) as store:
        events = list(store.each(EventQuery()))
        assert [event.number for event in events] == sorted(event.number for event in events)
        for event in events[-25:]:
            if event.picture:
                assert read_picture(store.media_path(event.picture)).shape == (120, 160, 3)
            if event.clip:
                with av.open(str(store.media_path(event.clip))) as clip:
                    assert sum(1 for _ in clip.decode(video=0)) > 5
    assert len(posted) == len(events)  # each event with its message, none without
    assert all(any(id in body for id in ids) for body in posted[-25:])
    return ids, len(posted)


def wait_for_an_event(folder: Path, victim: "subprocess.Popen[bytes]") -> None:
    """Until the first guard has kept something: before, there is nothing to check."""
    deadline, address = time.monotonic() + 120, f"{(folder / 'events.sqlite3').as_uri()}?mode=ro"
    while time.monotonic() < deadline:
        assert victim.poll() is None, "the guard ended by itself"
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(address, uri=True)) as database:
            if database.execute("select count(*) from szem_events").fetchone()[0]:
                return
        time.sleep(0.05)
    raise AssertionError("the guard keeps no event")


@pytest.mark.slow
def test_power_may_fail_at_any_moment(
    tmp_path: Path, long_video: Path, rounds: int, record_property: Callable[[str, object], None]
) -> None:
    folder, rng = tmp_path / "store", random.Random(rounds)
    script = tmp_path / "victim.py"
    script.write_text(VICTIM)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    before: set[str] = set()
    for number in range(rounds):
        victim = subprocess.Popen(
            [sys.executable, str(script), str(folder), str(long_video)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        assert victim.stdout is not None
        try:
            assert victim.stdout.readline() == b"ready\n"
            if number == 0:
                wait_for_an_event(folder, victim)
            time.sleep(rng.uniform(0.4, 2.5))
        finally:
            victim.send_signal(signal.SIGKILL)
            victim.wait(60)
            victim.stdout.close()
        now, _ = check(folder)
        assert before <= now  # what was kept once is kept
        before = now
    assert before
    with closing(EventStore(folder)) as store:
        store.hold()  # the lock went with the process
        store.clean()
        named = {name for event in store.each(EventQuery()) for name in (event.picture, event.clip) if name}
        found = {path.relative_to(store.media).as_posix() for path in store.media.rglob("*_*") if path.is_file()}
        assert found == named
    record_property("events", len(before))
