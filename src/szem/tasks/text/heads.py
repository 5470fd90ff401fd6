"""The head layout of `text`: several files, so no single file of one's own can be added."""

from szem.runtime.heads import Head, ModelFormat, fit_nothing

__all__ = ["TEXT"]

TEXT = ModelFormat(
    task="text",
    heads={
        "ctc": Head(
            about="(N, T, symbols) `symbols`: probabilities, the first is CTC's blank; parts `regions`, `direction`",
            fit=fit_nothing,
        ),
    },
)
