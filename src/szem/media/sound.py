"""Sound of sound files and videos: `(T,)` float32 mono at the rate asked for, block by block or as one array.

Sample 0 is the beginning of the file's own time, the same as of its pictures: a sound track that begins late, or has
a hole, is filled with silence. This file does not know what is listened for; `szem.media.spectrum` makes pictures
of sound.
"""

import os
import wave
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from szem.arrays import check_sound
from szem.errors import EmptyFileError, FormatError, RangeError, TooLargeError
from szem.files import write_file
from szem.media.containers import (
    ContainerSource,
    check_codec,
    container_faults_named,
    open_container,
    start_s,
    stated_duration_s,
)
from szem.media.mixing import MonoResampler

__all__ = ["SOUND_SUFFIXES", "SoundBlock", "SoundReader", "SoundSource", "read_sound", "write_sound"]

SOUND_SUFFIXES = frozenset(
    ".wav .flac .ogg .oga .opus .mp3 .mp2 .m4a .m4b .mka .aac .ac3 .wma .aif .aiff .aifc .amr .au .caf .weba".split()  # noqa: SIM905
)
SoundSource = ContainerSource
Samples = NDArray[np.float32]
_MOST_S = 2 * 3600.0  # of one array; longer sounds are read block by block
_GAP_S = 0.1  # shorter ones are jitter of the file's clock
_LONGEST_GAP_S = 3600.0
_RATES_HZ = 1_000, 10_000_000
_CUT_FRACTION, _CUT_S = 0.9, 0.5  # a sound that ends so much before its header says was cut off


@dataclass(frozen=True, eq=False)
class SoundBlock:
    """A piece of sound and when it begins."""

    time_s: float
    samples: Samples  # (T,)


