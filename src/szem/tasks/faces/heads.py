"""The head layout of `faces`: several files, so no single file of one's own can be added."""

from szem.runtime.heads import Head, ModelFormat, fit_nothing

__all__ = ["FACES"]

FACES = ModelFormat(
    task="faces",
    heads={
        "mesh": Head(
            about="(N, 1404) `mesh`, (N, 136) `points68`, (N, 1) `presence` before sigmoid; parts `near`, `far`",
            fit=fit_nothing,
        ),
    },
)
