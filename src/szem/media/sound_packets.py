"""Packets of sound from videos and lines that have no pictures, coded as they came.

This file does not know what is listened for; `szem.media.sound` decodes sound files whole.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import av

from szem.errors import EmptyFileError, FormatError, MediaError
from szem.media.containers import check_codec, container_faults_named, open_container, start_s, stated_duration_s
from szem.media.live import address_without_password, open_line

__all__ = ["SoundPackets"]


class SoundPackets:
    """The first sound track of a source, read once, from its beginning to its end or until it breaks off.

    A line that breaks off is not opened again: whoever reads it does that.

    Args:
        source: A file, or with `is_line` a stream's address.
        is_line: Whether it is an address.
        stall_s: How long a line may be silent.
    Raises:
        FileMissingError: no such file.
        EmptyFileError: no sound in it.
        FormatError: not a file with sound.
        MediaError: the line cannot be opened.
    """

    def __init__(self, source: str, *, is_line: bool = False, stall_s: float = 10.0) -> None:
        self.name = address_without_password(source) if is_line else source
        if is_line:
            try:
                self._container: Any = open_line(source, stall_s)
            except (av.FFmpegError, OSError, ValueError) as error:
                what = getattr(error, "strerror", None) or error
                raise MediaError(f"{self.name}: cannot be opened ({what}); check the address") from error
        else:
            remedy = "convert it to WAV first"
            self._container, _ = open_container(
                source, kind="a sound", wanted="a sound file", remedy=remedy, pipe_remedy=remedy
            )
        try:
            with container_faults_named(self.name):
                if not self._container.streams.audio:
                    raise EmptyFileError(f"{self.name}: there is no sound in it; give a source with a sound track")
                self._stream = self._container.streams.audio[0]
                check_codec(self._stream, self.name, remedy="let the source send AAC, Opus or PCM")
                self._start_s = 0.0 if is_line else start_s(self._container)
                self.duration_s = stated_duration_s(self._container, self._stream)
        except BaseException:
            self.close()
            raise
        self.is_live = is_line and self.duration_s is None
        self._stopped = threading.Event()

    def __iter__(self) -> Iterator[tuple[Any, float]]:
        """Packets, each with its time: the video's own, or since the first one came.

        Raises:
            FormatError: a file is damaged.
            MediaError: a line broke off.
        """
        begun, last_s = 0.0, 0.0
        try:
            for packet in self._container.demux(self._stream):
                if self._stopped.is_set():
                    return
                if not packet.size:
                    continue
                if self.is_live:
                    begun = begun or time.monotonic()
                    last_s = time.monotonic() - begun
                else:
                    at = packet.dts if packet.pts is None else packet.pts
                    last_s = last_s if at is None else max(0.0, float(at * packet.time_base) - self._start_s)
                yield packet, last_s
        except (av.FFmpegError, OSError, ValueError) as error:
            if isinstance(error, MediaError):
                raise
            kind = MediaError if self.is_live else FormatError
            raise kind(f"{self.name}: broke off ({getattr(error, 'strerror', None) or error})") from error

    def stop(self) -> None:
        """End with the packet that is being read."""
        self._stopped.set()

    def close(self) -> None:
        """Let the source go."""
        with suppress(av.FFmpegError, ValueError):
            self._container.close()
