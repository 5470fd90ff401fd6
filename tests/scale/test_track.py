"""A video that is cut for many workers has the tracks that it has in one process."""

import io
import itertools
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from szem.errors import RangeError, UnknownNameError
from szem.results.boxes import Boxes
from szem.scale import driver, track
from szem.scale.open_task import TRACK, OpenTask
from szem.scale.parts import InputPart, cut_into_parts, read_part
from szem.scale.places import Place
from szem.scale.worker import PartWorker
from szem.tasks.video.detect_video import VideoAnalyzer, VideoDetector
from szem.tasks.video.tracker import TrackLog

pytest.importorskip("pyarrow")
CLASSES = ("red", "blue")


class Finder:
    """Finds what is red and what is blue; its scores go up and down as the picture's noise does."""

    classes = CLASSES

    def inner_size(self, height: int, width: int) -> None:
        return None

    def prepare(self, picture: Any) -> Any:
        return np.asarray(picture)

    def run(self, batch: Any) -> Any:
        return batch

    def finish(self, outputs: Any, size: tuple[int, int]) -> Boxes:
        boxes, scores, indices = [], [], []
        for index, channel in enumerate((0, 2)):
            rows, columns = np.nonzero(outputs[..., channel] > 150)
            for side in (rows < 24, rows >= 24):  # an object in the upper half, another in the lower
                if side.sum() > 20:
                    x, y = columns[side], rows[side]
                    boxes.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
                    scores.append(0.2 + 0.75 * float(outputs.sum() * (index + 3) % 97) / 97)
                    indices.append(index)
        return Boxes(
            boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
            scores=np.array(scores, np.float32),
            indices=np.array(indices, np.int64),
            classes=CLASSES,
            width=size[1],
            height=size[0],
            model="toy",
        )


def analyzer(**options: Any) -> VideoAnalyzer:
    return VideoAnalyzer(VideoDetector(Finder(), np.array([0.5, 0.5], np.float32)), draw=False, **options)


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Four objects that come, hide and pass; a key frame every second."""
    rng = np.random.default_rng(1)
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=10, options={"g": "10", "x264-params": "scenecut=0"})
        stream.width, stream.height, stream.pix_fmt = 128, 48, "yuv444p"
        for number in range(120):
            picture = rng.integers(0, 40, (48, 128, 3), dtype=np.uint8)
            for y, speed, channel in ((4, 2, 0), (12, -3, 2), (28, 1, 2), (36, -2, 0)):
                x = (speed * number) % 160 - 16
                if number % 37 > 5:  # hidden now and then
                    picture[y : y + 8, max(0, x) : max(0, x + 16), channel] = 230
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
    path = tmp_path / "in" / "street.mp4"
    path.parent.mkdir()
    path.write_bytes(out.getvalue())
    return path


def test_tracks_of_pieces_are_those_of_the_whole(street: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from szem.media.video import read_video

    monkeypatch.setattr(track, "open_analyzer", lambda *_: analyzer(follow=None))
    pieces = track.cut_video(None, str(street), 2.0)
    assert len(pieces) == 6
    answers = [track.answer_boxes(str(street), piece, None, None) for piece in pieces]  # type: ignore[arg-type]
    joined = track.join_tracks(json.loads(json.dumps(answers)))
    whole, log = analyzer(), TrackLog()
    for frame in read_video(street):
        seen = whole.follow(whole.look(whole.prepare(frame)))
        assert seen.tracked is not None
        log.add(seen.tracked)
    assert len(joined) >= 4
    seams = [begin for begin, _ in pieces[1:]]
    crossed = [t for t in joined if any(t.times_s[0] < seam < t.times_s[-1] for seam in seams)]
    assert len(crossed) >= 3  # there is something to lose at the seams
    assert joined.to_dict() == log.tracks().to_dict()


@pytest.mark.slow
def test_each_piece_is_a_part_and_a_line_of_tracks_is_written(
    street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "PIECE_S", 4.0)
    place = Place(str(street.parent))
    parts = list(cut_into_parts([place], takes="video", cut=lambda source: track.cut_video(None, source, 4.0)))
    assert [part.piece for part in parts] == [(0.0, 4.0), (4.0, 8.0), (8.0, None)]
    assert [InputPart.from_json(part.to_json()) for part in parts] == parts
    (one,) = read_part(parts[1], place, takes="video")
    assert (one.name, one.data, one.piece) == (f"{street}#4", str(street), (4.0, 8.0))
    broken = street.with_name("broken.mp4")
    broken.write_bytes(b"nothing")
    (street.with_name("notes.txt")).write_text("no video")

    def answer(worker: PartWorker, given: Any) -> dict[str, Any]:
        return track.answer_boxes(given.data, given.piece, None, None)  # type: ignore[arg-type]

    def work(ray: Any, setup: Any, todo: list[dict[str, int]], workers: int) -> Any:
        worker = PartWorker(setup)
        for row in todo:
            out = worker({name: np.array([value]) for name, value in row.items()})
            yield {name: values[0] for name, values in out.items()}
        worker.process.close()

    monkeypatch.setattr(track, "open_analyzer", lambda *_: analyzer(follow=None))
    monkeypatch.setattr(PartWorker, "_answer", answer)
    monkeypatch.setattr(driver, "_work", work)
    monkeypatch.setattr(driver, "check_address", lambda on: on)
    monkeypatch.setattr(driver, "connected", lambda *_, **__: io.BytesIO())  # a context, and nothing of Ray's
    report = driver.run(TRACK, street.parent, tmp_path / "out")
    assert (report.inputs, report.failed) == (4, 1)
    lines = [json.loads(line) for line in (tmp_path / "out" / "tracks.jsonl").read_text().splitlines()]
    assert [Path(line["file"]).name for line in lines] == ["broken.mp4", "street.mp4"]
    assert not lines[0]["tracks"]
    numbers = [row["id"] for row in lines[1]["tracks"]]
    assert len(numbers) >= 4
    assert all(a < b for a, b in itertools.pairwise(numbers))


def test_wrong_options_are_refused_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "check_address", lambda on: on)
    with pytest.raises(UnknownNameError, match="no class called 'zebrafish'"):
        OpenTask(TRACK, {"classes": "zebrafish"}).check()
    with pytest.raises(RangeError, match="written as jsonl, got 'csv'"):
        driver.run(TRACK, tmp_path, tmp_path / "out", form="csv")
