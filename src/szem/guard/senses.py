"""A source's eyes and ears together: what watches the pictures, what listens, and what judges both.

This file does not know where frames and sound come from, nor what becomes of events.
"""

from collections.abc import Sequence
from typing import Protocol

from szem.media.frames import Frame
from szem.media.sound import SoundBlock
from szem.results.events import Event

__all__ = ["Senses"]


class Senses(Protocol):
    """Called with all of one source, in order; `see` and `hear` may be called from two threads."""

    rate_hz: int  # samples a second of the sound it wants

    def see(self, frame: Frame) -> Sequence[Event]:
        """Look at a frame; events that begin, go on or end."""

    def hear(self, block: SoundBlock) -> Sequence[Event]:
        """Listen to a block; likewise."""

    def finish(self) -> Sequence[Event]:
        """The source has ended: what was not told yet."""
