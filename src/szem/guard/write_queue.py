"""The two threads that write what the guard keeps, so that no camera waits for a disk.

One does short things strictly in their order (pictures, rows); when the database or the disk does not take one it is
tried again, and what comes after it waits. The other makes clips, which may take seconds; a full disk pauses it too.
What does not fit in a queue is lost, and counted. This file does not know what is written.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from szem.errors import StoreError, SzemError
from szem.files import is_disk_full

__all__ = ["END_S", "WriteQueue"]

_log = logging.getLogger("szem.guard")
_MOST_SHORT = 5_000  # short things that wait while the database is away
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
END_S = 1.0  # for threads that are in the middle of a write: with the process they end
_SAY_AGAIN_S = 60.0

Work = Callable[[], None]


class WriteQueue:
    """Takes work from every camera.

    Args:
        clips_waiting: Clips that may wait; a video then waits for its clips, a live line goes without.
        on_lost: Called with "event" or "clip" when one is given up.
    """

    def __init__(self, *, clips_waiting: int = 16, on_lost: Callable[[str], None] = lambda _: None) -> None:
        self._on_lost, self._most_clips = on_lost, clips_waiting
        self._short: deque[Work] = deque()
        self._clips: deque[Work] = deque()
        self._change = threading.Condition()
        self._stopping = False
        self._busy = {"short": False, "clips": False}
        self._said = -_SAY_AGAIN_S
        self._paused = {"short": "", "clips": ""}  # why it waits before it tries again
        self._threads = [
            threading.Thread(target=self._write_short, name="szem-guard-rows", daemon=True),
            threading.Thread(target=self._write_clips, name="szem-guard-clips", daemon=True),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> dict[str, int]:
        """How much waits."""
        return {"rows": len(self._short), "clips": len(self._clips)}

    @property
    def paused(self) -> str:
        """Why nothing is written at the moment; empty: all is well."""
        return self._paused["short"] or self._paused["clips"]

    @property
    def is_stopping(self) -> bool:
        """Whether each piece of work has its last attempt: what can be written of it should be."""
        return self._stopping

    def write(self, work: Work) -> None:
        """Have something short done, after all that came before it."""
        with self._change:
            if len(self._short) >= _MOST_SHORT:
                self._short.popleft()
                self._on_lost("event")
            self._short.append(work)
            self._change.notify_all()

    def make_clip(self, work: Work, *, wait: bool) -> None:
        """Have a clip made.

        Args:
            work: What makes it.
            wait: Wait while too many are waiting, instead of going without.
        """
        with self._change:
            while wait and len(self._clips) >= self._most_clips and not self._stopping:
                self._change.wait(1.0)
            if len(self._clips) >= self._most_clips:
                self._say("too many clips wait; the machine is too slow for them, events are kept without")
                self._on_lost("clip")
                return
            self._clips.append(work)
            self._change.notify_all()

    def drain(self, timeout_s: float, *, paused_s: float = float("inf")) -> bool:
        """Wait until everything is done; False: it was not within the time.

        Args:
            timeout_s: How long.
            paused_s: How long if nothing can be written meanwhile.
        """
        begun = time.monotonic()
        with self._change:
            while self._short or self._clips or any(self._busy.values()):
                left_s = begun + (min(timeout_s, paused_s) if self.paused else timeout_s) - time.monotonic()
                if left_s <= 0:
                    return False
                self._change.wait(min(left_s, 0.5))
        return True

    def stop(self) -> None:
        """End the threads after what they are at."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        deadline = time.monotonic() + END_S
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    # The threads ------------------------------------------------------------------------------------------------

    def _write_short(self) -> None:
        wait_s = _FIRST_WAIT_S
        while (work := self._next("short", self._short)) is not None:
            is_last_try = self._stopping
            try:
                work()
            except StoreError as error:
                self._say(f"{error}; events wait in memory until it does")
                self._retry("short", self._short, work, error, wait_s=0.0 if is_last_try else wait_s)
                if is_last_try:
                    return
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
                continue
            except Exception:
                _log.exception("an event could not be kept")
                self._on_lost("event")
            else:
                wait_s, self._paused["short"] = _FIRST_WAIT_S, ""
            self._done("short")

    def _write_clips(self) -> None:
        with suppress(OSError, AttributeError):  # clips come after watching
            _be_nice()
        wait_s = _FIRST_WAIT_S
        while (work := self._next("clips", self._clips)) is not None:
            try:
                work()
            except StoreError as error:
                if is_disk_full(error) and not self._stopping:
                    self._say(f"{error}; clips wait in memory until there is space")
                    self._retry("clips", self._clips, work, error, wait_s=wait_s)
                    wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
                    continue
                self._say(f"no clip: {error}; the guard goes on without")
                self._on_lost("clip")
            except SzemError as error:
                _log.warning("no clip: %s", error)
                self._on_lost("clip")
            except Exception:
                _log.exception("a clip could not be made")
                self._on_lost("clip")
            else:
                wait_s = _FIRST_WAIT_S
            self._paused["clips"] = ""
            self._done("clips")

    def _retry(self, name: str, queue: deque[Work], work: Work, error: StoreError, *, wait_s: float) -> None:
        """Put work back in front of its queue, and wait."""
        self._paused[name] = str(error)
        with self._change:
            queue.appendleft(work)
            self._busy[name] = False
            self._change.notify_all()
            if wait_s and not self._stopping:
                self._change.wait(wait_s)  # woken by new work too: no harm

    def _next(self, name: str, queue: deque[Work]) -> Work | None:
        with self._change:
            while not queue:
                if self._stopping:
                    return None
                self._change.wait()
            self._busy[name] = True
            work = queue.popleft()
            self._change.notify_all()
            return work

    def _done(self, name: str) -> None:
        with self._change:
            self._busy[name] = False
            self._change.notify_all()

    def _say(self, text: str) -> None:
        if time.monotonic() - self._said >= _SAY_AGAIN_S:
            self._said = time.monotonic()
            _log.error("%s", text)


def _be_nice() -> None:
    """Let this thread come after others, where threads have priorities of their own (Linux)."""
    import os

    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
