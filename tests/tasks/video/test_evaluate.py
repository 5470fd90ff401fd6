"""Tracking scored on videos in MOTChallenge's form."""

import re
from pathlib import Path

import numpy as np
import pytest

from szem.errors import FileMissingError, FormatError
from szem.media.pictures import write_picture
from szem.results.boxes import Boxes
from szem.results.tracks import TrackedBoxes
from szem.tasks.video.evaluate import frame_ids, read_mot_video, write_mot_truth
from szem.tasks.video.track_metrics import FrameIds


def video(folder: Path, frames: int = 3) -> list[FrameIds]:
    truth = [FrameIds(np.array([1, 4]), np.array([[k, 2, k + 10, 22], [30, 5, 44, 25]])) for k in range(frames)]
    for k in range(frames):
        write_picture(folder / "img1" / f"{k + 1:06d}.jpg", np.zeros((48, 64, 3), np.uint8))
    write_mot_truth(folder, truth, rate_hz=12.5, size=(64, 48))
    return truth


def test_what_is_written_is_read(tmp_path: Path) -> None:
    truth = video(tmp_path)
    read = read_mot_video(tmp_path)
    assert (read.rate_hz, len(read.pictures), read.classes) == (12.5, 3, {"person"})
    for one, other in zip(truth, read.truth, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_allclose(one.boxes_xyxy, other.boxes_xyxy)


def test_rows_that_are_not_to_be_counted_are_left_out(tmp_path: Path) -> None:
    video(tmp_path)
    (tmp_path / "gt" / "gt.txt").write_text(
        "1,1,0,0,9,9,1,1,1\n1,2,0,0,9,9,0,1,1\n1,3,0,0,9,9,1,12,1\n9,4,0,0,9,9,1,1,1\n2,5,0,0,9,9,1,3,1\n"
    )
    read = read_mot_video(tmp_path)
    assert [frame.ids.tolist() for frame in read.truth] == [[1], [5], []]
    assert read.classes == {"person", "car"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("gt/gt.txt", "1,1,a\n"),
        ("gt/gt.txt", "1,1,0,0,9,9\n1,1,0,0,9,9\n"),
        ("seqinfo.ini", "[Sequence]\nframeRate=nan\n"),
        ("seqinfo.ini", "x"),
    ],
)
def test_damaged_truth_is_named(tmp_path: Path, file: str, text: str) -> None:
    video(tmp_path)
    (tmp_path / file).write_text(text)
    with pytest.raises(FormatError, match=Path(file).name):
        read_mot_video(tmp_path)


def test_a_video_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="img1: no pictures"):
        read_mot_video(tmp_path)


def test_boxes_that_were_predicted_are_not_scored() -> None:
    corners = np.array([[0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9]])
    boxes = Boxes(boxes_xyxy=corners, scores=np.full(3, 0.9), indices=np.array([0, 0, 1]), classes=("person", "car"),
                  width=64, height=48, model="toy")  # fmt: skip
    tracked = TrackedBoxes(boxes=boxes, ids=np.array([5, 6, 7]), seen=np.array([True, False, True]))
    assert frame_ids(tracked, classes=("person",)).ids.tolist() == [5]


def test_the_verb_measures_tracking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of three grey pictures: nothing is found, and every true box is missed."""
    from szem.cli import main

    video(tmp_path / "one")
    with pytest.raises(SystemExit) as ended:
        main(["eval", "track", "--data", str(tmp_path)])
    assert ended.value.code in (0, None)
    said = capsys.readouterr().out
    assert re.search(r"MOTA +0\.0000  \(6 items\)", said)
    assert re.search(r"HOTA +0\.0000", said)
