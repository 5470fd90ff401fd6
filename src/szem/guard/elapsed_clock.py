"""A clock of the guard's own, which counts the time that has passed and which nobody can set.

The wall clock of a machine may jump: it is set by hand or by the network, and a machine without a battery begins at
1970. What is old, and what came before what, is decided by this clock instead. It goes on over restarts: the time in
between is taken from the wall clock, but only once the guard has run for a while, when a wrong clock has been set.
"""

import time
from collections.abc import Callable

__all__ = ["ElapsedClock", "passed_s"]

_SETTLE_S = 600.0


def passed_s() -> float:
    """Seconds that have passed since some moment, those asleep included where the system can tell."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class ElapsedClock:
    """Counts on from where it was left.

    Args:
        anchor: What `anchor` said last, as (wall, steady); None where nothing was kept before.
        wall: Seconds since 1970, which may jump.
        passed: Seconds from any moment, which may not.
        settle_s: How long after a start the wall clock is not believed yet.

    >>> walls, passes = [1000.0], [5.0]
    >>> clock = ElapsedClock((400.0, 70.0), wall=lambda: walls[0], passed=lambda: passes[0])
    >>> passes[0] += 1
    >>> clock.now_s()
    71.0
    >>> passes[0] += 600; walls[0] += 601
    >>> clock.now_s()
    1271.0
    """

    def __init__(
        self,
        anchor: tuple[float, float] | None,
        *,
        wall: Callable[[], float] = time.time,
        passed: Callable[[], float] = passed_s,
        settle_s: float = _SETTLE_S,
    ) -> None:
        self._wall, self._passed, self._settle_s = wall, passed, settle_s
        self._begun = passed()
        self._anchor = anchor
        self._base_s = 0.0 if anchor is None else anchor[1]
        self._is_settled = anchor is None
        self._offset = wall() - passed()

    def now_s(self) -> float:
        """Seconds that have passed since the first start, as far as is known."""
        elapsed_s = self._passed() - self._begun
        if not self._is_settled and self._anchor is not None and elapsed_s >= self._settle_s:
            self._base_s += max(0.0, self._wall() - elapsed_s - self._anchor[0])
            self._is_settled = True
        return self._base_s + elapsed_s

    def anchor(self) -> tuple[float, float]:
        """What to keep for the next start: (wall, steady)."""
        now_s = self.now_s()
        if not self._is_settled and self._anchor is not None:
            return self._anchor  # the time in between is still to be counted
        return self._wall(), now_s

    def step_s(self) -> float:
        """By how much the wall clock was set since this was last asked."""
        offset = self._wall() - self._passed()
        step, self._offset = offset - self._offset, offset
        return step
