"""The head layout of `caption`: several files, so no single file of one's own can be added."""

from szem.runtime.heads import Head, ModelFormat, fit_nothing

__all__ = ["CAPTION"]

CAPTION = ModelFormat(
    task="caption",
    heads={
        "steps": Head(
            about="(N, …) `memory` for a part `step` that says one word at a time; optional (N, D) `space`",
            fit=fit_nothing,
        ),
    },
)
