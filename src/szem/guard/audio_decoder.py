"""Sound of a live line or video, from its packets to blocks of mono samples with times.

A live line's sound has holes and clocks that drift: silence fills a hole, and each block's time is the line's own.
This file does not know what is listened for.
"""

from typing import Any

import av
import numpy as np

from szem.errors import FormatError
from szem.media.mixing import MonoResampler
from szem.media.sound import SoundBlock

__all__ = ["AudioDecoder"]

_GAP_S = 0.5  # later than this: packets were lost, not only late
_PIECE_S = 0.05  # samples are converted in pieces of this; what waits for a whole one comes late
_AHEAD_S = 3.0  # a line that was held up sends what it owes in a burst; more than this it did not owe


class AudioDecoder:
    """Turns packets into blocks of equal length.

    Args:
        rate_hz: Samples a second of the blocks.
        block_s: Their length.
    """

    def __init__(self, *, rate_hz: int = 16000, block_s: float = 0.5) -> None:
        self._rate_hz, self._block = rate_hz, max(1, round(rate_hz * block_s))
        self._stream: Any = None
        self._resampler = self._new_resampler()
        self._waiting: list[np.ndarray[Any, np.dtype[np.float32]]] = []
        self._held = 0
        self._next_s: float | None = None  # when what waits begins
        self.damaged = 0  # packets that could not be decoded

    def hear(self, packet: Any, time_s: float) -> list[SoundBlock]:
        """Take a packet of sound; the blocks that are whole now.

        Args:
            packet: As a reader's `tap` gives it.
            time_s: When it begins, in the source's own time.
        """
        if packet.stream is not self._stream:
            self._stream, self._resampler = packet.stream, self._new_resampler()
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            self.damaged += 1
            return []
        made: list[SoundBlock] = []
        for raw in frames:
            made += self._take(raw, time_s)
        return made

    def end(self) -> list[SoundBlock]:
        """What is left, as a last block that may be short."""
        if not self._held or self._next_s is None:
            return []
        block = SoundBlock(self._next_s, np.concatenate(self._waiting))
        self._waiting, self._held = [], 0
        return [block]

    def _new_resampler(self) -> MonoResampler:
        return MonoResampler(self._rate_hz, piece_s=_PIECE_S)

    def _take(self, raw: Any, time_s: float) -> list[SoundBlock]:
        made: list[SoundBlock] = []
        try:
            for samples in self._resampler.feed(raw):
                made += self._keep(samples, time_s)
        except (av.FFmpegError, FormatError, ValueError):  # a frame that cannot be converted
            self.damaged += 1
        return made

    def _keep(self, samples: "np.ndarray[Any, np.dtype[np.float32]]", time_s: float) -> list[SoundBlock]:
        made: list[SoundBlock] = []
        due_s = time_s if self._next_s is None else self._next_s + self._held / self._rate_hz
        if due_s - time_s > _AHEAD_S:
            self.damaged += 1
            return made
        if time_s - due_s > _GAP_S:  # a hole: begin anew where the line is
            made, due_s = self.end(), time_s
        if self._next_s is None or not self._held:
            self._next_s = due_s
        self._waiting.append(samples)
        self._held += len(samples)
        while self._held >= self._block:
            joined = np.concatenate(self._waiting)
            made.append(SoundBlock(self._next_s, joined[: self._block]))
            self._next_s += self._block / self._rate_hz
            self._waiting, self._held = [joined[self._block :]], self._held - self._block
        return made
