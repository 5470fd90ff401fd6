"""The guard's routes over real HTTP: events, files, marks, rules, films to try, and wrong requests."""

import csv
import io
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import IO, Any

import httpx
import numpy as np
import pytest

from szem.guard.event_record import StoredEvent
from szem.guard.event_store import EventStore
from szem.media.video_writer import VideoWriter
from szem.serve.app import build_app
from szem.serve.settings import ServeSettings
from szem.tasks.video.zones import read_areas

from ..conftest import KEY

GUARD = "/v1/szem/guard"
Run = Callable[..., AbstractContextManager[httpx.Client]]
START = 1_800_000_000.0


def keep(store: EventStore, n: int, **values: Any) -> StoredEvent:
    known: dict[str, Any] = {
        "id": f"{n:032x}",
        "source": "door" if n % 2 else "yard",
        "kind": "enters" if n % 3 else "glass break",
        "started": START + 60 * n,
        "ended": START + 60 * n + 5,
        "start_s": 60.0 * n,
        "end_s": 60.0 * n + 5,
        "score": min(0.5 + n / 20, 1.0),
        "channels": {"sound": 0.7} if n % 3 == 0 else {"video": 0.6},
    }
    return store.add(StoredEvent(**(known | values)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of ten events, the second with a picture and a clip."""
    folder = tmp_path_factory.mktemp("guarded") / "store"
    with closing(EventStore(folder)) as store:
        for n in range(10):
            keep(store, n)
        for name, data in (("picture", b"\xff\xd8picture"), ("clip", bytes(range(256)) * 40)):
            suffix = ".jpg" if name == "picture" else ".mp4"
            file = f"2027-01-15/08-00-00_door_enters_00000001{suffix}"
            with store.writing(file) as path:
                path.write_bytes(data)
            store.change(f"{1:032x}", **{name: file})
        store.report_source("door", state="live", seen=START, width_px=640, height_px=360, has_sound=True)
    return folder


@pytest.fixture(scope="module")
def guarded(folder: Path, run_server: Run) -> Iterator[httpx.Client]:
    with run_server(guard_store=folder) as server:
        yield server


def ids(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [int(row["id"], 16) for row in answer.json()["events"]]


def test_the_overview_counts_what_there_is(guarded: httpx.Client) -> None:
    found = guarded.get(GUARD).json()
    assert (found["present"], found["total"]) == (True, 10)
    assert found["kinds"] == {"enters": 6, "glass break": 4}
    assert found["events_of"] == {"door": 5, "yard": 5}
    (door,) = found["sources"]
    assert (door["name"], door["state"], door["frame"]) == ("door", "live", {"width": 640, "height": 360})


def test_a_server_without_a_store_has_no_events(run_server: Run, tmp_path: Path) -> None:
    with run_server(guard_store=tmp_path / "none") as server:
        assert server.get(GUARD).json()["present"] is False
        assert server.get(f"{GUARD}/events").json() == {"events": [], "nextPageToken": "", "total": 0}
        assert server.get(f"{GUARD}/events/{1:032x}").status_code == 404
        assert server.get(f"{GUARD}/export").text.startswith("id,source,kind")
        assert not (tmp_path / "none").exists()  # looking makes nothing


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ({"source": "door"}, [9, 7, 5, 3, 1]),
        ({"kind": ["glass break"]}, [9, 6, 3, 0]),
        ({"kind": ["glass break", "enters"], "source": "yard"}, [8, 6, 4, 2, 0]),
        ({"minScore": 0.9}, [9, 8]),
        ({"channel": "sound"}, [9, 6, 3, 0]),
        ({"channel": "both"}, []),
        ({"since": "2027-01-15T08:07:00Z"}, [9, 8, 7]),
        ({"since": "2027-01-15T08:02:04Z", "until": "2027-01-15T08:04:00Z"}, [3, 2]),  # one went on at the beginning
    ],
)
def test_events_are_chosen_by_what_is_asked(guarded: httpx.Client, query: dict[str, Any], found: list[int]) -> None:
    answer = guarded.get(f"{GUARD}/events", params=query)
    assert ids(answer) == found
    assert answer.json()["total"] == len(found)


def test_pages_follow_each_other_without_gaps(guarded: httpx.Client) -> None:
    seen: list[int] = []
    token = ""
    for _ in range(4):
        answer = guarded.get(f"{GUARD}/events", params={"pageSize": 3, "pageToken": token})
        seen += ids(answer)
        token = answer.json()["nextPageToken"]
    assert seen == list(range(9, -1, -1))
    assert token == ""


@pytest.fixture
def own_folder(folder: Path, tmp_path: Path) -> Path:
    """A copy of the store, to spoil; its second event is marked, and is what `door` shows now."""
    shutil.copytree(folder, tmp_path / "store")
    with closing(EventStore(tmp_path / "store")) as store:
        event = store.mark(f"{1:032x}", "right")
        store.report_source("door", still=event.picture)
    return tmp_path / "store"


def files_given(server: httpx.Client) -> dict[str, bytes]:
    """What each GET gives, by its path, of the event that has files and the source that has a picture."""
    given: dict[str, bytes] = {}
    for path, methods in build_app(ServeSettings(key=KEY)).openapi()["paths"].items():
        if "get" in methods:
            real = path.replace("{event}", f"{1:032x}").replace("{source}", "door")
            answer = server.get(re.sub(r"{[^}]*}", "cat", real))
            assert answer.status_code in (200, 404), answer.text
            given[path] = answer.content
    return given


def test_no_get_follows_a_link_in_the_store(own_folder: Path, tmp_path: Path, run_server: Run) -> None:
    (tmp_path / "outside").mkdir()
    files = [path for path in (own_folder / "media").rglob("*") if path.is_file()]
    with run_server(guard_store=own_folder) as server:
        before = files_given(server)
        found = [path for path, data in before.items() if b"picture" in data and b"\xff\xd8" in data]
        assert sorted(path.rpartition("/")[2] for path in found) == ["marked", "picture", "still"]
        for path in files:
            (tmp_path / "outside" / path.name).write_bytes(b"SECRET" * 9)
            path.unlink()
            path.symlink_to(tmp_path / "outside" / path.name)
        assert not any(b"SECRET" in data for data in files_given(server).values())
        for day in {path.parent for path in files}:
            shutil.rmtree(day)
            day.symlink_to(tmp_path / "outside")
        assert not any(b"SECRET" in data for data in files_given(server).values())


@pytest.mark.parametrize("what", ["picture", "clip"])
def test_what_happens_to_a_file_after_it_was_opened_changes_nothing(
    what: str, own_folder: Path, tmp_path: Path, run_server: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard deletes old files to keep within its bounds, whoever asks; somebody may put a link there."""
    (tmp_path / "secret").write_bytes(b"SECRET")
    (path,) = (own_folder / "media").rglob("*.jpg" if what == "picture" else "*.mp4")
    data, real = path.read_bytes(), EventStore.open_media

    def opened_and_swapped(self: EventStore, name: str) -> IO[bytes]:
        file = real(self, name)
        path.unlink()
        path.symlink_to(tmp_path / "secret")
        return file

    monkeypatch.setattr(EventStore, "open_media", opened_and_swapped)
    with run_server(guard_store=own_folder) as server:
        assert server.get(f"{GUARD}/events/{1:032x}/{what}").content == data
        answer = server.get(f"{GUARD}/events/{1:032x}/{what}")
    assert answer.status_code == 404, answer.text
    assert "deleted since" in answer.json()["error"]["message"]


def test_a_picture_and_parts_of_a_clip_are_given(guarded: httpx.Client) -> None:
    row = guarded.get(f"{GUARD}/events/{1:032x}").json()
    picture = guarded.get(row["picture"])
    assert (picture.headers["content-type"], picture.content) == ("image/jpeg", b"\xff\xd8picture")
    part = guarded.get(row["clip"], headers={"range": "bytes=256-260"})
    assert (part.status_code, part.content) == (206, bytes(range(5)))
    assert part.headers["content-range"] == "bytes 256-260/10240"
    beyond = guarded.get(row["clip"], headers={"range": "bytes=99999-"})
    assert beyond.status_code == 416
    assert guarded.get(f"{GUARD}/events/{2:032x}/clip").status_code == 404


def test_marks_are_kept_and_given_to_train_with(guarded: httpx.Client) -> None:
    answer = guarded.put(f"{GUARD}/events/{1:032x}/mark", json={"mark": "wrong", "note": "a cat"})
    assert (answer.json()["mark"], answer.json()["mark_note"]) == ("wrong", "a cat")
    guarded.put(f"{GUARD}/events/{2:032x}/mark", json={"mark": "right"})
    assert ids(guarded.get(f"{GUARD}/events", params={"mark": ["wrong", "right"]})) == [2, 1]
    packed = guarded.get(f"{GUARD}/marked")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert sorted(archive.namelist()) == [f"clips/{1:032x}.mp4", "index.csv", f"pictures/{1:032x}.jpg"]
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open("index.csv"), encoding="utf-8")))
    assert [(row["kind"], row["mark"], row["picture"]) for row in rows] == [
        ("enters", "wrong", f"pictures/{1:032x}.jpg"),
        ("enters", "right", ""),
    ]
    back = guarded.put(f"{GUARD}/events/{1:032x}/mark", json={"mark": ""})
    assert "marked" not in back.json()


