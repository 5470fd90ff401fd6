"""Shared by all tests: where the data is, and what to say when it is not there; a PostgreSQL server."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import numpy as np
import pytest

from szem.runtime.cards import Card, Made, PictureInput, hash_file, write_card

from . import rtsp

# Tests that import ONNX Runtime by themselves send nothing either; szem sets this in szem.runtime.onnx.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# One engine for all tests, also where the other is installed; its own tests choose.
os.environ["SZEM_ENGINE"] = "onnxruntime"

ROOT = Path(__file__).resolve().parent.parent

# No limit of time for an example: a busy machine is no fault.
hypothesis.settings.register_profile("szem", deadline=None)
hypothesis.settings.load_profile("szem")


@pytest.fixture(autouse=True)
def _ordinary_scheduling() -> Iterator[None]:
    """Fail the test that leaves this process in a real-time class, and leave that class.

    SVT-AV1's encoder puts its caller into SCHED_FIFO at priority 99 where it may (as root); Chromium and servers
    started afterwards inherit that and starve the whole machine.
    """
    yield
    if hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        pytest.fail("the test left this process in a real-time scheduling class")


@pytest.fixture(autouse=True)
def _own_event_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a test that drives no browser run an event loop of its own.

    Playwright's loop counts as this thread's running loop for as long as the session's browser lives, and
    `asyncio.run` refuses to start beside it.
    """
    if "chromium" in request.fixturenames:
        yield
        return
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)


