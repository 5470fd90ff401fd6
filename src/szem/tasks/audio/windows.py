"""From a stream of sound to a network's scores, window by window, with memory that does not grow.

Bands are computed once for each moment, however many windows it lies in. This file does not know what an event is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.arrays import check_sound
from szem.errors import CardError
from szem.media.spectrum import MelBands, log_mel
from szem.runtime.cards import Calibration, SoundInput
from szem.runtime.sessions import Session
from szem.tasks.audio.kinds import EventKinds

__all__ = ["AudioWindow", "SoundWindows", "bands_of", "window_of"]

Samples = NDArray[np.float32]
_AT_ONCE = 32  # windows of one run
_USUAL_S = 1.0  # length of a window where the network takes any
_STEADY = 0.04  # natural logarithm: a band that stays so near its mean is no sound of this world
_HEARD = 0.9  # fraction of the sound whose bands must be steady


@dataclass(frozen=True, kw_only=True, eq=False)
class AudioWindow:
    """One window and what the network says of it."""

    time_s: float  # when it begins
    scores: NDArray[np.float32]  # (K,) probabilities, calibrated
    best: NDArray[np.int64]  # (K,) the network's label that each score is of
    level_db: float  # below full scale; -120 is digital silence
    peak: float  # largest sample, 0..1
    is_steady: bool  # nothing in it changes: a tone made by a machine


class SoundWindows:
    """Cuts sound into windows and scores them.

    Args:
        session: A model for `listen`.
        hop_s: From the beginning of one window to the next; at most a window's length.
    Raises:
        CardError: the model takes no sound, or has no labels.
    """

    def __init__(self, session: Session, *, hop_s: float = 0.24) -> None:
        card = session.model.card
        if not isinstance(card.input, SoundInput):
            raise CardError(f"{session.model.folder}: takes {card.input}, not sound; add it for task listen")
        if card.head not in ("logits", "probabilities", "frames") or not session.has(card.head):
            raise CardError(f"{session.model.folder}: head {card.head!r} is not one of a listener's")
        self._labels = len(session.model.labels)
        if not self._labels:
            raise CardError(f"{session.model.folder}: a listener needs labels; name them on its card")
        self.kinds = EventKinds(session.model.labels, card.groups)
        self.names = self.kinds.names
        self._session, self._head, self._calibration = session, card.head, card.calibration
        self._rules: SoundInput = card.input
        self.rate_hz = card.input.rate_hz
        self.window = window_of(card.input)
        self._bands = bands_of(card.input)
        step = self._bands.hop if self._bands is not None else 1
        self.hop = max(1, min(round(hop_s * self.rate_hz), self.window) // step) * step  # nothing is passed over
        self._most = min(_AT_ONCE, session.batch_limit or _AT_ONCE)
        self._held = np.zeros(0, np.float32)  # samples of windows to come
        self._rows = np.zeros((0, self._rules.bands or 1), np.float32)  # their bands, as far as they are computed
        self._first = 0  # sample of the stream that `_held` begins with
        self.given = 0  # samples taken in

    @property
    def window_s(self) -> float:
        """Length of a window."""
        return self.window / self.rate_hz

    @property
    def hop_s(self) -> float:
        """From one window to the next."""
        return self.hop / self.rate_hz

    def feed(self, samples: Samples) -> list[AudioWindow]:
        """Take in the next samples, at `rate_hz`.

        Returns:
            The windows that are full now, in order.
        Raises:
            As `check_sound`.
        """
        samples = check_sound(samples, rate_hz=self.rate_hz)
        self.given += len(samples)
        self._held = np.concatenate([self._held, samples])
        count = (len(self._held) - self.window) // self.hop + 1 if len(self._held) >= self.window else 0
        return self._score(count)

    def finish(self) -> list[AudioWindow]:
        """Nothing more will come: the last window, filled with silence, where samples are in no window yet."""
        done = self._first + self.window - self.hop if self._first else 0
        if self.given <= done or not len(self._held):
            return []
        self._held = np.pad(self._held, (0, max(0, self.window - len(self._held))))
        return self._score(1)

    def _score(self, count: int) -> list[AudioWindow]:
        if count <= 0:
            return []
        starts = np.arange(count) * self.hop
        rows = self._rows_of(starts[-1] + self.window) if self._bands is not None else None
        out: list[AudioWindow] = []
        for first in range(0, count, self._most):
            part = starts[first : first + self._most]
            out += self._run(part, rows)
        gone = int(starts[-1]) + self.hop
        self._held = self._held[gone:]
        if rows is not None and self._bands is not None:
            self._rows = rows[gone // self._bands.hop :]
        self._first += gone
        return out

    def _rows_of(self, samples: int) -> NDArray[np.float32]:
        """The bands of the first so many samples that are held."""
        assert self._bands is not None
        known, wanted = len(self._rows), self._bands.moments(int(samples))
        if wanted > known:
            begin = known * self._bands.hop
            new = log_mel(self._held[begin : int(samples)], self._bands)
            new = (new - np.float32(self._rules.mean)) / np.float32(self._rules.scale)
            self._rows = np.concatenate([self._rows, new[: wanted - known]])
        return self._rows

    def _run(self, starts: NDArray[np.int64], rows: NDArray[np.float32] | None) -> list[AudioWindow]:
        if rows is not None and self._bands is not None:
            moments = self._bands.moments(self.window)
            batch = np.stack([rows[s // self._bands.hop : s // self._bands.hop + moments] for s in starts])
            steady = [_is_steady(one * self._rules.scale + self._rules.mean) for one in batch]
        else:
            batch = np.stack([self._held[s : s + self.window] for s in starts])
            steady = [False] * len(starts)
        shape = self._session.input.shape
        if len(shape) == batch.ndim + 1 and shape[1] in (1, None):
            batch = batch[:, None]  # (N, 1, moments, bands)
        scores = _to_probabilities(np.concatenate(list(self._runs(batch))), self._head, self._calibration)
        if scores.shape[1] != self._labels:
            raise CardError(
                f"model {self._session.model.name!r} gives {scores.shape[1]} scores, its labels are "
                f"{self._labels}; correct the labels"
            )
        windows = []
        for start, row, best, is_steady in zip(starts, *self.kinds.of(scores), steady, strict=True):
            piece = self._held[start : start + self.window]
            level = float(np.sqrt(np.mean(np.square(piece, dtype=np.float64))))
            windows.append(
                AudioWindow(
                    time_s=(self._first + int(start)) / self.rate_hz,
                    scores=row,
                    best=best,
                    level_db=20 * float(np.log10(max(level, 1e-6))),
                    peak=float(np.abs(piece).max()),
                    is_steady=is_steady,
                )
            )
        return windows

    def _runs(self, batch: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        limit = self._session.batch_limit or len(batch)
        for first in range(0, len(batch), limit):
            part = batch[first : first + limit]
            missing = limit - len(part) if self._session.batch_limit else 0
            if missing:
                part = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
            yield self._session.run(part, roles=[self._head])[self._head][: limit - missing]


def bands_of(rules: SoundInput) -> MelBands | None:
    """How the input's bands are made; None where it takes the waveform."""
    if not rules.bands:
        return None
    return MelBands(
        rate_hz=rules.rate_hz,
        window_s=rules.window_s,
        hop_s=rules.hop_s,
        bands=rules.bands,
        low_hz=rules.low_hz,
        high_hz=rules.high_hz,
        floor=rules.floor,
        power=rules.power,
    )


def window_of(rules: SoundInput) -> int:
    """Samples of one window."""
    return rules.samples or round(_USUAL_S * rules.rate_hz)


def _to_probabilities(values: NDArray[np.float32], head: str, calibration: Calibration | None) -> NDArray[np.float32]:
    if values.ndim == 3:  # (N, moments, K): what is heard at the clearest moment
        values = values.max(axis=1)
    wide = values.astype(np.float64)
    if head == "logits":
        wide = 1 / (1 + np.exp(-np.clip(wide, -60, 60)))
    probabilities = np.clip(wide, 0.0, 1.0).astype(np.float32)
    return probabilities if calibration is None else calibration.apply(probabilities)


def _is_steady(bands: NDArray[np.float32]) -> bool:
    """Whether the bands that carry the sound do not change from moment to moment."""
    loud = np.exp(bands.mean(axis=0, dtype=np.float64))
    order = np.argsort(-loud)
    carrying = order[: int(np.searchsorted(np.cumsum(loud[order]), _HEARD * loud.sum())) + 1]
    return bool(bands[:, carrying].std(axis=0).mean() < _STEADY)