def test_exports_hold_what_is_asked_for(guarded: httpx.Client) -> None:
    text = guarded.get(f"{GUARD}/export", params={"kind": "glass break"}).text
    assert [row["started"] for row in csv.DictReader(io.StringIO(text))][:2] == [
        "2027-01-15T08:00:00.000Z",
        "2027-01-15T08:03:00.000Z",
    ]
    rows = guarded.get(f"{GUARD}/export", params={"format": "json", "source": "door"}).json()
    assert [row["number"] for row in rows] == [2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "says"),
    [
        ("GET", "/events?minScore=2", None, 400, "minScore"),
        ("GET", "/events?since=yesterday-ish", None, 400, "no moment"),
        ("GET", "/events?since=1h&until=2h", None, 400, "exchange"),
        ("GET", "/events?channel=smell", None, 400, "sound, video"),
        ("GET", "/events?mark=maybe", None, 400, "wrong, right"),
        ("GET", "/events?pageToken=-1", None, 400, "pageToken"),
        ("GET", "/events?pageSize=0", None, 400, "greater than or equal to 1"),
        ("GET", "/events/..%2f..%2fetc", None, 404, ""),
        ("GET", "/events/zz", None, 404, "no event"),
        ("GET", "/export?format=xls", None, 400, "csv or json"),
        ("GET", "/sources/nobody/still", None, 404, "no such file"),
        ("PUT", f"/events/{3:032x}/mark", {"mark": "perhaps"}, 400, "wrong, right"),
        ("PUT", f"/events/{3:032x}/mark", {"mark": 1}, 400, "texts called mark, note"),
        ("PUT", f"/events/{3:032x}/mark", [], 400, "JSON object"),
        ("PUT", f"/events/{77:032x}/mark", {"mark": "wrong"}, 404, "no event"),
        ("PUT", "/rules", {"text": "[[rules]]\nname=1"}, 400, "line 2"),
        ("PUT", "/rules", {"text": "a" * 70_000}, 413, "exceeds the limit"),
        ("GET", "/videos/none", None, 404, "send it again"),
        ("DELETE", "/videos/none", None, 404, "send it again"),
    ],
)
def test_wrong_requests_get_the_reason(
    guarded: httpx.Client, method: str, path: str, sent: object, status: int, says: str
) -> None:
    answer = guarded.request(method, GUARD + path, **({} if sent is None else {"json": sent}))  # type: ignore[arg-type]
    assert answer.status_code == status, answer.text
    assert says in answer.json()["error"]["message"]