@pytest.fixture(scope="session")
def rounds() -> int:
    """How often a process is killed at a random moment; SZEM_ROUNDS for a long run."""
    return int(os.environ.get("SZEM_ROUNDS", "4"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest files come first: a process that starts one last keeps the others waiting.

    A training counts three times. Of one function that is run with many values, twenty count: those are short.
    """
    cases = Counter(
        (item.path, item.originalname, item.path.is_relative_to(ROOT / "tests" / "train"))
        for item in items
        if isinstance(item, pytest.Function)
        and (
            item.path.is_relative_to(ROOT / "tests" / "train")
            or any(item.get_closest_marker(name) for name in ("slow", "browser", "train"))
        )
    )
    weight: Counter[Path] = Counter()
    for (path, _, is_training), number in cases.items():
        weight[path] += min(number, 20) * (3 if is_training else 1)
    items.sort(key=lambda item: -weight[item.path])  # stable: files and their tests stay together and in order


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data: $SZEM_DATA, else ../shared/data beside the checkout; skips where there is none."""
    folder = Path(os.environ.get("SZEM_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the project's data, not found at {folder}; set SZEM_DATA to its folder")
    return folder


@pytest.fixture
def rtsp_camera(tmp_path: Path) -> Iterator[Callable[..., rtsp.RtspCamera]]:
    """Make an RTSP camera, not started yet; skips where there is no server for one."""
    python, why = rtsp.server_python()
    if not python:
        pytest.skip(
            f"needs GStreamer's RTSP server ({why}); "
            "apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good"
        )
    cameras: list[rtsp.RtspCamera] = []

    def make(**options: Any) -> rtsp.RtspCamera:
        cameras.append(rtsp.RtspCamera(tmp_path, **options))
        return cameras[-1]

    yield make
    for camera in cameras:
        camera.kill()


@pytest.fixture(scope="session")
def color_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny detector that really looks: it finds red, green and blue squares of about 40 pixels of its
    input (128×96, letterboxed), the more surely the better they lie on its grid of 8 pixels."""
    onnx = pytest.importorskip("onnx")
    helper, number = onnx.helper, onnx.numpy_helper.from_array
    folder = tmp_path_factory.mktemp("models") / "squares"
    folder.mkdir()
    rows = {8: 12 * 16, 16: 6 * 8, 32: 3 * 4}
    nodes = [
        helper.make_node(
            "AveragePool", ["x"], ["near"], kernel_shape=[40, 40], strides=[8, 8], pads=[16, 16, 16, 16],
            count_include_pad=1,
        ),
        helper.make_node("Conv", ["near", "weight", "bias"], ["raw"]),
        helper.make_node("Sigmoid", ["raw"], ["chance"]),
        helper.make_node("Reshape", ["chance", "flat"], ["line"]),
        helper.make_node("Transpose", ["line"], ["fine"], perm=[0, 2, 1]),
        helper.make_node("Mul", ["fine", "nothing"], ["dark"]),
        helper.make_node("Slice", ["dark", "from", "to", "axis"], ["coarse"]),
        helper.make_node("Concat", ["fine", "coarse"], ["scores"], axis=1),
        helper.make_node("ReduceMax", ["scores"], ["best"], axes=[2], keepdims=1),
        helper.make_node("Mul", ["best", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "reach"], ["distances"]),
    ]  # fmt: skip
    weight = 20 / 255 * (1.5 * np.eye(3, dtype=np.float32) - 0.5)[..., None, None]
    constants = [
        number(weight.astype(np.float32), "weight"),
        number(np.full(3, -14, np.float32), "bias"),
        number(np.array([0, 3, -1]), "flat"),
        number(np.float32(0), "nothing"),
        number(np.array([0]), "from"),
        number(np.array([rows[16] + rows[32]]), "to"),
        number(np.array([1]), "axis"),
        number(np.full((1, 1, 4), 20, np.float32), "reach"),
    ]
    graph = helper.make_graph(
        nodes,
        "squares",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3, 96, 128])],
        [
            helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["N", sum(rows.values()), 3]),
            helper.make_tensor_value_info("distances", onnx.TensorProto.FLOAT, ["N", sum(rows.values()), 4]),
        ],
        constants,
    )
    file = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    write_card(
        folder,
        Card(
            name="squares",
            task="detect",
            version="1",
            summary="Finds red, green and blue squares.",
            sha256=hash_file(file),
            size_bytes=file.stat().st_size,
            parameters=12,
            input=PictureInput(width_px=128, height_px=96, resize="letterbox", interpolation="bilinear"),
            head="points",
            outputs={"scores": "scores", "distances": "distances"},
            labels=("red", "green", "blue"),
            thresholds={"red": 0.6, "green": 0.6, "blue": 0.6},
            made=Made(recipe="by hand", command="none"),
            training_data=(),
            licence="Apache-2.0",
        ),
    )
    return folder


# Networks of torch ------------------------------------------------------------------------------------------------


def _networks() -> ModuleType:
    """The module that makes them; skips where there is no torch."""
    pytest.importorskip("torch", reason="these networks are exported from torch: pip install szem[train]")
    from . import networks

    return networks


@pytest.fixture(scope="session")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name of a network in networks.py -> its ONNX file, exported once."""
    networks = _networks()
    folder = tmp_path_factory.mktemp("networks")

    def make(name: str) -> Path:
        path = folder / f"{name}.onnx"
        if not path.exists():
            networks.export(networks.build_network(name), path, keep_normalisation=name == "plain")
        return path

    return make


@pytest.fixture(scope="session")
def torch_network() -> Callable[[str], Any]:
    """Name of a network in networks.py -> the torch network that its file came from."""
    return _networks().build_network


@pytest.fixture(scope="session")
def save_network() -> Callable[..., Path]:
    """Export a torch network: (net, path) -> path."""
    return _networks().export


# PostgreSQL --------------------------------------------------------------------------------------------------------


def find_postgresql() -> Path | None:
    """The folder of PostgreSQL's programs; None where it is not installed."""
    found = shutil.which("postgres")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)  # Debian keeps them off the path
    return next((place for place in places if (place / "initdb").is_file() and (place / "postgres").is_file()), None)


class Cluster:
    """A server that runs; `new_database` makes an empty database and gives its SQLAlchemy URL."""

    def __init__(self, programs: Path, folder: Path, user: str) -> None:
        self._programs, self._folder, self._user = programs, folder, user
        self._names = count()

    def new_database(self) -> str:
        """An empty database."""
        name = f"szem{next(self._names)}"
        subprocess.run(
            [self._programs / "createdb", "-h", self._folder, "-U", self._user, name], check=True, capture_output=True
        )
        return f"postgresql+psycopg://{self._user}@/{name}?host={self._folder}"


@contextmanager
def running_cluster(programs: Path) -> Iterator[Cluster]:
    """Run a server for the time of the block. PostgreSQL refuses to run as root: then `nobody` runs it."""
    import pwd  # not everywhere

    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="szem-pg-") as home:  # short: a socket's path has 107 bytes
        folder = Path(home)
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        options = ["-D", folder / "data", "-U", user, "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale"]
        subprocess.run([programs / "initdb", *options], check=True, capture_output=True, cwd=folder, **as_user)
        command = [programs / "postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses=", "-F"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **as_user)
        try:
            ready = [programs / "pg_isready", "-h", folder, "-U", user, "-q"]
            until = time.monotonic() + 120
            while subprocess.run(ready, check=False).returncode != 0:
                assert server.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, "PostgreSQL does not answer"
                server_wait(server)
            yield Cluster(programs, folder, user)
        finally:
            server.send_signal(signal.SIGQUIT)  # at once, whoever is still connected: nothing of it is kept
            server.wait(60)


def server_wait(server: "subprocess.Popen[bytes]") -> None:
    """A moment, or until the server ends."""
    try:
        server.wait(0.1)
    except subprocess.TimeoutExpired:
        return


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL server; skips where it is not installed."""
    pytest.importorskip("psycopg", reason="needs the postgres extra (psycopg)")
    programs = find_postgresql()
    if programs is None:
        pytest.skip("needs PostgreSQL's programs (Debian: apt install postgresql)")
    with running_cluster(programs) as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind that is tested."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'deep' / 'o.sqlite3'}"
    cluster = request.getfixturevalue("postgresql")
    assert isinstance(cluster, Cluster)
    return cluster.new_database()