class SoundReader(AbstractContextManager["SoundReader"]):
    """The sound of a file, opened for reading once, from its beginning to its end, in blocks of equal length.

    Args:
        source: A sound file or a video, its bytes, or an open binary file or pipe.
        rate_hz: Samples a second of what is given; the file's own rate does not matter.
        block_s: Length of the blocks; the last one may be shorter.
    Raises:
        FileMissingError: no such file.
        EmptyFileError: no bytes, or a video without sound.
        FormatError: not a file with sound, or damaged.
        RangeError: `rate_hz` or `block_s` is not positive.
    """

    def __init__(self, source: SoundSource, *, rate_hz: int = 16000, block_s: float = 1.0) -> None:
        if rate_hz <= 0 or block_s <= 0:
            raise RangeError(f"rate_hz and block_s must be positive, got {rate_hz} and {block_s}")
        self._container, self.name = open_container(
            source,
            kind="a sound",
            wanted="a sound file or a video",
            remedy="convert it to WAV first",
            pipe_remedy="convert it to WAV first",
        )
        self.rate_hz = rate_hz
        self._block = max(1, round(block_s * rate_hz))
        self.damaged = 0  # packets that could not be decoded: silence, where the file tells times
        try:
            with container_faults_named(self.name):
                if not self._container.streams.audio:
                    raise EmptyFileError(f"{self.name}: there is no sound in it; give a file with a sound track")
                self._stream = self._container.streams.audio[0]
                check_codec(self._stream, self.name, remedy="convert it to WAV first")
                self._start_s = start_s(self._container)
                self.duration_s = stated_duration_s(self._container, self._stream)  # None: not stated
        except BaseException:
            self._container.close()
            raise

    def __iter__(self) -> Iterator[SoundBlock]:
        """Decode.

        Raises:
            EmptyFileError: not one sample in it.
            FormatError: its container is damaged, or it ends before it should; what came before has been given.
        """
        waiting: list[Samples] = []
        held = given = 0
        fault: FormatError | None = None
        pieces = self._pieces()
        while True:
            try:
                piece = next(pieces, None)
            except FormatError as error:
                fault, piece = error, None
            if piece is None:
                break
            waiting.append(piece)
            held += len(piece)
            while held >= self._block:
                joined = np.concatenate(waiting)
                yield SoundBlock(given / self.rate_hz, joined[: self._block])
                given += self._block
                held -= self._block
                waiting = [joined[self._block :]]
        if held:
            yield SoundBlock(given / self.rate_hz, np.concatenate(waiting))
        if fault is not None:
            raise fault
        total_s = (given + held) / self.rate_hz
        if total_s == 0:
            why = f" ({self.damaged} damaged packets)" if self.damaged else ""
            raise EmptyFileError(f"{self.name}: not one sample of sound could be decoded{why}; encode it anew")
        if self.duration_s and total_s < self.duration_s * _CUT_FRACTION - _CUT_S:
            raise FormatError(
                f"{self.name}: the sound ends at {total_s:.1f} s of {self.duration_s:.1f} s; the file is cut off"
            )

    def _pieces(self) -> Iterator[Samples]:
        """Mono samples in order; holes of the file's clock filled with silence."""
        resampler = MonoResampler(self.rate_hz)
        done_s = 0.0  # of the file's own time; what is read so far
        fault: FormatError | None = None
        try:
            for raw in self._frames():
                low, high = _RATES_HZ  # below, each sample would become thousands; above, the resampler fails
                if raw.sample_rate and not low <= raw.sample_rate <= high:
                    raise FormatError(
                        f"{self.name}: a sound has {low:,} to {high:,} samples a second, this has "
                        f"{raw.sample_rate:,}; its header is wrong, or it is no sound"
                    )
                with container_faults_named(self.name):
                    gap_s = (float(raw.time) - self._start_s if raw.time is not None else 0.0) - done_s
                    if _GAP_S < gap_s < _LONGEST_GAP_S:
                        yield from resampler.flush()
                        yield np.zeros(round(gap_s * self.rate_hz), np.float32)
                        done_s += gap_s
                    done_s += raw.samples / raw.sample_rate if raw.sample_rate > 0 else 0.0
                    yield from resampler.feed(raw)
        except FormatError as error:
            fault = error
        with container_faults_named(self.name):
            yield from resampler.flush()  # what came before the fault is given
        if fault is not None:
            raise fault

    def _frames(self) -> Iterator[Any]:
        """Decoded frames; packets that cannot be decoded are left out and counted."""
        packets = self._container.demux(self._stream)
        while True:
            with container_faults_named(self.name):
                packet = next(packets, None)
            if packet is None:
                return
            try:
                with container_faults_named(self.name):
                    frames = packet.decode()
            except FormatError:
                self.damaged += 1
                continue
            yield from frames

    def __exit__(self, *_: object) -> None:
        with suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()


def read_sound(source: SoundSource, *, rate_hz: int = 16000, most_s: float = _MOST_S) -> Samples:
    """Read all the sound of a sound file or video.

    Args:
        source: A file, its bytes, or an open binary file or pipe.
        rate_hz: Samples a second of the result.
        most_s: Refuse longer sounds.
    Returns:
        (T,) float32 mono in -1..1; sample 0 is the file's beginning.
    Raises:
        As `SoundReader` and its iteration.
        TooLargeError: it is longer than `most_s`.
    """
    with SoundReader(source, rate_hz=rate_hz, block_s=60.0) as reader:
        blocks = []
        for block in reader:
            if block.time_s + len(block.samples) / rate_hz > most_s:
                raise TooLargeError(
                    f"{reader.name}: more than {most_s:g} s of sound; cut it, or read it block by block (SoundReader)"
                )
            blocks.append(block.samples)
    return np.concatenate(blocks)


def write_sound(path: str | os.PathLike[str], samples: Samples, *, rate_hz: int = 16000) -> None:
    """Write a WAV file of 16 bits.

    Args:
        path: Ends in .wav.
        samples: (T,) float32 mono; what lies outside -1..1 is clipped.
        rate_hz: Samples a second.
    Raises:
        FormatError: another ending.
        StoreError: the folder cannot be written, or the disk is full.
        As `check_sound`.
    """
    samples = check_sound(samples, rate_hz=rate_hz)
    if Path(path).suffix.lower() != ".wav":
        raise FormatError(f"{os.fspath(path)}: sound is written as WAV; let the name end in .wav")
    with write_file(path) as part, wave.open(os.fspath(part), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(np.rint(samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
