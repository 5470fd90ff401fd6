"""How much at once: a gate that counts requests and the bytes they hold, and a budget of decoded pixels.

The gate refuses (429) what does not fit; the budget lets wait. This file does not know about HTTP.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from szem.errors import BusyError

__all__ = ["ByteBudget", "RequestGate", "RequestSlot"]

_LONGEST_WAIT_S = 30.0  # reported in Retry-After at most


class RequestSlot:
    """One request: the bytes it holds while it arrives, and its place once it has."""

    def __init__(self, gate: "RequestGate") -> None:
        self._gate = gate
        self.bytes_held = 0
        self.is_inside = False

    def begin(self) -> None:
        """The whole request is here: take a place. One who only half sends never holds one.

        Raises:
            BusyError: all places are taken by now.
        """
        self._gate.check()
        self._gate.taken += 1
        self.is_inside = True

    def hold(self, count: int) -> None:
        """Count bytes that have arrived.

        Raises:
            BusyError: all requests together hold too many.
        """
        gate = self._gate
        if gate.bytes_held + count > gate.max_bytes:
            raise BusyError(
                f"the server holds {gate.bytes_held:,} bytes of requests, its limit is {gate.max_bytes:,}; "
                "try again a little later",
                retry_after_s=gate.wait_s(),
            )
        self.bytes_held += count
        gate.bytes_held += count


class RequestGate:
    """Lets a number of requests in and refuses the rest at once.

    Args:
        places: Requests at the same time.
        max_bytes: Bytes of request bodies at the same time.
    """

    def __init__(self, *, places: int, max_bytes: int) -> None:
        self.places = places
        self.max_bytes = max_bytes
        self.taken = 0
        self.bytes_held = 0
        self._done: deque[float] = deque(maxlen=64)  # when the last ones finished

    def check(self) -> None:
        """Whether one more fits.

        Raises:
            BusyError: all places are taken; `retry_after_s` is how long the present ones will take.
        """
        if self.taken >= self.places:
            raise BusyError(
                f"all {self.places} places are taken; try again after the time in Retry-After, "
                "or send several pictures in one request",
                retry_after_s=self.wait_s(),
            )

    @contextmanager
    def enter(self) -> Iterator[RequestSlot]:
        """Come to the gate for the time of one request.

        Raises:
            BusyError: as `check`.
        """
        self.check()
        place = RequestSlot(self)
        try:
            yield place
        finally:
            self.bytes_held -= place.bytes_held
            if place.is_inside:
                self.taken -= 1
                self._done.append(time.monotonic())

    def wait_s(self) -> float:
        """How long the requests inside will take, going by how fast the last ones went."""
        if len(self._done) < 2:
            return 1.0
        pace_s = (time.monotonic() - self._done[0]) / len(self._done)
        return min(max(1.0, pace_s * self.taken), _LONGEST_WAIT_S)


class ByteBudget:
    """A sum that is shared: who needs more than is left waits, in order of arrival.

    One who needs more than the whole gets the whole, alone.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.left = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def take(self, amount: int) -> AsyncIterator[None]:
        """Hold a share for the time of the block."""
        granted = min(max(amount, 0), self.total)
        await self._acquire(granted)
        try:
            yield
        finally:
            self._release(granted)

    async def _acquire(self, granted: int) -> None:
        if not self._waiting and granted <= self.left:
            self.left -= granted
            return
        turn = asyncio.get_running_loop().create_future()
        entry = (granted, turn)
        self._waiting.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release(granted)  # the turn came and the caller left in the same moment
            else:
                self._waiting.remove(entry)
                self._wake()
            raise

    def _release(self, granted: int) -> None:
        self.left += granted
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.left:
            granted, turn = self._waiting.popleft()
            if not turn.done():
                self.left -= granted
                turn.set_result(None)
