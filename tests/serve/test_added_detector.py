"""A detector that a user added works on every way in: Python, command line, HTTP, live frames, videos, the guard.

It is as unlike the shipped one as the head layouts allow: half precision, a fixed batch of four, duplicates dropped
inside, weights in a second file.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from websockets.sync.client import connect

from szem.cli.run import run
from szem.media.video_writer import VideoWriter
from szem.runtime.store import remove_model
from szem.serve.routes.live import LIVE_PATH
from szem.tasks.detection.detect import detect
from szem.tasks.models import add_model

onnx = pytest.importorskip("onnx")

Run = Callable[..., AbstractContextManager[httpx.Client]]
BOX = (16.0, 8.0, 56.0, 40.0)  # of a `nut`, in pixels of the input of 96 × 64


def write_network(folder: Path) -> Path:
    """It finds the same nut in every picture, surer the brighter the picture is: 0.9 at white."""
    helper, number = onnx.helper, onnx.numpy_helper.from_array
    rows = np.zeros((4, 20, 6), np.float16)
    rows[:, 0] = [*BOX, 0, 1]
    place = np.zeros((1, 20, 6), np.float16)
    place[0, 0, 4] = 0.9
    constants = [number(rows, "rows"), number(place, "place"), number(np.array([1, 2, 3]), "axes")]
    nodes = [
        helper.make_node("ReduceMean", ["images", "axes"], ["bright4"], keepdims=0),
        helper.make_node("Unsqueeze", ["bright4", "where"], ["bright"]),
        helper.make_node("Mul", ["bright", "place"], ["scores"]),
        helper.make_node("Add", ["rows", "scores"], ["output0"]),
    ]
    constants.append(number(np.array([1, 2]), "where"))
    half = onnx.TensorProto.FLOAT16
    graph = helper.make_graph(
        nodes,
        "nuts",
        [helper.make_tensor_value_info("images", half, [4, 3, 64, 96])],
        [helper.make_tensor_value_info("output0", half, [4, 20, 6])],
        constants,
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    file = folder / "nuts.onnx"
    onnx.save(network, file, save_as_external_data=True, location="nuts.onnx.data", size_threshold=0)
    return file


@pytest.fixture(scope="module")
def nuts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of the added detector."""
    folder = tmp_path_factory.mktemp("added")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SZEM_HOME", str(folder / "home"))
        (folder / "labels.txt").write_text("bolt\nnut\n")
        yield add_model(write_network(folder), task="detect", labels=folder / "labels.txt").name


@pytest.fixture(scope="module")
def white(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "white.png"
    Image.new("RGB", (192, 128), "white").save(path)
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "white.mp4"
    with VideoWriter(path, rate_hz=5) as writer:
        for _ in range(10):
            writer.write(np.full((128, 192, 3), 255, np.uint8))
    return path


EXPECTED = tuple(2 * side for side in BOX)


def test_in_python(nuts: str, white: Path) -> None:
    found = detect(white, model=nuts)
    assert found.labels == ("nut",)
    np.testing.assert_allclose(found.boxes_xyxy, [EXPECTED], atol=0.1)
    np.testing.assert_allclose(found.scores, [0.9], atol=0.01)


def test_on_the_command_line(nuts: str, white: Path, video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["detect", str(white), "--model", nuts, "--write", "none", "--json", "-q"]) == 0
    (box,) = json.loads(capsys.readouterr().out)["boxes"]
    assert box["label"] == "nut"
    np.testing.assert_allclose(box["box_xyxy"], EXPECTED, atol=0.1)
    assert run(["detect", str(video), "--model", nuts, "--write", "none", "--json", "-q"]) == 0
    assert capsys.readouterr().out.count('"nut"') >= 9


def test_over_http_and_live(nuts: str, white: Path, run_server: Run) -> None:
    with run_server() as client:
        answer = client.post("/v1/szem/detect", params={"model": nuts}, content=white.read_bytes()).json()
        assert [box["label"] for box in answer["boxes"]] == ["nut"]
        base = f"{client.base_url}".replace("http://", "ws://").rstrip("/")
        jpeg = io.BytesIO()
        Image.open(white).save(jpeg, "JPEG")
        with connect(f"{base}{LIVE_PATH}?model={nuts}") as line:
            assert json.loads(line.recv(timeout=60))["type"] == "ready"
            line.send(jpeg.getvalue())
            live = json.loads(line.recv(timeout=60))
        assert "nut" in json.dumps(live)


def test_by_the_guard(nuts: str, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[watch]\nlabels = ["nut"]\n\n[[rules]]\nname = "a nut"\nevents = ["enters"]\nclasses = ["nut"]\n'
    )
    words = ["watch", str(video), "--model", nuts, "--store", str(tmp_path / "store"), "--rules", str(rules)]
    assert run(words) == 0, capsys.readouterr().err


def test_a_server_offers_what_is_added_replaced_and_removed_while_it_runs(
    white: Path, run_server: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    file = write_network(tmp_path)
    with run_server() as client:

        def ask() -> httpx.Response:
            return client.post("/v1/szem/detect", params={"model": "nuts"}, content=white.read_bytes())

        assert ask().status_code == 400
        for names in ("bolt\nnut\n", "left\nright\n"):  # the second time other labels under the same name
            (tmp_path / "labels.txt").write_text(names)
            add_model(file, task="detect", labels=tmp_path / "labels.txt")
            assert [box["label"] for box in ask().json()["boxes"]] == [names.split()[1]]
            remove_model("nuts")
            assert ask().status_code == 400