def test_rules_are_checked_saved_whole_and_given_back(guarded: httpx.Client, folder: Path) -> None:
    good = '[zones]\ndoor = [[0.1, 0.2], [0.4, 0.2], [0.4, 0.9]]\n\n[[rules]]\nname = "a"\nevents = ["enters"]\n'
    bad = good.replace("enters", "enterz")
    assert guarded.get(f"{GUARD}/rules").json()["saved"] is False
    checked = guarded.put(f"{GUARD}/rules/check", json={"text": bad}).json()
    assert (checked["line"], checked["rules"]) == (6, None)
    assert "did you mean 'enters'" in checked["fault"]
    saved = guarded.put(f"{GUARD}/rules", json={"text": good}).json()
    assert saved["saved"]
    assert saved["rules"]["zones"][0]["name"] == "door"
    assert guarded.put(f"{GUARD}/rules", json={"text": bad}).status_code == 400
    assert (folder / "guard.toml").read_text() == good
    assert guarded.get(f"{GUARD}/rules").json()["text"] == good
    assert not list(folder.glob(".guard*"))


def test_zones_and_lines_go_out_and_in_as_json(guarded: httpx.Client, folder: Path) -> None:
    zone = "[[0.1, 0.2], [0.4, 0.2], [0.4, 0.9]]"
    text = f"[zones]\ndoor = {zone}\n[cameras.yard.lines]\ngate = [[0, 0.5], [1, 0.5]]\n"
    assert guarded.put(f"{GUARD}/rules", json={"text": text}).status_code == 200
    given = guarded.get(f"{GUARD}/areas")
    assert 'filename="zones.json"' in given.headers["content-disposition"]
    door = {"name": "door", "points": [[0.1, 0.2], [0.4, 0.2], [0.4, 0.9]], "ignore": False}
    assert given.json() == {"zones": [door], "lines": []}
    yard = guarded.get(f"{GUARD}/areas", params={"camera": "yard"}).json()
    assert [line["name"] for line in yard["lines"]] == ["gate"]
    assert guarded.get(f"{GUARD}/areas", params={"camera": "hall"}).status_code == 404
    assert guarded.put(f"{GUARD}/areas/check", json=yard).json() == {"fault": "", **yard}
    answer = guarded.put(f"{GUARD}/areas/check", json={"zones": [door | {"points": [[0, 0], [320, 0], [1, 1]]}]})
    assert "zones[1].points: a point's x and y are fractions" in answer.json()["fault"]
    drawn = folder.parent / "zones.json"
    drawn.write_bytes(given.content)
    assert read_areas(drawn).names == ("door",)


