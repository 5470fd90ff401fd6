"""One grammar of options: the same spelling, letter and meaning in every verb."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
from typer.main import get_command
from typer.models import OptionInfo

from szem.cli.options import GRAMMAR, LETTERS, RENAMED
from szem.cli.run import run
from szem.cli.verbs import VERBS, load_verb

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"

# What takes inputs one after the other and prints an answer for each has all of these.
LOOKS = ("look", "classify", "caption", "detect", "segment", "listen", "lipread", "search", "generate", "explain")
TABLES = ("look", "classify", "detect", "segment", "listen")
WRITES = ("look", "filter", "classify", "detect", "segment", "listen", "lipread", "generate", "explain", "train")


def commands() -> dict[str, Any]:
    """Every verb, and the verbs below a group."""
    found: dict[str, Any] = {}
    for verb in VERBS:
        command: Any = get_command(load_verb(verb).app)
        below = getattr(command, "commands", {})
        found |= {f"{verb} {name}": one for name, one in below.items()} if below else {verb: command}
    return found


COMMANDS = commands()
OPTIONS = [
    (verb, parameter)
    for verb, command in COMMANDS.items()
    for parameter in command.params
    if parameter.param_type_name == "option"
]


@pytest.mark.parametrize(("verb", "option"), OPTIONS, ids=lambda x: x if isinstance(x, str) else x.name)
def test_an_option_is_spelt_as_in_the_grammar(verb: str, option: Any) -> None:
    spelt = (*option.opts, *option.secondary_opts)
    longs = [text for text in spelt if text.startswith("--")]
    letters = [text for text in spelt if not text.startswith("--")]
    assert longs, f"{verb} {option.name}: a letter alone"
    assert not set(longs) & set(RENAMED), f"{verb}: {longs} is of an earlier version"
    wanted = [letter for letter, long in LETTERS.items() if long in longs]
    assert letters == wanted, f"{verb} {longs}: {letters or 'no letter'}, where the grammar has {wanted}"


def test_every_letter_has_one_meaning_and_is_in_use() -> None:
    used: dict[str, set[str]] = {}
    for _, option in OPTIONS:
        for text in option.opts:
            if not text.startswith("--"):
                used.setdefault(text, set()).add(next(long for long in option.opts if long.startswith("--")))
    assert {letter: longs for letter, longs in used.items() if len(longs) > 1} == {}
    assert set(used) == set(LETTERS) - {"-h"}


def declared() -> Iterator[tuple[str, str, Any, OptionInfo]]:
    """Verb, name, type and declaration of each option of the grammar."""
    for verb in VERBS:
        for command in load_verb(verb).app.registered_commands:
            for parameter in inspect.signature(command.callback, eval_str=True).parameters.values():
                kind, *extra = get_args(parameter.annotation) if is_annotated(parameter) else (parameter.annotation,)
                for found in (*extra, parameter.default):
                    if isinstance(found, OptionInfo):
                        longs = [text for text in found.param_decls or () if text.startswith("--")]
                        yield verb, longs[0] if longs else f"--{parameter.name}".replace("_", "-"), kind, found


def is_annotated(parameter: inspect.Parameter) -> bool:
    return get_origin(parameter.annotation) is Annotated


@pytest.mark.parametrize(("verb", "name", "kind", "option"), [row for row in declared() if row[1] in GRAMMAR])
def test_an_option_of_the_grammar_takes_the_same_everywhere(
    verb: str, name: str, kind: Any, option: OptionInfo
) -> None:
    kinds = {**dict.fromkeys(("--json", "--csv", "--quiet"), (bool,)), "--threshold": (float, float | None)}
    kinds |= dict.fromkeys(("--workers", "--top", "--every"), (int,)) | {"--seconds": (float | None,)}
    kinds |= dict.fromkeys(("--model", "--write", "--classes"), (str,)) | {"--out": (str, Path, Path | None)}
    kinds |= {"--on": (str,), "--shards": (str,), "--dry-run": (bool,)}
    assert kind in kinds[name], f"{verb} {name}"
    least = {"--threshold": 0, "--workers": 0, "--seconds": 0, "--top": 1, "--every": 1}.get(name)
    assert option.min == least, f"{verb} {name}"
    if name == "--threshold":
        assert option.max == 1


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_has_the_options_of_its_kind(verb: str) -> None:
    has = {text for parameter in COMMANDS[verb].params for text in parameter.opts}
    wanted = {"--quiet", "-q", "--json"} if verb in LOOKS else set()
    wanted |= {"--csv"} if verb in TABLES else set()
    wanted |= {"--out", "-o"} if verb in WRITES else set()
    wanted |= {"--seconds", "--every", "--write"} if verb in ("detect", "segment") else set()
    wanted |= {"--quiet"} if verb in ("filter", "train", "export", "eval", "watch", "serve") else set()
    assert wanted <= has


def test_the_page_shows_the_grammar_as_it_is() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for name, option in GRAMMAR.items():
        letter = f", `{option.letter}`" if option.letter else ""
        assert f"| `{name}`{letter} |" in page, name
    for letter, name in LETTERS.items():
        assert f"`{letter}`" in page, f"{letter} {name}"
    for verb in VERBS:
        assert f"`{verb}`" in page, verb


def test_an_old_spelling_is_answered_with_the_new_one(capsys: pytest.CaptureFixture[str]) -> None:
    for old, new in RENAMED.items():
        for typed in ([old, "1"], [f"{old}=1"]):
            assert run(["segment", "x.png", *typed]) == 2
            assert f"{old} is called {new}" in " ".join(capsys.readouterr().err.split())
    assert run(["look", "--tasks", "colors", "--", "--threads"]) == 1  # a file's name
