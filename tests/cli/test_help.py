"""The help of every verb, as it is shown: nothing written is swallowed, and no number stands for none."""

import re
from typing import Any

import pytest
from typer.main import get_command

from szem.cli.run import run
from szem.cli.verbs import VERBS, load_verb


def commands() -> list[tuple[str, ...]]:
    """Every verb, and the verbs below a group."""
    found: list[tuple[str, ...]] = []
    for verb in VERBS:
        below = getattr(command_of((verb,)), "commands", {})
        found += [(verb, name) for name in below] or [(verb,)]
    return found


def command_of(words: tuple[str, ...]) -> Any:
    command = get_command(load_verb(words[0]).app)
    return command.commands[words[1]] if len(words) > 1 else command  # type: ignore[attr-defined]


def plain(text: str) -> str:
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_help_shows_all_that_is_written(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "600")
    assert run([*words, "--help"]) == 0
    shown = plain(capsys.readouterr().out)
    assert plain((command_of(words).help or "").replace("\\[", "[")) in shown
    for parameter in command_of(words).params:
        written = plain((parameter.help or "").replace("\\[", "["))
        assert written in shown, f"{parameter.name}: shown otherwise than written"
    assert not re.search(r"\[default: \(?(-1(\.0)?|None|nan|inf)\W|\[-1<=", shown)


@pytest.mark.parametrize("verb", ["detect", "lipread"])
def test_paragraphs_are_broken_by_the_terminal_not_by_the_source(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "600")
    assert run([verb, "--help"]) == 0
    paragraphs = [text for text in (command_of((verb,)).help or "").split("\n\n") if text.strip()]
    shown = [line.strip() for line in capsys.readouterr().out.splitlines()]
    for text in paragraphs:
        assert " ".join(text.split()) in shown
