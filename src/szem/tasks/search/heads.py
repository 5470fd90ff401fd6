"""The head layout of `search`: two towers in several files, so no single file of one's own can be added."""

from szem.runtime.heads import Head, ModelFormat, fit_nothing

__all__ = ["SEARCH"]

SEARCH = ModelFormat(
    task="search",
    heads={
        "towers": Head(
            about="(N, D) `space` and `embedding` of sentences; a part `picture` to the same `space`",
            fit=fit_nothing,
        ),
    },
)
