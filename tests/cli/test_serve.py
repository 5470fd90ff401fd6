"""`szem serve` and `szem studio` as processes: the line they print, the port they take, how they end."""

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from szem.cli.run import run
from szem.serve.server import bind


@contextmanager
def process(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    env = os.environ | {"SZEM_HOME": str(home)}
    command = [sys.executable, "-m", "szem", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as server:
        try:
            assert server.stdout is not None
            match = re.search(r"http://\S+", server.stdout.readline())
            assert match
            yield server, match[0]
        finally:
            server.kill()
            server.wait(30)


@pytest.mark.slow
def test_studio_takes_another_port_when_its_own_is_taken(tmp_path: Path) -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with process(tmp_path, "studio", "--no-browser", "--port", str(port)) as (server, url):
            assert not url.endswith(f":{port}")
            assert "<title>szem</title>" in httpx.get(url, trust_env=False, timeout=30).text
            server.send_signal(signal.SIGINT)
            assert server.wait(30) in (0, 130, -signal.SIGINT)
    key = tmp_path / "key"
    assert list(tmp_path.iterdir()) == [key]  # nothing else is written before it must be
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert url.endswith(f"/#key={key.read_text().strip()}")


def test_serve_says_when_its_port_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        assert run(["serve", "--port", str(taken.getsockname()[1])]) == 1
    assert "choose another with --port" in capsys.readouterr().err


def test_serve_says_when_its_port_of_grpc_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        assert run(["serve", "--port", "0", "--grpc", str(taken.getsockname()[1])]) == 1
    assert "choose another with --grpc" in capsys.readouterr().err


def test_grpc_without_its_packages_names_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "szem.serve.vision.grpc_server", None)
    assert run(["serve", "--port", "0", "--grpc", "0"]) == 1
    assert "pip install 'szem[grpc]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status"),
    [(["--bucket", "x"], 2), (["--log-format", "xml"], 2), (["--port", "x"], 2), (["--port", "70000"], 2)],
)
def test_wrong_options_end_with_a_status(words: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", *words]) == status
    assert capsys.readouterr().err
