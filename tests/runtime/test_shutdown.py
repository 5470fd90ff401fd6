"""A process that is asked to end does, whatever runs in it."""

import signal
import subprocess
import sys

import pytest

from szem.guard import clip_maker, outbox, service, write_queue
from szem.runtime import shutdown

PATIENCE_S = 60


@pytest.mark.parametrize(
    ("asked_s", "forced_s", "busy", "status", "message"),
    [
        # a thread that is no daemon, and never ends, keeps the interpreter alive
        (0.1, 60, "threading.Thread(target=threading.Event().wait).start()", 128 + signal.SIGTERM, "not everything"),
        # a native call that keeps the interpreter's lock: no thread gets a turn any more
        (30, 0.2, "ctypes.PyDLL(None).sleep(50)", -signal.SIGALRM, ""),
        # a log that nobody reads is full
        (0.1, 0.6, "lock.acquire()", -signal.SIGALRM, ""),
    ],
)
def test_a_process_that_cannot_end_is_ended(
    asked_s: float, forced_s: float, busy: str, status: int, message: str
) -> None:
    program = f"""
import ctypes, logging, signal, sys, threading
from szem.runtime import shutdown
shutdown.ASKED_S, shutdown.FORCED_S = {asked_s}, {forced_s}
handler = logging.StreamHandler()
logging.getLogger().addHandler(handler)
lock = handler.lock
shutdown.end_in_time(signal.SIGTERM, log="szem")
{busy}
threading.Event().wait({PATIENCE_S})
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=PATIENCE_S, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert message in done.stderr


def test_the_steps_of_the_guards_end_fit_into_its_deadline() -> None:
    steps = service.STOP_S + clip_maker.CLOSE_S + write_queue.END_S + service.OUTBOX_S + outbox.END_S
    assert steps < shutdown.ASKED_S
