"""Every command on the pages is one that szem has, with options that it takes; those that can run here do."""

import io
import re
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import click
import pytest
from typer.main import get_command

from szem.cli.run import run
from szem.cli.verbs import VERBS, load_verb
from tests.openapi import describe

from .pages import PAGES, ROOT, Command, blocks_of, commands_of, prose_of

COMMANDS = [command for page in PAGES for command in commands_of(page)]
OF_SZEM = list(dict.fromkeys(command for command in COMMANDS if command.words[0] == "szem"))


def command_of(verb: str, rest: list[str]) -> tuple[Any, list[str]]:
    """The parser of a verb, or of the verb below it, and the words that are left for it."""
    assert verb in VERBS, f"there is no verb {verb}"
    command: Any = get_command(load_verb(verb).app)
    below = getattr(command, "commands", None)
    if below is not None and rest:
        assert rest[0] in below, f"there is no szem {verb} {rest[0]}"
        return below[rest[0]], rest[1:]
    return command, rest


@pytest.mark.parametrize("command", OF_SZEM, ids=str)
def test_a_command_is_understood(command: Command) -> None:
    parser, rest = command_of(command.words[1], list(command.words[2:]))
    try:
        with parser.make_context("szem", rest):
            pass
    except click.ClickException as error:
        pytest.fail(f"{command}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_name_verbs_and_options_that_are_there(page: Path) -> None:
    wrong = []
    for text in re.findall(r"`szem ([a-z][^`]*)`", prose_of(page)):
        verb, *rest = shlex.split(text)
        if verb not in VERBS:
            if verb != "brightness":  # the task that architecture.md adds
                wrong.append(text)
            continue
        parser, rest = command_of(verb, rest)
        known = {text for parameter in parser.params for text in (*parameter.opts, *parameter.secondary_opts)}
        wrong += [text for word in rest if word.startswith("-") and word.split("=")[0] not in known | {"--help"}]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_stands_in_a_block_that_is_not_checked(page: Path) -> None:
    assert [block for block in blocks_of(page, "") if re.search(r"^(szem|curl|python) ", block, re.MULTILINE)] == []


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if c.words[0] in ("python", "scripts/check", "scripts/fuzz")], ids=str
)
def test_a_program_of_the_project_is_there_and_has_its_options(command: Command) -> None:
    words = list(command.words)
    if words[1:2] == ["-c"]:
        compile(words[2], "command", "exec")
        return
    if words[1:2] == ["-m"]:
        file = ROOT / (words[2].replace(".", "/") + ".py")
        assert file.is_file() or find_spec(words[2]) is not None
    else:
        file = ROOT / (words[1] if words[0] == "python" else words[0])
        assert file.is_file(), command
    source = file.read_text(encoding="utf-8")
    for word in words:
        if word.startswith("--"):
            name = word.split("=")[0]
            assert name in source or f'"{name[2:]}"' in source, f"{command}: no {name} in {file.name}"


@pytest.mark.parametrize(
    "address",
    sorted({word for c in COMMANDS if c.words[0] == "curl" for word in c.words if word.startswith("http://")}),
)
def test_an_address_is_a_route_and_has_its_parameters(address: str) -> None:
    path, query = urlsplit(address).path, urlsplit(address).query
    routes = describe()["paths"]
    assert path in routes
    for name, _ in parse_qsl(query):
        assert any(name == one["name"] for way in routes[path].values() for one in way.get("parameters", [])), name


# Run ----------------------------------------------------------------------------------------------------------------

# Verbs that serve until they are stopped, or need a training run or a dataset; other tests run them.
_NOT_HERE = ("serve", "studio", "train", "export", "eval", "data")
# What needs a camera, a network, Ray, a model of the reader's own, or something recorded or generated before.
_NEEDS = re.compile(
    r"--on |rtsp://|(detect|watch) \d|door=|--rules|--show|--apply"
    r"|tools|(model|-m) (mine|birds|screws|noises)\b|events (show|mark|export)"
)
RUNNING = [c for c in OF_SZEM if c.words[1] not in _NOT_HERE and not _NEEDS.search(shlex.join(c.words))]
# One command once, whichever page it stands on.
ONCE = {(*c.words, c.stdin): c for c in RUNNING}


@pytest.fixture(scope="module")
def home(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of szem's data in which `szem watch` has recorded something."""
    folder = tmp_path_factory.mktemp("home")
    assert run(["watch", str(samples / "video.mp4"), "--store", str(folder / "guard"), "--quiet"]) == 0
    return folder


class _Input:
    """Standard input that holds a file."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BufferedReader(io.BytesIO(data))

    def isatty(self) -> bool:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("command", ONCE.values(), ids=str)
def test_a_command_runs(
    command: Command,
    samples: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    work = tmp_path / "work"
    shutil.copytree(samples, work, copy_function=shutil.copy)
    monkeypatch.chdir(work)
    monkeypatch.setenv("SZEM_HOME", str(home))
    words = [str(home / "guard") if word.startswith(("/srv/", "/tmp/")) else word for word in command.words[1:]]
    words = [name for word in words for name in (sorted(map(str, Path().glob(word))) if word == "*.wav" else [word])]
    if command.stdin or "-" in words:
        monkeypatch.setattr(sys, "stdin", _Input((work / (command.stdin or "video.mp4")).read_bytes()))
    status = run(words)
    said = capsys.readouterr()
    if command.words[1] == "lipread":  # nobody speaks in this video; that is said, and is no fault of the command
        assert status in (0, 1), said.err
        assert "no reading" in said.out + said.err
    else:
        assert status == 0, said.err