def test_nothing_of_the_guard_is_given_without_the_owners_key(guarded: httpx.Client) -> None:
    paths = guarded.get("/openapi.json").json()["paths"]
    routes = [(path, method) for path in paths if path.startswith(GUARD) for method in paths[path]]
    assert len(routes) >= 17
    for path, method in routes:
        real = path.format(event=f"{1:032x}", source="door", video="x")
        for key in ("", KEY[:-1], KEY + "x"):
            answer = guarded.request(method, real, headers={"x-szem-key": key})
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert "X-Szem-Key" in answer.json()["error"]["message"]


def test_an_api_key_does_not_open_the_guard_and_the_owners_key_opens_everything(
    run_server: Run, folder: Path
) -> None:
    with run_server(guard_store=folder, api_keys=("secret",)) as server:
        assert server.get("/v1/szem/kernels").status_code == 200
        for path in ("", "/events", f"/events/{1:032x}/clip", "/rules"):
            assert server.get(GUARD + path).status_code == 200
            owner = {"x-szem-key": "", "authorization": f"Bearer {KEY}"}
            assert server.get(GUARD + path, headers=owner).status_code == 200
            for other in ({"x-goog-api-key": "secret"}, {"authorization": "Bearer secret"}):
                assert server.get(GUARD + path, headers={"x-szem-key": "", **other}).status_code == 401
            query = server.get(GUARD + path, params={"key": KEY}, headers={"x-szem-key": ""})
            assert query.status_code == 401, "addresses end up in histories"


def a_video(path: Path) -> bytes:
    """Ten seconds: a scene with a little noise, from the fifth on a hand before the lens."""
    rng = np.random.default_rng(3)
    scene = np.kron(rng.integers(30, 220, (12, 16, 3)), np.ones((10, 10, 1))).astype(np.int16)
    with VideoWriter(path, rate_hz=10) as writer:
        for k in range(100):
            shown = scene if k < 50 else np.full_like(scene, 70)
            writer.write((shown + rng.integers(-4, 5, scene.shape)).clip(0, 255).astype(np.uint8))
    return path.read_bytes()


def test_a_video_that_is_sent_is_watched(guarded: httpx.Client, tmp_path: Path) -> None:
    data = a_video(tmp_path / "a.mp4")
    answer = guarded.post(f"{GUARD}/videos", params={"name": "../yard.mp4"}, content=data)
    assert answer.status_code == 202, answer.text
    video = answer.json()
    assert (video["name"], video["frame"]) == ("yard.mp4", {"width": 160, "height": 120})
    deadline = time.monotonic() + 120
    while video["state"] not in ("done", "failed") and time.monotonic() < deadline:
        time.sleep(0.1)
        video = guarded.get(f"{GUARD}/videos/{video['id']}").json()
    assert (video["state"], video["fault"], video["progress"]) == ("done", "", 1.0)
    assert [row["kind"] for row in video["events"]] == ["camera covered"]
    assert 4.5 < video["events"][0]["start_s"] < 6
    curves = video["curves"]
    assert len({len(values) for values in curves.values()}) == 1
    late = [level for at_s, level in zip(curves["time_s"], curves["video"], strict=True) if at_s > 9]
    early = [level for at_s, level in zip(curves["time_s"], curves["video"], strict=True) if at_s < 4]
    assert min(late) > 0.5
    assert max(early) == 0
    assert guarded.delete(f"{GUARD}/videos/{video['id']}").status_code == 200
    assert guarded.get(f"{GUARD}/videos/{video['id']}").status_code == 404


@pytest.mark.parametrize("data", [b"", b"no film at all" * 100])
def test_what_is_no_video_is_refused_and_forgotten(guarded: httpx.Client, data: bytes) -> None:
    answer = guarded.post(f"{GUARD}/videos", content=data)
    assert answer.status_code == 400
    assert "/tmp" not in answer.text


def test_a_video_that_is_too_large_is_refused(run_server: Run, folder: Path) -> None:
    with run_server(guard_store=folder, max_video_bytes=1000) as server:
        assert server.post(f"{GUARD}/videos", content=b"x" * 2000).status_code == 413
