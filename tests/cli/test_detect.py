"""`szem detect`, as typed: films, pictures, streams and faults, with a small network that really looks."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from szem.cli.run import run
from szem.media.pictures import write_picture
from szem.media.video import inspect_video, read_video
from szem.media.video_writer import VideoWriter

GREY = 40


def scene(t: float) -> np.ndarray:
    """A red square that goes to the right and a blue one that stands; both are what the network knows."""
    picture = np.full((192, 256, 3), GREY, np.uint8)
    x = 16 + round(80 * t)
    picture[24:104, x : x + 80] = (255, 0, 0)
    picture[108:188, 170:250] = (0, 0, 255)
    return picture


def write_video(path: Path, *, seconds: float = 1.2, rate_hz: float = 10, times_s: list[float] | None = None) -> Path:
    times = times_s or [k / rate_hz for k in range(round(seconds * rate_hz))]
    with VideoWriter(path, rate_hz=rate_hz, quality=8) as writer:
        for time_s in times:
            writer.write(scene(time_s), time_s=time_s)
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_video_gives_a_video_and_all_that_was_found(
    color_detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = write_video(tmp_path / "in" / "a.mp4"), tmp_path / "out"
    line, zone = "gate=0.42,0 0.42,1", "corner=0.6,0.5 1,0.5 1,1 0.6,1"  # the square's middle passes x = 107
    command = ["detect", str(source), "-m", str(color_detector), "-o", str(out), "--write", "video,json,csv,coco"]
    assert run([*command, "--line", line, "--zone", zone, "--anchor", "center"]) == 0
    assert {p.name for p in out.iterdir()} == {
        "a.mp4",
        "a.counts.json",
        "boxes.jsonl",
        "boxes.csv",
        "boxes.coco.json",
    }

    frames = list(read_video(out / "a.mp4"))
    assert len(frames) == 12
    drawn = np.abs(frames[6].picture.astype(int) - scene(0.6)).max(2) > 60
    assert 0.005 < drawn.mean() < 0.3  # boxes and labels, not the rest

    lines = [json.loads(text) for text in (out / "boxes.jsonl").read_text().splitlines()]
    assert [row["frame"] for row in lines] == list(range(12))
    red = {box["id"] for row in lines for box in row["boxes"] if box["label"] == "red"}
    assert red == {1} or red == {2}
    assert [event["to"] for row in lines for event in row.get("events", ()) if "line" in event] == ["left"]
    left_sides = [float(r["x0"]) for r in rows_of(out / "boxes.csv") if r["label"] == "red"]
    assert left_sides[0] == pytest.approx(16, abs=6)
    assert left_sides[-1] == pytest.approx(104, abs=8)
    coco = json.loads((out / "boxes.coco.json").read_text())
    assert len(coco["images"]) == 12
    assert coco["images"][3]["file_name"] == "a.mp4#3"
    assert {a["category_id"] for a in coco["annotations"]} == {1, 3}

    counts = json.loads((out / "a.counts.json").read_text())
    assert counts["objects"] == {"blue": 1, "red": 1}
    assert counts["counts"][0]["left"] == {"red": 1}
    assert counts["counts"][1]["now"] == {"blue": 1}
    said = capsys.readouterr().out
    assert "12 frames" in said
    assert "1 blue, 1 red" in said


def test_sound_and_uneven_times_are_kept(color_detector: Path, tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.15, 0.5, 0.55, 0.9]
    silent = write_video(tmp_path / "silent.mp4", times_s=times)
    with av.open(str(silent)) as given, av.open(str(tmp_path / "a.mkv"), "w") as made:
        video = made.add_stream_from_template(given.streams.video[0])
        sound = made.add_stream("pcm_s16le", rate=8000, layout="mono")
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                made.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        made.mux(sound.encode(frame))
    assert run(["detect", str(tmp_path / "a.mkv"), "-m", str(color_detector), "-o", str(tmp_path / "out"), "-q"]) == 0
    made = tmp_path / "out" / "a.mp4"
    assert inspect_video(made).has_sound
    assert [f.time_s for f in read_video(made)] == pytest.approx(times, abs=2e-3)


def test_pictures_and_videos_of_a_folder_are_done_and_the_broken_ones_reported(
    color_detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    write_picture(folder / "p.png", scene(0))
    write_video(folder / "a.mp4", seconds=0.3)
    (folder / "bad.mp4").write_bytes(b"no film")
    out = tmp_path / "out"
    command = ["detect", str(folder), "-m", str(color_detector), "-o", str(out), "--classes", "red", "--no-track"]
    assert run([*command, "--write", "video,csv"]) == 1
    said = capsys.readouterr()
    assert "bad.mp4: not a video" in said.err
    assert "p.png: 1 red" in said.out
    assert {p.name for p in out.iterdir()} == {"p.jpg", "a.mp4", "boxes.csv"}
    rows = rows_of(out / "boxes.csv")
    assert {(Path(r["file"]).name, r["label"], r["id"]) for r in rows} == {("p.png", "red", ""), ("a.mp4", "red", "")}


def test_looking_at_every_third_frame_keeps_the_boxes_on_the_objects(color_detector: Path, tmp_path: Path) -> None:
    source, out = write_video(tmp_path / "a.mp4", seconds=1.5), tmp_path / "out"
    command = ["detect", str(source), "-m", str(color_detector), "-o", str(out), "--write", "csv", "--every", "3"]
    assert run([*command, "-q", "--classes", "red"]) == 0
    rows = [r for r in rows_of(out / "boxes.csv") if float(r["time_s"]) > 0.7]
    assert {int(r["seen"]) for r in rows} == {0, 1}
    for row in rows:
        assert float(row["x0"]) == pytest.approx(16 + 80 * float(row["time_s"]), abs=16)  # its grid has 16


def test_a_video_that_breaks_off_keeps_what_was_done(
    color_detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "a.mkv"
    with VideoWriter(whole, rate_hz=10, quality=0) as writer:
        for k in range(30):
            noise = np.random.default_rng(k).integers(0, 60, (192, 256, 3)).astype(np.uint8)
            writer.write(np.maximum(scene(k / 20), noise))
    (tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    out = tmp_path / "out"
    assert (
        run(["detect", str(tmp_path / "cut.mkv"), "-m", str(color_detector), "-o", str(out), "--write", "video,json"])
        == 1
    )
    assert "cut.mkv: " in capsys.readouterr().err
    done = len(list(read_video(out / "cut.mp4")))
    assert 5 < done < 28
    assert len((out / "boxes.jsonl").read_text().splitlines()) == done
    with av.open(str(out / "cut.mp4")) as made:
        assert "not whole; the source broke off" in made.metadata["comment"]


@pytest.mark.slow
def test_ctrl_c_leaves_a_video_that_can_be_played(color_detector: Path, tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", seconds=60, rate_hz=10)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "szem", "detect", str(source), "-m", str(color_detector), "-o", str(out)]
    command += ["--write", "video,json", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["frame"] == 0  # it cannot end before its lines are read
        os.kill(child.pid, signal.SIGINT)
        _, said = child.communicate(timeout=120)
    assert child.returncode == 130, said
    assert "stopped by Ctrl-C after" in said
    assert "can be played" in said
    done = len(list(read_video(out / "a.mp4")))
    assert 0 < done < 600
    assert len((out / "boxes.jsonl").read_text().splitlines()) == done
    with av.open(str(out / "a.mp4")) as made:
        assert "stopped by the user" in made.metadata["comment"]
    assert not list(out.glob("*.part*"))


@pytest.mark.parametrize("kind", ["film", "picture"])
def test_the_pipe_may_bring_a_video_or_a_picture(
    kind: str, color_detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "film":
        write_video(tmp_path / "a.mkv", seconds=0.5)
        data = (tmp_path / "a.mkv").read_bytes()
    else:
        data = write_picture(tmp_path / "a.png", scene(0)).read_bytes()

    class Stdin:
        buffer = io.BufferedReader(io.BytesIO(data))  # type: ignore[arg-type]

    monkeypatch.setattr(sys, "stdin", Stdin)
    out = tmp_path / "out"
    assert run(["detect", "-", "-m", str(color_detector), "-o", str(out), "-q"]) == 0
    assert [p.name for p in out.iterdir()] == ["stdin.mp4" if kind == "film" else "stdin.jpg"]


def test_seconds_end_it_as_planned(color_detector: Path, tmp_path: Path) -> None:
    source, out = write_video(tmp_path / "a.mp4", seconds=3), tmp_path / "out"
    assert run(["detect", str(source), "-m", str(color_detector), "-o", str(out), "-q", "--seconds", "1"]) == 0
    assert len(list(read_video(out / "a.mp4"))) == 11
    with av.open(str(out / "a.mp4")) as made:
        assert "comment" not in made.metadata


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--write", "xml"], "--write takes video, json, csv, coco or none, got xml"),
        (["--classes", "dog"], "no class called 'dog'; there are red, green, blue"),
        (["--line", "0,0"], "a line is two points"),
        (["--line", "a=0,0 x,1"], "points are numbers in pairs"),
        (["--zone", "0,0 1,1"], "a zone is three points or more"),
        (["--line", "0,0 1,1", "--no-track"], "leave --track on"),
        (["--line", "0,0 1,1", "--anchor", "nose"], "no anchor called 'nose'"),
        (["--anchor", "nose"], "no anchor called 'nose'"),
        (["--preset", "quick"], "no preset called 'quick'"),
        (["--show"], "--show needs"),
    ],
)
def test_wrong_wishes_are_refused(
    options: list[str],
    match: str,
    color_detector: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    source = write_video(tmp_path / "a.mp4", seconds=0.2)
    assert run(["detect", str(source), "-m", str(color_detector), "-o", str(tmp_path / "out"), *options]) == 1
    assert match in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out" / "a.mp4").exists()


@pytest.mark.slow
def test_an_rtsp_camera_that_is_started_again_is_followed_into_one_video(
    color_detector: Path, tmp_path: Path, rtsp_camera: Callable
) -> None:
    camera, out = rtsp_camera(), tmp_path / "out"
    camera.start([scene(0.0)] * 10)  # a red square and a blue one
    command = [sys.executable, "-m", "szem", "detect", camera.address.replace("//", "//admin:secret@")]
    command += ["-m", str(color_detector), "-o", str(out), "--write", "video,json", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            first = [json.loads(child.stdout.readline()) for _ in range(5)]
            camera.kill()
            camera.start([scene(0.0)[:, :, ::-1]] * 10)  # red is blue, and blue red
            late, ends = [], time.monotonic() + 120
            while len(late) < 5 and time.monotonic() < ends:
                row = json.loads(child.stdout.readline())
                late += [row] if row["boxes"] and row["frame"] > 5 and is_other_camera(row) else []
            child.send_signal(signal.SIGINT)
            _, errors = child.communicate(timeout=120)
        finally:
            child.kill()
    assert child.returncode == 130
    assert len(late) == 5
    assert not any(is_other_camera(row) for row in first)
    assert "trying again in 0.5 s" in errors
    assert "back after" in errors
    (made,) = out.glob("*.mp4")
    assert inspect_video(made).frames >= 10
    assert "secret" not in errors + made.name + (out / "boxes.jsonl").read_text()


def is_other_camera(row: dict) -> bool:
    """Whether blue lies on the left."""
    left = {box["label"]: box["box_xyxy"][0] for box in row["boxes"]}
    return left.get("blue", 999) < left.get("red", 0)


@pytest.mark.parametrize("source", ["7", "rtsp://127.0.0.1:9/x", "nowhere.mp4"])
def test_sources_that_are_not_there_are_reported(
    source: str, color_detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["detect", source, "-m", str(color_detector), "-o", str(tmp_path / "out")]) == 1
    assert source in capsys.readouterr().err


def test_no_result_replaces_what_it_was_made_of(
    color_detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_video(tmp_path / "a.mp4", seconds=0.3).read_bytes()
    write_video(tmp_path / "b.mkv", seconds=0.3)
    write_picture(tmp_path / "p.png", scene(0))
    (tmp_path / "p.jpg").write_bytes(b"another photograph")
    write_picture(tmp_path / "q.png", scene(0))
    named = [str(tmp_path / name) for name in ("a.mp4", "b.mkv", "p.png", "q.png")]
    assert run(["detect", *named, "-m", str(color_detector), "-o", str(tmp_path), "-q"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "2 of 4 could not be done" in said
    assert "a.mp4 is one of the inputs" in said
    assert "p.jpg is there already, where the inputs are" in said
    assert (tmp_path / "a.mp4").read_bytes() == source
    assert (tmp_path / "p.jpg").read_bytes() == b"another photograph"
    assert (tmp_path / "b.mp4").exists()  # the others go on
    assert (tmp_path / "q.jpg").exists()


def test_a_table_of_the_users_own_beside_the_inputs_is_left_alone(
    color_detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_picture(tmp_path / "p.png", scene(0))
    (tmp_path / "boxes.csv").write_text("mine")
    command = ["detect", str(tmp_path / "p.png"), "-m", str(color_detector), "-o", str(tmp_path)]
    assert run([*command, "--write", "csv,video"]) == 1
    assert "boxes.csv is there already" in capsys.readouterr().err
    assert (tmp_path / "boxes.csv").read_text() == "mine"
    assert not (tmp_path / "p.jpg").exists()


def test_a_folder_of_its_own_is_written_anew(color_detector: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "p.png", scene(0))
    command = ["detect", str(tmp_path / "in"), "-m", str(color_detector), "-o", str(tmp_path / "out"), "-q"]
    for _ in range(2):
        assert run([*command, "--write", "video,csv"]) == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"p.jpg", "boxes.csv"}


@pytest.mark.parametrize(
    "sources", [("0", "1"), ("http://h/video", "rtsp://h/1"), ("http://h/a.mp4", "0", "rtsp://h/1")]
)
def test_two_sources_without_an_end_are_refused(
    sources: tuple[str, ...], color_detector: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["detect", *sources, "-m", str(color_detector)]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "has no end" in said
    assert "szem watch" in said
    assert "a.mp4" not in said


def test_streams_have_names_of_their_own(color_detector: Path, tmp_path: Path) -> None:
    from szem.cli.outputs import Stems
    from szem.cli.sources import split_sources, stream_stem

    stems = Stems()
    sources, _ = split_sources(["rtsp://h/a-x", "http://h/film.mp4", "rtsp://h/a/x", "rtsp://h/a-x"])
    assert sources == ["http://h/film.mp4", "rtsp://h/a-x", "rtsp://h/a/x"]  # what ends comes first
    assert [stems.of(Path(stream_stem(text))) for text in sources] == ["h-film-mp4", "h-a-x", "h-a-x-2"]


def test_lines_for_pictures_only_are_reported(
    color_detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_picture(tmp_path / "p.png", scene(0))
    command = ["detect", str(tmp_path / "p.png"), "-m", str(color_detector), "-o", str(tmp_path / "out")]
    assert run([*command, "--line", "0,0 1,1"]) == 1
    assert "there are only pictures" in capsys.readouterr().err


def test_a_wrong_option_is_reported_once_for_all_videos(
    color_detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, seconds=0.2)
    assert run(["detect", str(tmp_path), "-m", str(color_detector), "--classes", "dog"]) == 1
    assert capsys.readouterr().err.count("no class called 'dog'") == 1


def test_a_damaged_video_is_done_and_the_damage_reported(
    color_detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 256, 192, "yuvj420p"
        for index in range(10):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(scene(index / 10), format="rgb24")))
        out.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    starts = [at for at in range(len(data) - 3) if data[at : at + 3] == b"\xff\xd8\xff"]
    end = starts[5] - 8  # where the next picture's chunk begins
    data[starts[4] : end] = bytes(end - starts[4])
    path.write_bytes(data)
    command = ["detect", str(path), "-m", str(color_detector), "-o", str(tmp_path / "out"), "--write", "json"]
    assert run([*command, "--json", "--line", "0.4,0 0.4,1"]) == 0
    printed = capsys.readouterr()
    assert "a.avi: 1 damaged packet skipped" in printed.err
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert len(rows) == 9
    assert rows[-1]["damaged_packets"] == 1
    assert json.loads((tmp_path / "out" / "a.counts.json").read_text())["damaged_packets"] == 1
