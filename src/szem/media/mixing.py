"""Decoded audio frames to mono: any sample format, rate and 1 to 64 channels to (T,) float32 at one rate.

FFmpeg converts formats and rates; the channels are mixed here, in NumPy, because neither of the usual ways is right
for sound that nobody listens to while it is recorded. The mean cancels opposed channels (a balanced microphone wired
to left and right) and buries one microphone among many (-18 dB in 1 of 8); FFmpeg's own matrices do the same and know
no layout for most numbers of channels. This file does not know files, streams or what is listened for.
"""

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from szem.errors import FormatError

__all__ = ["MAX_CHANNELS", "Downmixer", "MonoResampler"]

Samples = NDArray[np.float32]
MAX_CHANNELS = 64  # libswresample converts no more
_WINDOW_S = 0.032  # as for speech: longer than a period of 60 Hz, shorter than a syllable
_LOUDER = 2.0  # times the power: 3 dB
_FRAMES_AT_ONCE = 64  # windows transformed at a time; 64 channels then take 8 MB


class Downmixer:
    """Mixes channels to one so that nothing cancels: each component keeps its strength in its strongest channel.

    The sound is cut into overlapping windows and transformed. One channel is the reference; each frequency of each
    window is taken from it, or from the strongest channel where that is more than 3 dB stronger. So a component is
    at most 3 dB weaker than where it is strongest, equal channels give the channel itself, and opposed ones the
    reference. The reference stays until another channel is more than 3 dB stronger as a whole, since two opposed
    channels that took turns would cancel where windows overlap.

    Args:
        channels: How many are given.
        rate_hz: Samples a second.

    >>> left = np.sin(np.arange(4000) / 5).astype(np.float32)
    >>> mixer = Downmixer(2, rate_hz=16000)
    >>> mono = np.concatenate([mixer.feed(np.stack([left, -left], axis=1)), mixer.flush()])
    >>> bool(np.allclose(mono, left, atol=1e-5))
    True
    """

    def __init__(self, channels: int, *, rate_hz: int) -> None:
        self._channels = channels
        self._hop = max(16, 1 << round(np.log2(_WINDOW_S * rate_hz / 2)))
        # Applied before and after; its square and the same moved by a hop add up to 1.
        self._taper = np.sqrt(np.hanning(2 * self._hop + 1)[:-1]).astype(np.float32)
        self._restart()

    def _restart(self) -> None:
        self._rest = np.zeros((self._hop, self._channels), np.float32)  # the first window begins before the sound
        self._overlap = np.zeros(self._hop, np.float32)
        self._reference = 0
        self._given = self._due = 0  # due: samples taken in; given: samples put out, those before the sound too

    def feed(self, samples: Samples) -> Samples:
        """Take in samples, give those that are ready: up to two hops (32 ms) come later.

        Args:
            samples: (T, C) finite.
        Returns:
            (T',).
        """
        if self._channels == 1:
            return samples[:, 0]
        self._due += len(samples)
        return self._mixed(samples)

    def flush(self) -> Samples:
        """What is left, (T',); all that was fed has then been given, and the next sound may begin."""
        if self._channels == 1:
            return np.zeros(0, np.float32)
        left = self._due - max(0, self._given - self._hop)
        tail = self._mixed(np.zeros((2 * self._hop, self._channels), np.float32))[:left]
        self._restart()
        return tail

    def _mixed(self, samples: Samples) -> Samples:
        held = np.concatenate([self._rest, samples])
        count = max(0, (len(held) - 2 * self._hop) // self._hop + 1)
        self._rest = held[count * self._hop :]
        if not count:
            return np.zeros(0, np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(held, 2 * self._hop, axis=0)[:: self._hop][:count]
        out = np.empty((count, self._hop), np.float32)
        for first in range(0, count, _FRAMES_AT_ONCE):
            made = self._mix_windows(windows[first : first + _FRAMES_AT_ONCE])  # (n, 2 hops)
            out[first : first + len(made)] = made[:, : self._hop]
            out[first : first + len(made)] += np.concatenate([self._overlap[None], made[:-1, self._hop :]])
            self._overlap = made[-1, self._hop :]
        before = max(0, self._hop - self._given)  # of what lies before the sound
        self._given += out.size
        return out.reshape(-1)[before:]

    def _mix_windows(self, windows: NDArray[np.float32]) -> Samples:
        """(n, C, window) to (n, window), tapered twice."""
        spectra = np.fft.rfft(windows * self._taper, axis=2)
        power = spectra.real**2 + spectra.imag**2  # (n, C, F)
        strongest = power.argmax(axis=1)  # (n, F)
        of_channels = power.sum(axis=2)
        references = np.empty(len(windows), np.intp)
        for index, (loudness, best) in enumerate(zip(of_channels, of_channels.argmax(axis=1), strict=True)):
            if loudness[best] > _LOUDER * loudness[self._reference]:
                self._reference = int(best)
            references[index] = self._reference
        own = np.take_along_axis(power, references[:, None, None], axis=1)[:, 0]
        most = np.take_along_axis(power, strongest[:, None], axis=1)[:, 0]
        chosen = np.where(most > _LOUDER * own, strongest, references[:, None])
        mixed = np.take_along_axis(spectra, chosen[:, None], axis=1)[:, 0]
        return (np.fft.irfft(mixed, n=2 * self._hop, axis=1) * self._taper).astype(np.float32)


class MonoResampler:
    """Decoded audio frames in, mono float32 samples at one rate out; the frames' form may change on the way.

    Args:
        rate_hz: Samples a second of what is given.
        piece_s: Samples are given in pieces of so much; larger ones cost less.
    """

    def __init__(self, rate_hz: int, *, piece_s: float = 1.0) -> None:
        self._rate_hz, self._piece = rate_hz, max(1, round(piece_s * rate_hz))
        self._form: tuple[int, str, int, str] | None = None
        self._resampler: Any = None
        self._mixer = Downmixer(1, rate_hz=rate_hz)

    def feed(self, frame: Any) -> Iterator[Samples]:
        """Samples that are ready.

        Args:
            frame: An `av.AudioFrame`; its time stamp is dropped.
        Raises:
            FormatError: it has no channels, or more than 64.
            av.FFmpegError, ValueError: it cannot be converted.
        """
        layout = frame.layout
        form = (frame.sample_rate, frame.format.name, layout.nb_channels, layout.name)
        if form != self._form:
            yield from self.flush()
            if not 1 <= layout.nb_channels <= MAX_CHANNELS or frame.sample_rate <= 0:
                raise FormatError(
                    f"sound must have 1 to {MAX_CHANNELS} channels and a positive rate, got {layout.nb_channels} at "
                    f"{frame.sample_rate} Hz; convert it with fewer channels"
                )
            # "flt" is interleaved: one plane whatever the number of channels. PyAV looks for the end of a frame's
            # planes by a null pointer that FFmpeg does not put there from 8 on, and reads past it.
            self._resampler = av.AudioResampler(format="flt", rate=self._rate_hz, frame_size=self._piece)
            self._mixer = Downmixer(layout.nb_channels, rate_hz=self._rate_hz)
            self._form = form
        frame.pts = None
        for ready in self._resampler.resample(frame):
            yield self._plain(ready)

    def flush(self) -> Iterator[Samples]:
        """What is left; the next frame begins anew."""
        if self._form is None:
            return
        self._form = None
        for ready in self._resampler.resample(None):
            yield self._plain(ready)
        yield self._mixer.flush().clip(-1.0, 1.0)

    def _plain(self, ready: Any) -> Samples:
        channels = ready.layout.nb_channels
        packed = np.frombuffer(ready.planes[0], np.float32, count=ready.samples * channels).reshape(-1, channels)
        samples = np.nan_to_num(packed, nan=0.0, posinf=1.0, neginf=-1.0)
        return self._mixer.feed(samples).clip(-1.0, 1.0)
