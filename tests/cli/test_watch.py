"""`szem watch` and `szem events`, as typed, with the shipped networks on a small film."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from szem.cli.run import run
from szem.media.sound import write_sound
from szem.media.video_writer import VideoWriter
from szem.tasks.models import default_model

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds: a scene with a little noise, from the fifth on a hand before the lens."""
    rng = np.random.default_rng(3)
    scene = np.kron(rng.integers(30, 220, (12, 16, 3)), np.ones((10, 10, 1))).astype(np.int16)
    path = tmp_path_factory.mktemp("films") / "hall.mp4"
    with VideoWriter(path, rate_hz=10) as writer:
        for k in range(100):
            shown = scene if k < 50 else np.full_like(scene, 70)
            writer.write((shown + rng.integers(-4, 5, scene.shape)).clip(0, 255).astype(np.uint8))
    return path


@pytest.fixture(scope="module")
def store(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that has watched the film."""
    folder = tmp_path_factory.mktemp("stores") / "hall"
    assert run(["watch", str(video), "--store", str(folder), "--video-start", "2026-05-01T22:00:00+00:00"]) == 0
    return folder


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Run:
    """Type a command: its status, its output and its complaints."""

    def type_(*words: object) -> tuple[int, str, str]:
        status = run([str(word) for word in words])
        out = capsys.readouterr()
        return status, out.out, out.err

    return type_


def test_a_video_is_watched_and_its_events_listed(store: Path, typed: Run) -> None:
    status, out, err = typed("events", "list", "--store", store)
    assert status == 0
    (line,) = out.splitlines()
    assert "hall" in line
    assert "camera covered" in line
    assert "1 of 1 events" in err
    row = json.loads(typed("events", "list", "--store", store, "--json")[1])
    assert row["started"].startswith("2026-05-01T22:00:05")
    assert (store / "media" / row["clip"]).is_file()
    assert (store / "media" / row["picture"]).is_file()


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--kind", "camera covered"), 1),
        (("--kind", "enters"), 0),
        (("--source", "hall", "--threshold", "0.2", "--channel", "video"), 1),
        (("--since", "2026-05-01T22:30:00+00:00"), 0),
        (("--until", "2026-05-01T21:00:00+00:00"), 0),
        (("--channel", "sound"), 0),
    ],
)
def test_lists_keep_to_what_is_asked(store: Path, typed: Run, options: tuple[str, ...], count: int) -> None:
    status, out, _ = typed("events", "list", "--store", store, *options)
    assert (status, len(out.splitlines())) == (0, count)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (("--kind", "camera coverd"), "no kind called 'camera coverd'; did you mean 'camera covered'?"),
        (("--kind", "xyz"), "no kind called 'xyz'; there are camera covered, enters, "),
        (("--kind", "siren"), "no 'siren' was kept yet"),
        (("--source", "hal"), "no source called 'hal'; did you mean 'hall'?"),
        (("--place", "door"), "no place called 'door'; there is none"),
    ],
)
def test_names_that_nothing_has_are_reported(store: Path, typed: Run, options: tuple[str, ...], hint: str) -> None:
    status, out, err = typed("events", "list", "--store", store, *options)
    assert (status, out) == (0, "")
    assert hint in err
    assert hint in typed("events", "export", "--store", store, *options)[2]


def test_an_event_is_shown_and_marked(store: Path, typed: Run) -> None:
    id = json.loads(typed("events", "list", "--store", store, "--json")[1])["id"]
    status, out, _ = typed("events", "show", id[:8], "--store", store)
    assert status == 0
    assert "camera covered" in out
    assert str(store / "media") in out
    assert typed("events", "mark", id[:8], "--wrong", "--note", "the cleaner", "--store", store)[0] == 0
    assert json.loads(typed("events", "show", id, "--json", "--store", store)[1])["mark_note"] == "the cleaner"
    status, _, err = typed("events", "mark", "00000000", "--right", "--store", store)
    assert status == 1
    assert "no event" in err
    assert typed("events", "mark", id[:8], "--store", store)[0] == 1  # neither wrong nor right
    assert typed("events", "mark", id[:8], "--clear", "--store", store)[0] == 0


def test_events_are_exported(store: Path, typed: Run, tmp_path: Path) -> None:
    _, out, _ = typed("events", "export", "--store", store)
    (row,) = csv.DictReader(out.splitlines())
    assert row["kind"] == "camera covered"
    for name in ("a.csv", "a.json", "a.parquet"):
        assert typed("events", "export", "--out", tmp_path / name, "--store", store)[0] == 0
    assert json.loads((tmp_path / "a.json").read_text())[0]["kind"] == "camera covered"
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the parquet extra (pyarrow)")
    (reported,) = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert reported["kind"] == "camera covered"
    assert reported["started"].isoformat().startswith("2026-05-01T22:00:05")
    assert reported["score"] == pytest.approx(float(row["score"]))
    for words, match in ((("-o", "x.xls"), "csv, json, parquet"), (("--format", "parquet"), "needs a file")):
        status, _, err = typed("events", "export", *words, "--store", store)
        assert status == 1
        assert match in err


def test_parquet_without_its_library_says_what_to_install(
    store: Path, typed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    status, _, err = typed("events", "export", "--out", tmp_path / "a.parquet", "--store", store)
    assert status == 1
    assert "pip install 'szem[parquet]'" in err
    assert list(tmp_path.iterdir()) == []


def test_videos_that_cannot_be_read_leave_the_others_watched(
    video: Path, typed: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When films began is asked of the files themselves here, the broken ones too."""
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.mp4"
    text.write_text("this is no film")
    empty.touch()
    status, out, err = typed("watch", video, text, empty, "--store", tmp_path / "store")
    assert status == 1
    assert "hall: ended, 9.9 s, 1 event" in out
    assert "text: failed" in out
    assert "empty: failed" in out
    assert "text.mp4: not a video szem reads (Invalid data found when processing input); convert it" in caplog.text
    assert "the file is empty" in caplog.text
    assert "Traceback" not in err + caplog.text
    assert "camera covered" in typed("events", "list", "--store", tmp_path / "store")[1]


def test_sound_without_pictures_is_listened_to(typed: Run, tmp_path: Path) -> None:
    """With the shipped listener: two bangs that ring out, between two silences."""
    rng = np.random.default_rng(0)
    bangs = rng.normal(0, 0.5, 64000) * np.exp(-8 * (np.arange(64000) / 16000 % 2))
    quiet = rng.normal(0, 1e-3, 32000)
    write_sound(tmp_path / "bangs.wav", np.concatenate([quiet, bangs, quiet]).astype(np.float32), rate_hz=16000)
    status, out, _ = typed("watch", tmp_path / "bangs.wav", "--store", tmp_path / "store")
    assert status == 0
    assert "there are no pictures in it: guarded by sound alone" in out
    listed = typed("events", "list", "--store", tmp_path / "store", "--json")[1]
    rows = [json.loads(line) for line in listed.splitlines()]
    assert rows
    assert all(set(row["channels"]) == {"sound"} and "picture" not in row for row in rows)
    assert (tmp_path / "store" / "media" / rows[0]["clip"]).is_file()


def test_rules_are_checked_without_watching(typed: Run, tmp_path: Path) -> None:
    rules = tmp_path / "guard.toml"
    rules.write_text('[[rules]]\nname = "night"\nevents = ["enters"]\nhours = ["22:00-06:00"]\n')
    status, out, _ = typed("watch", "--rules", rules, "--check")
    assert status == 0
    assert "night: enters; anywhere; 22:00-06:00; score 0.5; save" in out
    rules.write_text(
        "[lines]\ngate = [[0, 0.5], [1, 0.5]]\n[cameras.yard.zones]\n"
        "trees = { points = [[0, 0], [1, 0], [1, 0.2]], ignore = true }\n"
        '[[rules]]\nname = "over"\nevents = ["crosses"]\nlines = ["gate"]\ndirection = "left"\n'
        'classes = ["person"]\nchannels = ["video"]\ncooldown_s = 60\n'
    )
    assert typed("watch", "--rules", rules, "--check")[1].splitlines() == [
        "over: crosses; gate; always; of person; to the left; reported by video; score 0.5; save; then quiet for 60 s",  # noqa: E501
        "lines: gate",
        "zones of yard: trees (ignored)",
        "kept for 30 days, 10 GB of pictures and clips",
    ]
    rules.write_text(rules.read_text().replace("crosses", "crosess"))
    status, _, err = typed("watch", "--rules", rules, "--check")
    assert status == 1
    assert "line 7" in err
    rules.write_text('[[rules]]\nname = "a"\nevents = ["enters"]\nclasses = ["persn"]\n')
    status, _, err = typed("watch", "--rules", rules, "--check")
    assert status == 1
    assert "line 4, rules[1].classes: no class called 'persn'; did you mean 'person'?" in err


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ("treshold = 0.5", "no setting called treshold"),
        ('classes = ["sirens of the sea"]', "the model knows no 'sirens of the sea'"),
        ('threshold = "loud"', "threshold must be a number"),
    ],
)
def test_settings_of_the_listener_are_checked_without_watching(
    typed: Run, tmp_path: Path, setting: str, match: str
) -> None:
    rules = tmp_path / "guard.toml"
    rules.write_text(f"[listen]\n{setting}\n")
    status, _, err = typed("watch", "--rules", rules, "--check")
    assert status == 1
    assert match in err
    rules.write_text('[listen]\nclasses = ["siren"]\nreport_after_s = 3\n')
    assert typed("watch", "--rules", rules, "--check")[0] == 0


