"""Scores of tracking, taken through the shipped path: detector and tracker, on videos whose objects have true ids.

The data has the form of MOTChallenge (https://motchallenge.net): a folder for each video with `gt/gt.txt`,
`seqinfo.ini` and pictures in `img1/`. This file does not know how a model was trained.
"""

import configparser
import csv
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.errors import FileMissingError, FormatError
from szem.files import write_text
from szem.media.pictures import PICTURE_SUFFIXES, read_picture
from szem.results.score import Measurement
from szem.results.tracks import TrackedBoxes
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.bootstrap import bootstrap
from szem.tasks.detection.detect import Detector
from szem.tasks.eval_run import EvalRun
from szem.tasks.video.detect_video import doubtful_thresholds
from szem.tasks.video.track_metrics import FrameIds, score_tracks
from szem.tasks.video.tracker import Tracker

__all__ = ["MotVideo", "evaluate_tracks", "frame_ids", "read_mot_video", "write_mot_truth"]

_TIMES = 40  # resamplings: each scores all videos anew
_CLASSES = {
    1: "person",
    3: "car",
    4: "bicycle",
    5: "motorbike",
    7: "person",
}  # of MOTChallenge; 7: a person who stands


@dataclass(frozen=True, kw_only=True)
class MotVideo:
    """One video of MOTChallenge's form."""

    pictures: tuple[Path, ...]
    rate_hz: float
    truth: tuple[FrameIds, ...]  # as many as pictures
    classes: frozenset[str]  # of what is labelled


def evaluate_tracks(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """MOTA, IDF1 and HOTA with their parts, over all videos of a folder together.

    Args:
        model: A `detect` model; its boxes are tracked as `szem detect` does.
        folder: A folder for each video, in MOTChallenge's form.
        split: The folders whose names begin with it; `all` takes every one.
    Raises:
        FileMissingError: there is no such video.
        FormatError: what is true of one cannot be read.
    """
    folders = [f for f in sorted(folder.iterdir()) if (f / "gt" / "gt.txt").is_file()]
    folders = folders if split == "all" else [f for f in folders if f.name.startswith(split)]
    if not folders:
        raise FileMissingError(f"{folder}: no folder with gt/gt.txt in it; give the folder that holds the videos")
    session = Session(model)
    thresholds = Detector(session).thresholds
    detector = Detector(session, threshold=doubtful_thresholds(model.labels, thresholds))
    run = run or EvalRun()
    videos = {one: read_mot_video(one) for one in folders}

    def measure(one: Path) -> list[dict[str, Any]]:
        """Ids and boxes of each frame."""
        video = videos[one]
        tracker = Tracker(thresholds=thresholds)
        tracked = []
        for index, file in enumerate(video.pictures):
            picture = read_picture(file)
            boxes = detector.finish(detector.run(detector.prepare(picture)), picture.shape[:2])
            frame = tracker(boxes, time_s=index / video.rate_hz, index=index)
            ids = frame_ids(frame, classes=video.classes)
            tracked.append({"ids": ids.ids.tolist(), "boxes": ids.boxes_xyxy.tolist()})
        return tracked

    done = run.each(folders, measure, key=lambda one: one / "gt" / "gt.txt", doing="videos")
    truth = [videos[one].truth for one, _ in done]
    found = [
        [FrameIds(np.array(f["ids"], np.int64), np.array(f["boxes"], np.float64).reshape(-1, 4)) for f in frames]
        for _, frames in done
    ]
    scores = score_tracks(truth, found)
    rows = (("MOTA", scores.mota), ("IDF1", scores.idf1), ("HOTA", scores.hota), ("DetA", scores.deta),
            ("AssA", scores.assa), ("identity switches", float(scores.switches)))  # fmt: skip
    out = [Measurement(name, value, scores.boxes) for name, value in rows]
    if len(done) < 2:  # videos are what is resampled: frames of one follow from each other
        return out

    def part(place: int) -> Callable[[NDArray[np.int64]], float]:
        def value(at: NDArray[np.int64]) -> float:
            one = score_tracks([truth[i] for i in at], [found[i] for i in at])
            return (one.mota, one.idf1)[place]

        return value

    for place in (0, 1):
        low, high = bootstrap(part(place), len(done), times=_TIMES)
        out[place] = replace(out[place], low=low, high=high)
    return out


def frame_ids(tracked: TrackedBoxes, *, classes: Collection[str]) -> FrameIds:
    """The boxes of some classes that were seen in a frame, for scoring; predicted ones are left out."""
    kept = tracked.seen & np.array([label in classes for label in tracked.boxes.labels], np.bool_)
    return FrameIds(tracked.ids[kept], tracked.boxes.boxes_xyxy[kept].astype(np.float64))


def read_mot_video(folder: Path) -> MotVideo:
    """Read one video.

    Raises:
        FileMissingError: it has no pictures.
        FormatError: `seqinfo.ini` or `gt/gt.txt` are damaged.
    """
    pictures = tuple(f for f in sorted((folder / "img1").glob("*")) if f.suffix.lower() in PICTURE_SUFFIXES)
    if not pictures:
        raise FileMissingError(
            f"{folder / 'img1'}: no pictures; MOTChallenge keeps the frames there as 000001.jpg, …"
        )
    info = configparser.ConfigParser()
    rows: list[list[tuple[int, tuple[float, ...]]]] = [[] for _ in pictures]
    classes = set()
    file = folder / "seqinfo.ini"
    try:
        info.read(file, encoding="utf-8")
        rate_hz = float(info.get("Sequence", "frameRate", fallback="25"))
        if not 0 < rate_hz < 1000:
            raise ValueError(f"frameRate must lie in 0..1000, got {rate_hz}")
        file = folder / "gt" / "gt.txt"
        with file.open(newline="", encoding="utf-8") as opened:
            for row in csv.reader(opened):
                frame, number = int(row[0]) - 1, int(row[1])
                x, y, w, h = (float(value) for value in row[2:6])
                label = _CLASSES.get(int(row[7])) if len(row) > 7 else "person"
                if not 0 <= frame < len(pictures) or label is None or (len(row) > 6 and float(row[6]) == 0):
                    continue
                classes.add(label)
                rows[frame].append((number, (x, y, x + w, y + h)))
        truth = tuple(
            FrameIds(np.array([n for n, _ in one], np.int64), np.array([box for _, box in one], np.float64))
            for one in rows
        )
    except (OSError, ValueError, IndexError, configparser.Error) as error:
        raise FormatError(f"{file}: not as MOTChallenge writes it ({error}); see motchallenge.net") from error
    return MotVideo(pictures=pictures, rate_hz=rate_hz, truth=truth, classes=frozenset(classes))


def write_mot_truth(folder: Path, truth: Sequence[FrameIds], *, rate_hz: float, size: tuple[int, int]) -> None:
    """Write what is true of one video of people: `gt/gt.txt` and `seqinfo.ini`."""
    lines = [
        f"{k},{number},{x0:.2f},{y0:.2f},{x1 - x0:.2f},{y1 - y0:.2f},1,1,1\n"
        for k, frame in enumerate(truth, 1)
        for number, (x0, y0, x1, y1) in zip(frame.ids, frame.boxes_xyxy, strict=True)
    ]
    write_text(folder / "gt" / "gt.txt", "".join(lines))
    write_text(
        folder / "seqinfo.ini",
        f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate={rate_hz:g}\nseqLength={len(truth)}\n"
        f"imWidth={size[0]}\nimHeight={size[1]}\nimExt=.jpg\n",
    )
