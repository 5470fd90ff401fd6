"""The head layouts that `segment` and `outline` accept."""

from szem.runtime.heads import Head, ModelFormat, fit_pixel_scores

__all__ = ["OUTLINE", "SEGMENT"]

SEGMENT = ModelFormat(
    task="segment",
    heads={
        "scores": Head(
            about="(N, classes, h, w) scores before softmax, evenly spread over the input", fit=fit_pixel_scores
        ),
    },
)
OUTLINE = ModelFormat(
    task="outline",
    heads={
        "scores": Head(
            about="(N, 2, h, w) scores of other and object, evenly spread over the box and its margin",
            fit=fit_pixel_scores,
        ),
    },
)
