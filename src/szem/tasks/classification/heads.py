"""The head layouts that `classify` accepts."""

from szem.errors import CardError
from szem.runtime.cards import PictureInput, SoundInput
from szem.runtime.heads import Head, ModelFormat, fit_head, fit_scores
from szem.runtime.probe import run_on_noise
from szem.runtime.sessions import OnnxFile

__all__ = ["CLASSIFY"]


def _choose(opened: OnnxFile, rules: PictureInput | SoundInput, labels: int) -> str:
    """Scores that lie in 0..1 and sum to 1 are probabilities; others are logits."""
    roles = fit_head(CLASSIFY, "logits", opened.outputs, labels=labels)
    scores = run_on_noise(opened, rules)[roles["logits"]][0]
    if len(scores) != labels:
        raise CardError(f"{opened.path.name}: gives {len(scores)} scores for {labels} labels; correct the labels")
    sums_to_one = float(scores.min()) >= 0 and abs(float(scores.sum()) - 1) < 1e-3
    return "probabilities" if sums_to_one else "logits"


CLASSIFY = ModelFormat(
    task="classify",
    choose=_choose,
    heads={
        "logits": Head(
            about="(N, classes) scores before softmax; optional (N, classes, h, w) `maps` whose mean they are",
            fit=fit_scores("logits"),
        ),
        "probabilities": Head(
            about="(N, classes) scores after softmax or sigmoid, each 0..1; optional (N, classes, h, w) `maps`",
            fit=fit_scores("probabilities"),
        ),
    },
)
