"""The head layout of `generate`: several files, so no single file of one's own can be added."""

from szem.runtime.heads import Head, ModelFormat, fit_nothing

__all__ = ["GENERATE"]

GENERATE = ModelFormat(
    task="generate",
    heads={
        "stages": Head(
            about="(N, D) `space`, the embedding of a sentence, for a part `sketch`; optional part `refine`",
            fit=fit_nothing,
        ),
    },
)