def test_classes_are_those_of_the_model_that_will_look(typed: Run, tmp_path: Path) -> None:
    """A folder with a card of its own stands for a model of one's own."""
    shipped = default_model("detect")
    labels = ["helmet", *shipped.labels[1:]]
    own = tmp_path / "own"
    own.mkdir()
    card = json.loads((shipped.folder / "card.json").read_text())
    card |= {"name": "own", "labels": labels}
    card.pop("labels_file", None)
    (own / "card.json").write_text(json.dumps(card))
    rules = tmp_path / "guard.toml"
    rules.write_text(
        '[watch]\nlabels = ["helmet"]\n[[rules]]\nname = "a"\nevents = ["enters"]\nclasses = ["helmet"]\n'
    )
    assert typed("watch", "--rules", rules, "--check", "--model", own)[0] == 0
    status, _, err = typed("watch", "--rules", rules, "--check")
    assert status == 1
    assert "line 2, watch.labels: no class called 'helmet'" in err


def test_zones_and_lines_as_json_are_guarded(video: Path, typed: Run, tmp_path: Path) -> None:
    drawn, rules = tmp_path / "zones.json", tmp_path / "guard.toml"
    door = {"name": "door", "points": [[0, 0], [0.5, 0], [0.5, 1]]}
    drawn.write_text(json.dumps({"zones": [door], "lines": [{"name": "gate", "points": [[0, 0.5], [1, 0.5]]}]}))
    rules.write_text('[[rules]]\nname = "in"\nevents = ["enters"]\nzones = ["door"]\n')
    status, out, _ = typed("watch", "--areas", drawn, "--check", "--store", tmp_path / "none")
    assert (status, out.splitlines()[1:3]) == (0, ["zones: door", "lines: gate"])
    status, out, _ = typed("watch", "--areas", drawn, "--rules", rules, "--check")
    assert status == 0
    assert "in: enters; door" in out
    assert typed("watch", "--rules", rules, "--check")[0] == 1  # without them there is no such zone
    rules.write_text(rules.read_text() + "[zones]\ndoor = [[0, 0], [1, 0], [1, 1]]\n")
    status, _, err = typed("watch", "--areas", drawn, "--rules", rules, "--check")
    assert status == 1
    assert "guard.toml, line 6, zones.door: the areas have a zone or line called 'door' too" in err
    drawn.write_text(json.dumps({"zones": [door | {"points": [[0, 0], [320, 0], [320, 240]]}]}))
    status, _, err = typed("watch", video, "--areas", drawn, "--store", tmp_path / "store")
    assert status == 1
    assert "zones.json: zones[1].points: a point's x and y are fractions" in err
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("watch",), "nothing to watch"),
        (("watch", "absent.mp4"), "no such video"),
        (("events", "list"), "no events are kept there"),
    ],
)
def test_what_cannot_be_is_said(typed: Run, tmp_path: Path, words: tuple[str, ...], match: str) -> None:
    status, _, err = typed(*words, "--store", tmp_path / "none")
    assert status == 1
    assert match in err
    assert not (tmp_path / "none").exists()


