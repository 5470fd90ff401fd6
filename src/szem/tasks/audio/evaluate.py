"""Measure a listener through the shipped path.

The data is any form `data.sounds` reads. Where a label is `not_X`, the scores of X are measured as a detector's; else
each clip has one kind, and the kind with the best mean score of all its windows is the answer.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.data.broken import Broken
from szem.data.sounds import LabelledSound, in_split, read_clip, read_labelled_sounds
from szem.errors import FileMissingError, UnknownNameError
from szem.results.score import Confusion, Measurement, Reliability
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.audio.kinds import same_kind
from szem.tasks.audio.listen import USES, Listener, ListenSettings
from szem.tasks.audio.windows import AudioWindow
from szem.tasks.bootstrap import bootstrap, mean_of
from szem.tasks.eval_run import EvalRun

__all__ = ["area_under_curve", "evaluate_listen", "event_scores", "name_clip", "rate_clips", "recall_at_false"]

_NOT = "not "


def evaluate_listen(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """Accuracy and events of named clips, or how well shots, say, are reported from what is not.

    Clips of kinds that the model does not know are left out and listed.

    Raises:
        UnknownNameError: no such split, or the model knows none of the kinds.
        FileMissingError: no clip is of this split.
    """
    run = run or EvalRun()
    session = Session(model, threads=1)
    data = read_labelled_sounds(folder)
    run.broken += data.broken
    heard = in_split(data.sounds, split)
    if not heard:
        raise FileMissingError(f"{folder}: nothing is of split {split!r}; choose another, or all")
    denied = {h.kind.removeprefix(_NOT) for h in heard if h.kind.startswith(_NOT)}
    if denied:
        return _detect(session, heard, sorted(denied)[0], run)
    return _name(session, heard, sorted({h.kind for h in data.sounds}), run)


def _key(one: LabelledSound) -> tuple[object, ...]:
    return one.path, one.start_s, one.end_s


def _name(session: Session, heard: Sequence[LabelledSound], kinds: Sequence[str], run: EvalRun) -> list[Measurement]:
    """A model of groups knows far more than the data set has: it chooses among the kinds that the data set has."""
    listener = Listener(session)
    truth = {kind: same_kind(run.name_of(kind), listener.names) for kind in kinds}
    candidates = [
        place for place, name in enumerate(listener.names) if not listener.card.groups or name in truth.values()
    ]
    names_heard = {listener.names[place] for place in candidates}
    truth = {h.kind: truth[h.kind] for h in heard}
    for kind in sorted(kind for kind, name in truth.items() if not name):
        count = sum(h.kind == kind for h in heard)
        run.broken.append(Broken(kind, f"the model does not know it; its {count} clips are left out"))
    ours = [h for h in heard if truth[h.kind]]
    if not ours:
        raise UnknownNameError(
            f"the model knows no {', '.join(sorted(truth))}; it knows {', '.join(listener.names)}; "
            "--classes a=b says that the data's a is its b"
        )

    def measure(one: LabelledSound) -> dict[str, Any]:
        sound = read_clip(one, rate_hz=listener.rate_hz)
        windows = listener.windows(sound)
        rows = np.mean([window.scores for window in windows], axis=0)[candidates]
        events = {use: sorted(_reported(session, windows, use) & names_heard) for use in USES}
        return {"best": candidates[int(rows.argmax())], "score": float(rows.max()), **events}

    done = run.each(ours, measure, key=_key, doing="sounds")
    names = [truth[h.kind] for h, _ in done]
    right = np.array([listener.names[r["best"]] == name for name, (_, r) in zip(names, done, strict=True)])
    n = len(done)
    out = [mean_of("accuracy", right)]
    sources = [h.source for h, _ in done]
    for source in sorted(set(sources)) if len(set(sources)) > 1 else []:
        out.append(mean_of(f"accuracy {source}", right[[s == source for s in sources]]))
    for use in USES if listener.card.report_thresholds else USES[:1]:
        hits = np.array([name in r[use] for name, (_, r) in zip(names, done, strict=True)])
        found = np.array([len(r[use]) for _, r in done])
        suffix = "" if use == USES[0] else f", {use}"
        out += event_scores(hits, found, np.ones(n, np.int64), suffix=suffix)
    rows = tuple(sorted(set(names)))
    counts = np.zeros((len(rows), len(listener.names)), np.int64)
    for name, (_, r) in zip(names, done, strict=True):
        counts[rows.index(name), r["best"]] += 1
    run.confusion = Confusion(rows, tuple(listener.names), counts)
    run.reliability = Reliability(np.array([r["score"] for _, r in done], np.float32), right)
    return out + [mean_of(f"recall {kind}", right[[name == kind for name in names]]) for kind in rows]


def _detect(session: Session, heard: Sequence[LabelledSound], kind: str, run: EvalRun) -> list[Measurement]:
    listener = Listener(session)
    name = same_kind(run.name_of(kind), listener.names)
    place = listener.names.index(name) if name else None
    if place is None:
        raise UnknownNameError(f"the model knows no {kind!r}; it knows {', '.join(listener.names)}")

    def measure(one: LabelledSound) -> dict[str, Any]:
        sound = read_clip(one, rate_hz=listener.rate_hz)
        windows = listener.windows(sound)
        score = float(_smoothed(listener, windows)[place])
        return {"score": score, "is_reported": name in _reported(session, windows, USES[0])}

    done = run.each(heard, measure, key=_key, doing="sounds")
    truth = np.array([not h.kind.startswith(_NOT) for h, _ in done])
    scores = np.array([r["score"] for _, r in done])
    alarms = np.array([r["is_reported"] for _, r in done])
    precision, recall, _ = event_scores(alarms & truth, alarms, truth)
    run.reliability = Reliability(scores.astype(np.float32), truth)
    low, high = bootstrap(lambda at: area_under_curve(scores[at], truth[at]), len(done))
    return [
        Measurement("AUC", area_under_curve(scores, truth), len(done), low, high),
        Measurement("recall at 1 % false", recall_at_false(scores, truth, 0.01), int(truth.sum())),
        precision,
        recall,
    ]


def event_scores(
    hits: NDArray[np.generic], reported: NDArray[np.generic], happened: NDArray[np.generic], *, suffix: str = ""
) -> list[Measurement]:
    """Precision, recall and F1 of events, with intervals by bootstrap over the items.

    Args:
        hits: (N,) how many events of each item were reported rightly.
        reported: (N,) how many were reported.
        happened: (N,) how many happened.
        suffix: Of the metrics' names.

    >>> rows = event_scores(np.array([1, 0]), np.array([1, 2]), np.array([1, 1]))
    >>> [(row.metric, round(row.value, 3), row.n) for row in rows]
    [('precision of events', 0.333, 3), ('recall of events', 0.5, 2), ('F1 of events', 0.4, 2)]
    """
    counts = np.stack([hits, reported, happened]).astype(np.float64)  # (3, N)

    def score(at: NDArray[np.int64], which: int) -> float:
        right, all_reported, all_happened = counts[:, at].sum(1)
        below = (all_reported, all_happened, (all_reported + all_happened) / 2)[which]
        return float(right / below) if below else float("nan")

    every, out = np.arange(counts.shape[1]), []
    rows = (("precision", counts[1].sum()), ("recall", counts[2].sum()), ("F1", counts[2].sum()))
    for which, (name, n) in enumerate(rows):
        low, high = bootstrap(partial(score, which=which), len(every))
        value = score(every, which)
        known = np.isfinite(value)
        out.append(
            Measurement(
                f"{name} of events{suffix}",
                value if known else 0.0,
                max(int(n), 1),
                low if known else None,
                high if known else None,
            )
        )
    return out


def name_clip(listener: Listener, sound: NDArray[np.float32]) -> str:
    """The kind with the best mean score over a clip."""
    rows = listener.scores(sound, rate_hz=listener.rate_hz)[1]
    return listener.names[int(rows.mean(axis=0).argmax())]


def rate_clips(listener: Listener, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """The best score of each kind in a clip, smoothed as events are: (K,)."""
    return _smoothed(listener, listener.windows(sound))


def _smoothed(listener: Listener, windows: Sequence[AudioWindow]) -> NDArray[np.float32]:
    means = listener.running_means()
    best: NDArray[np.float32] = np.max([means.feed(window.scores) for window in windows], axis=0)
    return best


def recall_at_false(scores: NDArray[np.floating], truth: NDArray[np.bool_], fraction: float) -> float:
    """The fraction of what is true above the score that at most this fraction of what is false reaches.

    >>> recall_at_false(np.array([0.1, 0.4, 0.3, 0.9]), np.array([False, False, True, True]), 0.01)
    0.5
    """
    if truth.all() or not truth.any():
        return 0.0
    return float((scores[truth] > np.quantile(scores[~truth], 1 - fraction, method="higher")).mean())


def area_under_curve(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> float:
    """The chance that something true has a better score than something false; ties count half.

    >>> area_under_curve(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    good, bad = scores[truth], scores[~truth]
    if not len(good) or not len(bad):
        return 0.5
    return float(((good[:, None] > bad).mean() + (good[:, None] >= bad).mean()) / 2)


def _reported(session: Session, windows: Sequence[AudioWindow], use: str) -> set[str]:
    """The kinds of the events in windows that were scored before."""
    listener = Listener(session, ListenSettings(use=use))
    events = [event for window in windows for event in listener.take(window)]
    return {event.kind for event in (*events, *listener.going_on)}
