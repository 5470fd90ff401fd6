"""Sound of sound files and films: `(T,)` float32 mono at the rate asked for, block by block or as one array.

Sample 0 is the beginning of the file's own time, the same as of its pictures: a sound track that begins late, or has
a hole, is filled with silence. This file does not know what is listened for; `szem.media.spectrum` makes pictures
of sound.
"""

import io
import os
import wave
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
from numpy.typing import NDArray

from szem.arrays import check_sound
from szem.errors import EmptyFileError, FormatError, RangeError, TooLargeError
from szem.media.sources import check_media_file, check_open_file, file_url

__all__ = ["SOUND_SUFFIXES", "SoundBlock", "SoundReader", "SoundSource", "read_sound", "write_sound"]

SOUND_SUFFIXES = frozenset((".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".wma", ".aif", ".aiff"))
SoundSource = str | os.PathLike[str] | bytes | IO[bytes]
Samples = NDArray[np.float32]
_MOST_S = 2 * 3600.0  # of one array; longer sounds are read block by block
_HOLE_S = 0.1  # shorter ones are jitter of the file's clock
_LONGEST_HOLE_S = 3600.0
_CUT_SHARE, _CUT_S = 0.9, 0.5  # a sound that ends so much before its header says was cut off


@dataclass(frozen=True, eq=False)
class SoundBlock:
    """A piece of sound and when it begins."""

    time_s: float
    samples: Samples  # (T,)


class SoundReader(AbstractContextManager["SoundReader"]):
    """The sound of a file, opened for reading once, from its beginning to its end, in blocks of equal length.

    Args:
        source: A sound file or a film, its bytes, or an open binary file or pipe.
        rate_hz: Samples a second of what is given; the file's own rate does not matter.
        block_s: Length of the blocks; the last one may be shorter.
    Raises:
        FileMissingError: no such file.
        EmptyFileError: no bytes, or a film without sound.
        FormatError: not a file with sound, or damaged.
        RangeError: `rate_hz` or `block_s` is not positive.
    """

    def __init__(self, source: SoundSource, *, rate_hz: int = 16000, block_s: float = 1.0) -> None:
        if rate_hz <= 0 or block_s <= 0:
            raise RangeError(f"rate_hz and block_s must be positive, got {rate_hz} and {block_s}")
        self.name, self._container = _opened(source)
        self.rate_hz = rate_hz
        self._block = max(1, round(block_s * rate_hz))
        if not self._container.streams.audio:
            self._container.close()
            raise EmptyFileError(f"{self.name}: there is no sound in it")
        self._stream = self._container.streams.audio[0]
        self._start_s = (self._container.start_time or 0) / av.time_base
        length = self._stream.duration
        self.duration_s: float | None = float(length * self._stream.time_base) if length else None  # None: untold
        if self.duration_s is None and self._container.duration:
            self.duration_s = self._container.duration / av.time_base

    def __iter__(self) -> Iterator[SoundBlock]:
        """Decode.

        Raises:
            EmptyFileError: not one sample in it.
            FormatError: it is damaged, or ends before it should; what came before has been given.
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
            raise EmptyFileError(f"{self.name}: not one sample of sound could be decoded")
        if self.duration_s and total_s < self.duration_s * _CUT_SHARE - _CUT_S:
            raise FormatError(
                f"{self.name}: the sound ends at {total_s:.1f} s of {self.duration_s:.1f} s; the file is cut off"
            )

    def _pieces(self) -> Iterator[Samples]:
        """Mono samples in order; holes of the file's clock filled with silence."""
        resampler = av.AudioResampler(format="fltp", rate=self.rate_hz)
        done = 0
        shape: tuple[int, str, str] | None = None
        try:
            for raw in self._container.decode(self._stream):
                now = (raw.sample_rate, raw.layout.name, raw.format.name)
                if shape is not None and now != shape:  # the track changes its form: begin anew
                    for late in resampler.resample(None):
                        done += late.samples
                        yield _plain(late)
                    resampler = av.AudioResampler(format="fltp", rate=self.rate_hz)
                shape = now
                hole_s = (float(raw.time) - self._start_s if raw.time is not None else 0.0) - done / self.rate_hz
                if _HOLE_S < hole_s < _LONGEST_HOLE_S:
                    silence = np.zeros(round(hole_s * self.rate_hz), np.float32)
                    done += len(silence)
                    yield silence
                raw.pts = None
                for ready in resampler.resample(raw):
                    done += ready.samples
                    yield _plain(ready)
            if shape is not None:
                for late in resampler.resample(None):
                    yield _plain(late)
        except (av.FFmpegError, ValueError) as error:
            raise FormatError(f"{self.name}: damaged sound ({error}); encode it anew") from error

    def __exit__(self, *_: object) -> None:
        with suppress(av.FFmpegError, ValueError):
            self._container.close()


def read_sound(source: SoundSource, *, rate_hz: int = 16000, most_s: float = _MOST_S) -> Samples:
    """Read all the sound of a sound file or film.

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
        As `check_sound`.
    """
    samples = check_sound(samples, rate_hz=rate_hz)
    if Path(path).suffix.lower() != ".wav":
        raise FormatError(f"{os.fspath(path)}: sound is written as WAV; let the name end in .wav")
    with wave.open(os.fspath(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(np.rint(samples.clip(-1, 1) * 32767).astype("<i2").tobytes())


def _plain(frame: Any) -> Samples:
    values = np.nan_to_num(frame.to_ndarray(), nan=0.0, posinf=1.0, neginf=-1.0)
    mixed: Samples = values.mean(axis=0, dtype=np.float32).clip(-1.0, 1.0)  # FFmpeg's own mix is louder by 3 dB
    return mixed


def _opened(source: SoundSource) -> tuple[str, Any]:
    if isinstance(source, bytes):
        if not source:
            raise EmptyFileError("sound: no bytes")
        return "sound", _container(io.BytesIO(source), "sound")
    if not isinstance(source, str | os.PathLike):
        check_open_file(source, what="a sound", ways="a path, bytes or a binary file")
        name = getattr(source, "name", "sound")
        return (name if isinstance(name, str) else "sound"), _container(source, str(name))
    name = os.fspath(source)
    check_media_file(name, wanted="a sound file or a film")
    return name, _container(file_url(name), name)


def _container(source: Any, name: str) -> Any:
    try:
        # a playlist inside must not lead to hosts; one that was sent, not to files either
        return av.open(source, options={"protocol_whitelist": "file" if isinstance(source, str) else "none"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise FormatError(f"{name}: not a sound szem reads ({error}); convert it to WAV first") from error
