"""The steps of a film: small pictures to the network, boxes back at full size, order, every n-th frame, classes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from szem.arrays import Array
from szem.errors import RangeError, UnknownNameError
from szem.media.frames import Planes
from szem.media.pipeline import Pipeline
from szem.media.video import inspect_video
from szem.media.video_pipeline import VideoPipeline, open_video_source
from szem.media.video_writer import VideoWriter
from szem.results.boxes import Boxes
from szem.tasks.video.counting import LineCounter, parse_line
from szem.tasks.video.detect_video import VideoAnalyzer, VideoDetector, open_video_detector
from szem.tasks.video.tracker import TrackLog


class Bright:
    """Finds the bright part of a picture, exactly; knows what size it was given."""

    classes = ("bright", "dark")

    def __init__(self) -> None:
        self.sizes: set[tuple[int, int]] = set()

    def inner_size(self, height: int, width: int) -> tuple[int, int]:
        return height // 2, width // 2

    def prepare(self, picture: Array) -> Array:
        self.sizes.add(picture.shape[:2])
        return picture

    def run(self, batch: Array) -> Any:
        return np.nonzero(batch.mean(2) > 128)

    def finish(self, outputs: Any, size: tuple[int, int]) -> Boxes:
        rows, columns = outputs
        box = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]] if len(rows) else np.zeros((0, 4))
        n = len(box)
        return Boxes(
            boxes_xyxy=np.array(box, np.float32), scores=np.full(n, 0.9), indices=np.zeros(n, np.int64),
            classes=self.classes, width=size[1], height=size[0], model="bright",
        )  # fmt: skip


@pytest.fixture
def video(tmp_path: Path) -> Path:
    with VideoWriter(tmp_path / "a.mp4", rate_hz=20, quality=4) as writer:
        for k in range(40):
            picture = np.zeros((96, 160, 3), np.uint8)
            picture[32:64, 8 + 2 * k : 40 + 2 * k] = 255
            writer.write(picture)
    return tmp_path / "a.mp4"


def detector(workers: int = 2) -> VideoDetector:
    return VideoDetector(Bright(), np.array([0.5, 0.5], np.float32), workers)


def run(video: Path, watcher: VideoAnalyzer, out: Path | None = None) -> list[Any]:
    with VideoPipeline(open_video_source(video), watcher.steps, out) as maker:
        return list(maker)


def test_boxes_come_back_at_the_videos_size_and_in_order(video: Path) -> None:
    eye = detector()
    drawn = run(video, VideoAnalyzer(eye, draw=False))
    assert isinstance(eye.finder, Bright)
    assert eye.finder.sizes == {(48, 80)}  # the network saw half the size
    assert [d.frame.index for d in drawn] == list(range(40))
    for k, one in enumerate(drawn[5:], 5):
        assert (one.result.boxes.width, one.result.boxes.height) == (160, 96)
        np.testing.assert_allclose(one.result.boxes.boxes_xyxy, [[8 + 2 * k, 32, 40 + 2 * k, 64]], atol=2.5)
    tracks = TrackLog().extend(d.result.tracked for d in drawn).tracks()
    assert len(tracks) == 1
    assert tracks.items[0].to_dict()["path"][10]["frame"] == 10


def test_every_fourth_frame_is_looked_at_and_all_are_written(video: Path, tmp_path: Path) -> None:
    eye = detector()
    drawn = run(video, VideoAnalyzer(eye, every=4), tmp_path / "b.mp4")
    assert [d.result.looked for d in drawn] == [k % 4 == 0 for k in range(40)]
    assert all(isinstance(d.picture, Planes) for d in drawn)
    assert inspect_video(tmp_path / "b.mp4").frames == 40
    for k, one in enumerate(drawn[12:], 12):
        np.testing.assert_allclose(one.result.boxes.boxes_xyxy[0, 0], 8 + 2 * k, atol=4)


def test_counts_follow_the_videos_order_with_many_workers(video: Path) -> None:
    line = LineCounter(parse_line("0.5,0 0.5,1", width=160, height=96), "center")
    drawn = run(video, VideoAnalyzer(detector(4), lines=[line], draw=False))
    assert line.to_left == {"bright": 1}
    assert [e["to"] for d in drawn for e in d.result.events] == ["left"]
    assert drawn[0].result.reported == ("line 1: 0 right, 0 left",)
    assert drawn[-1].result.reported == ("line 1: 0 right, 1 left",)


def test_only_wanted_classes_are_kept_and_without_following_there_are_no_numbers(video: Path) -> None:
    assert not any(len(d.result.boxes) for d in run(video, VideoAnalyzer(detector(), classes=["dark"], draw=False)))
    plain = run(video, VideoAnalyzer(detector(), follow=None, draw=False))
    assert plain[3].result.tracked is None
    assert plain[3].result.to_dict()["boxes"][0]["label"] == "bright"
    assert "id" not in plain[3].result.to_dict()["boxes"][0]


def test_the_video_is_not_written_on(video: Path) -> None:
    """What is drawn must not get into the decoder's own pictures, which later frames are made from."""
    clean = [f.frame.picture for f in run(video, VideoAnalyzer(detector(), draw=False))]
    after = [d.frame.picture for d in run(video, VideoAnalyzer(detector(), trails=True))]
    assert all(np.array_equal(a, b) for a, b in zip(clean, after, strict=True))


def test_wrong_wishes_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="no class called 'cat'; there are bright, dark"):
        VideoAnalyzer(detector(), classes=["cat"])
    with pytest.raises(RangeError, match="every must be 1 or more"):
        VideoAnalyzer(detector(), every=0)
    with pytest.raises(RangeError, match="leave tracking on"):
        VideoAnalyzer(detector(), follow=None, lines=[LineCounter(parse_line("0,0 1,1", width=9, height=9))])


def test_a_real_model_for_videos_gives_doubtful_boxes_too(color_detector: Path) -> None:
    eye = open_video_detector(color_detector, workers=3)
    assert eye.workers == 3
    assert (eye.thresholds > 0).all()
    picture = np.full((96, 128, 3), 40, np.uint8)
    picture[24:56, 40:76] = (255, 0, 0)  # a little too small: doubtful
    finder = eye.finder
    found = finder.finish(finder.run(finder.prepare(picture)), (96, 128))
    assert (found.scores < eye.thresholds[found.indices]).any()
    assert list(Pipeline([], VideoAnalyzer(eye).steps)) == []
