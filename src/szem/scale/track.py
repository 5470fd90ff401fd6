"""One long video on many workers: each finds the boxes of a piece, and the tracks are made of all of them in order.

Finding boxes takes nearly all of the time and needs no memory of frames before; tracking is quick and needs all of
them. So pieces are worked on anywhere, and one pass over their boxes makes the tracks that one process would have
made: there is nothing to join where a piece ends. This file does not know Ray.
"""

import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from szem.media.key_frames import cut_at_key_frames, read_piece
from szem.results.boxes import Boxes
from szem.results.tracks import Tracks
from szem.tasks.contracts import OpenModel
from szem.tasks.detection.answer import DetectRequest
from szem.tasks.video.detect_video import VideoAnalyzer, open_video_detector
from szem.tasks.video.tracker import Tracker, TrackLog

__all__ = ["answer_boxes", "cut_video", "join_tracks", "open_analyzer"]


def cut_video(_: Any, source: bytes | str, piece_s: float) -> list[tuple[float, float]]:
    """Pieces of a video, as `szem.media.key_frames.cut_at_key_frames`; the first argument is that of a process."""
    return cut_at_key_frames(_opened(source), piece_s=piece_s)


def _opened(source: bytes | str) -> Any:
    return source if isinstance(source, str) else io.BytesIO(source)


def open_analyzer(request: DetectRequest, open_model: OpenModel) -> VideoAnalyzer:
    """Open what finds boxes.

    Raises:
        As `szem.tasks.video.detect_video.VideoAnalyzer`.
    """
    names = [name.strip() for name in request.classes.split(",") if name.strip()]
    session = open_model(request.model or None, task="detect")
    detector = open_video_detector(session, threshold=request.threshold, workers=1)
    return VideoAnalyzer(detector, follow=None, classes=names or None, draw=False)


def answer_boxes(
    source: bytes | str, piece: tuple[float, float | None] | None, request: DetectRequest, open_model: OpenModel
) -> dict[str, Any]:
    """Boxes of a piece, doubtful ones too, exact to the last bit.

    Args:
        source: A video's bytes, or a file on this machine.
        piece: Begin and end in seconds, from `cut_video`; None: the whole video.
        request: Which boxes.
        open_model: Opens the network.
    Returns:
        `frames`, each with time and boxes `[x0, y0, x1, y1, score, class]`, and what they are measured by.
    Raises:
        SzemError: the video cannot be read.
    """
    analyzer = open_analyzer(request, open_model)
    begin_s, end_s = piece or (0.0, None)
    frames: list[dict[str, Any]] = []
    about: dict[str, Any] = {}
    for frame in read_piece(_opened(source), begin_s, math.inf if end_s is None else end_s):
        _, found = analyzer.look(analyzer.prepare(frame))
        assert found is not None  # every frame is looked at
        if analyzer.classes is not None:
            found = found.keep(classes=analyzer.classes)
        about = {"width": found.width, "height": found.height, "classes": found.classes, "model": found.model}
        rows = np.column_stack([found.boxes_xyxy, found.scores]).tolist()
        boxes = [[*row, index] for row, index in zip(rows, found.indices.tolist(), strict=True)]
        frames.append({"time_s": frame.time_s, "boxes": boxes})
    thresholds = [float(value) for value in analyzer.detector.thresholds]
    return {"begin_s": begin_s, **about, "thresholds": thresholds, "frames": frames}


def join_tracks(pieces: Iterable[dict[str, Any]]) -> Tracks:
    """Tracks of one video.

    Args:
        pieces: Answers of `answer_boxes`, in order.
    """
    tracker: Tracker | None = None
    log, index = TrackLog(), 0
    for piece in pieces:
        if tracker is None:
            tracker = Tracker(thresholds=np.array(piece["thresholds"], np.float32))
        for frame in piece["frames"]:
            log.add(tracker(_boxes(piece, frame["boxes"]), time_s=frame["time_s"], index=index))
            index += 1
    return log.tracks()


def _boxes(piece: dict[str, Any], rows: Sequence[Sequence[float]]) -> Boxes:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Boxes(
        boxes_xyxy=table[:, :4].astype(np.float32),
        scores=table[:, 4].astype(np.float32),
        indices=table[:, 5].astype(np.int64),
        classes=tuple(piece["classes"]),
        width=piece["width"],
        height=piece["height"],
        model=piece["model"],
    )
