"""Measure a listener through the shipped path.

The data is a folder with `index.csv` (audio, label, and perhaps source and fold) and the sounds in `audio/` or beside
it. Where a label is `not_X`, the scores of X are measured as a detector's; else each clip has one kind, and the kind
with the best mean score of all its windows is the answer.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.data.sounds import LabelledSound, in_split, read_labelled_sounds
from szem.errors import FileMissingError, UnknownNameError
from szem.media.sound import read_sound
from szem.results.events import Event
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.audio.listen import Listener, ListenSettings

__all__ = ["area_under_curve", "evaluate_listen", "name_clip", "rate_clips"]

_NOT = "not "


def evaluate_listen(model: Model, folder: Path, split: str) -> list[Measurement]:
    """Accuracy and events of named clips, or how well shots, say, are reported from what is not.

    Raises:
        UnknownNameError: no such split, or the model does not know the kinds.
        FileMissingError: no clip is of this split.
    """
    session = Session(model, threads=1)
    heard = in_split(read_labelled_sounds(folder), split)
    if not heard:
        raise FileMissingError(f"{folder}: nothing is of split {split!r}; choose another, or all")
    denied = {h.kind.removeprefix(_NOT) for h in heard if h.kind.startswith(_NOT)}
    if denied:
        return _detect(session, heard, sorted(denied)[0])
    return _name(session, heard)


def _name(session: Session, heard: Sequence[LabelledSound]) -> list[Measurement]:
    listener = Listener(session)
    unknown = {h.kind for h in heard} - set(listener.names)
    if unknown:
        raise UnknownNameError(
            f"the model knows no {', '.join(sorted(unknown))}; it knows {', '.join(listener.names)}"
        )
    right: dict[str, list[bool]] = {}
    hits = found = 0
    for one in heard:
        sound = read_sound(one.path, rate_hz=listener.rate_hz)
        is_right = name_clip(listener, sound) == one.kind
        right.setdefault(one.source, []).append(is_right)
        kinds = {event.kind for event in _events_of(session, sound)}
        hits, found = hits + (one.kind in kinds), found + len(kinds)
    every = [is_right for group in right.values() for is_right in group]
    n = len(every)
    out = [Measurement("accuracy", float(np.mean(every)), n)]
    if len(right) > 1:
        out += [Measurement(f"accuracy {name}", float(np.mean(rows)), len(rows)) for name, rows in right.items()]
    precision, recall = hits / max(found, 1), hits / n
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return [
        *out,
        Measurement("precision of events", precision, max(found, 1)),
        Measurement("recall of events", recall, n),
        Measurement("F1 of events", f1, n),
    ]


def _detect(session: Session, heard: Sequence[LabelledSound], kind: str) -> list[Measurement]:
    listener = Listener(session)
    wanted = kind.replace(" ", "")
    place = next((i for i, name in enumerate(listener.names) if name.replace(" ", "") == wanted), None)
    if place is None:
        raise UnknownNameError(f"the model knows no {kind!r}; it knows {', '.join(listener.names)}")
    truth = np.array([not h.kind.startswith(_NOT) for h in heard])
    sounds = [read_sound(h.path, rate_hz=listener.rate_hz) for h in heard]
    scores = np.array([rate_clips(listener, sound)[place] for sound in sounds])
    alarms = np.array([listener.names[place] in {e.kind for e in _events_of(session, s)} for s in sounds])
    hits = int((alarms & truth).sum())
    return [
        Measurement("AUC", area_under_curve(scores, truth), len(heard)),
        Measurement("precision of events", hits / max(int(alarms.sum()), 1), max(int(alarms.sum()), 1)),
        Measurement("recall of events", hits / max(int(truth.sum()), 1), int(truth.sum())),
    ]


def name_clip(listener: Listener, sound: NDArray[np.float32]) -> str:
    """The kind with the best mean score over a clip."""
    rows = listener.scores(sound, rate_hz=listener.rate_hz)[1]
    return listener.names[int(rows.mean(axis=0).argmax())]


def rate_clips(listener: Listener, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """The best score of each kind in a clip, smoothed as events are: (K,)."""
    rows = listener.scores(sound, rate_hz=listener.rate_hz)[1]
    smooth = (rows[1:] + rows[:-1]) / 2 if len(rows) > 1 else rows
    best: NDArray[np.float32] = smooth.max(axis=0)
    return best


def area_under_curve(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> float:
    """The chance that something true has a better score than something false; ties count half.

    >>> area_under_curve(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    good, bad = scores[truth], scores[~truth]
    if not len(good) or not len(bad):
        return 0.5
    return float(((good[:, None] > bad).mean() + (good[:, None] >= bad).mean()) / 2)


def _events_of(session: Session, sound: NDArray[np.float32]) -> list[Event]:
    listener = Listener(session, ListenSettings())
    return [*listener.feed(sound), *listener.finish()]
