"""The head layouts of `lipread` (several files) and `lipwords` (it takes clips); neither can be added by hand."""

from szem.runtime.heads import Head, ModelFormat, fit_nothing

__all__ = ["LIPREAD", "LIPWORDS"]

LIPREAD = ModelFormat(
    task="lipread",
    heads={
        "moments": Head(
            about="(B, T, D) `seen` of each frame; parts `listen`, `join` and `spell` take it on to words",
            fit=fit_nothing,
        ),
    },
)
LIPWORDS = ModelFormat(
    task="lipwords",
    heads={
        "logits": Head(
            about="from `crops` and `seconds`: (N, words) scores before softmax, the words first, then the phrases",
            fit=fit_nothing,
        ),
    },
)