def test_a_store_that_cannot_be_is_reported_in_plain_words(
    video: Path, store: Path, typed: Run, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    none, torn = tmp_path / "none", tmp_path / "torn"
    none.mkdir()
    (none / "events.sqlite3").write_text("these are no tables")
    shutil.copytree(store, torn)
    database = torn / "events.sqlite3"
    database.write_bytes(database.read_bytes()[:4096] + bytes(database.stat().st_size - 4096))
    for words, match in (
        (("--store", tmp_path / "file"), "file is not a folder); choose another place with --store"),
        (("--store", none), "none/events.sqlite3 is damaged: move it away, and a new one is begun"),
        (("--store", torn), "torn/events.sqlite3: it is damaged: move it away, and a new one is begun"),
        (("--store", tmp_path / "a", "--database", "nosuch://x"), "cannot be opened (Can't load plugin"),
        (
            ("--store", tmp_path / "a", "--database", f"sqlite:///{tmp_path}/file/b/c"),
            "cannot be opened (Not a directory)",
        ),
    ):
        status, _, err = typed("watch", video, *words)
        assert status == 1
        assert match in err
        assert "\\x0a" not in err
        assert "sqlalche.me" not in err
        assert len(err.splitlines()) == 1


@pytest.mark.slow
def test_ctrl_c_ends_a_guard_cleanly(video: Path, tmp_path: Path) -> None:
    """A film that is watched in a process of its own; what it was at is finished, and the store is in order."""
    long = tmp_path / "long.mp4"
    with VideoWriter(long, rate_hz=30) as writer:
        for k in range(3000):
            writer.write(np.full((48, 64, 3), k % 200, np.uint8))
    command = [
        sys.executable,
        "-m",
        "szem",
        "watch",
        str(long),
        "--store",
        str(tmp_path / "store"),
        "--metrics-port",
        "0",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    guard = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 120
    still = tmp_path / "store" / "media" / "stills" / "long.jpg"
    while not still.exists() and guard.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    guard.send_signal(signal.SIGINT)
    out, err = guard.communicate(timeout=120)
    assert guard.returncode == 0, err
    assert "long: stopped" in out or "long: ended" in out
    assert "metrics at http://127.0.0.1:" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_new_rules_are_taken_while_cameras_are_watched(tmp_path: Path, camera_of_pictures: str) -> None:
    """A guard in a process of its own; its rules file is replaced, wrongly and then rightly."""
    rules = tmp_path / "guard.toml"
    rules.write_text('[[rules]]\nname = "old"\nevents = ["enters"]\n')
    command = [sys.executable, "-m", "szem", "watch", f"door={camera_of_pictures}", "-r", str(rules)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    still, said = tmp_path / "store" / "media" / "stills" / "door.jpg", tmp_path / "said"

    def wait_for(is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 90
        while not is_so():
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.1)

    with said.open("w") as file:
        guard = subprocess.Popen([*command, "--store", str(tmp_path / "store")], stderr=file, env=environment)
    try:
        wait_for(still.exists)
        put(rules, '[[rules]]\nname = "new"\nevents = ["enterz"]\n')
        wait_for(lambda: "the new rules are not taken" in said.read_text())
        still.unlink()
        put(rules, '[[rules]]\nname = "new"\nevents = ["leaves"]\n')
        wait_for(lambda: "new rules: the cameras are opened again" in said.read_text())
        wait_for(still.exists)
    finally:
        guard.send_signal(signal.SIGTERM)
        guard.wait(120)
    assert guard.returncode == 0, said.read_text()


def put(file: Path, text: str) -> None:
    """Put another file in its place: never half of it is there."""
    part = file.with_suffix(".part")
    part.write_text(text)
    part.replace(file)


@pytest.fixture
def camera_of_pictures() -> Iterator[str]:
    """A camera of motion JPEG at 10 pictures a second."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 90, 90)).save(file, "JPEG")
    picture = file.getvalue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            head = f"--frame\r\ncontent-type: image/jpeg\r\ncontent-length: {len(picture)}\r\n\r\n".encode()
            with suppress(OSError):
                while True:
                    self.wfile.write(head + picture + b"\r\n")
                    time.sleep(0.1)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/live"
    server.shutdown()
    server.server_close()
