"""The head layouts that `listen` accepts."""

from collections.abc import Sequence

from szem.runtime.cards import PictureInput, SoundInput
from szem.runtime.heads import Head, ModelFormat, fit_scores
from szem.runtime.outputs import Output
from szem.runtime.probe import fitting_heads, run_on_noise
from szem.runtime.sessions import OnnxFile

__all__ = ["LISTEN"]


def _fit_frames(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    found = [o for o in outputs if len(o.shape) == 3 and o.shape[2] in (labels, None)]
    return {"frames": found[0].name} if len(found) == 1 else None


def _choose(opened: OnnxFile, rules: PictureInput | SoundInput, labels: int) -> str:
    """Three axes are moments; two are the scores of a window, before or after the sigmoid."""
    values = run_on_noise(opened, rules)
    fitting = fitting_heads(LISTEN, opened, values, labels, docs="docs/listen.md")
    if "logits" in fitting:
        scores = values[fitting["logits"]["logits"]]
        return "probabilities" if float(scores.min()) >= 0 and float(scores.max()) <= 1 else "logits"
    return next(iter(fitting))


LISTEN = ModelFormat(
    task="listen",
    takes="sound",
    choose=_choose,
    heads={
        "logits": Head(
            about="(N, classes) scores of a window of sound before sigmoid, each class by itself",
            fit=fit_scores("logits"),
        ),
        "probabilities": Head(
            about="(N, classes) scores of a window of sound, each 0..1", fit=fit_scores("probabilities")
        ),
        "frames": Head(
            about="(N, moments, classes) scores 0..1 of each moment of a window of sound", fit=_fit_frames
        ),
    },
)
