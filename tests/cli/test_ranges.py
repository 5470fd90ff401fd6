"""Every numeric option of every verb has a range, and what lies outside is refused.

The tests are made from the tree of commands.
"""

import re
from typing import Any, get_args

import pytest
from typer.main import get_command

from szem.cli.run import run
from tests.verbs import commands

pytestmark = pytest.mark.slow  # each option of each verb

# No option takes them. The last ones are no numbers of 64 bits, or none at all.
HUGE = (str(2**63), str(-(2**63)), "1e400", "-1e400", "9" * 5000)
NOT_FINITE = ("nan", "inf", "-inf", "one")


def numbers_of(annotation: Any) -> tuple[type, ...]:
    """The number types that an annotation names, as `float | None` or `tuple[float, float]` do."""
    if annotation in (int, float):
        return (annotation,)
    return tuple(kind for part in get_args(annotation) for kind in numbers_of(part))


def annotation_of(parameter: Any) -> Any:
    return parameter.type_descriptor.annotation


OPTIONS = [
    (words, parameter)
    for words, command in commands()
    for parameter in command.params
    if parameter.param_type_name == "option" and numbers_of(annotation_of(parameter))
]
IDS = [f"{' '.join(words)} {parameter.opts[0]}" for words, parameter in OPTIONS]


def outside(parameter: Any) -> list[str]:
    """Texts that the option must refuse."""
    bounds = [] if parameter.nargs > 1 else [f"{parameter.min - 1:.17g}", f"{parameter.max + 1:.17g}"]
    if parameter.nargs == 1 and parameter.max < 2**31:
        bounds.append(str(2**31))
    return [*bounds, *HUGE, *NOT_FINITE]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of verbs whose body ran; none of them does anything."""
    names: list[str] = []

    def command_of(app: Any) -> Any:
        found: Any = get_command(app)
        for one in getattr(found, "commands", {"": found}).values():
            one.callback = lambda one=one, **_: names.append(one.name)
        return found

    real = get_command
    monkeypatch.setattr("szem.cli.run.get_command", lambda app: real(app) if app.info.cls else command_of(app))
    return names


def test_all_numeric_options_are_found() -> None:
    assert len(OPTIONS) >= 40
    assert {"classify --top", "serve --port", "models add --band-hz", "detect --threshold"} <= set(IDS)


@pytest.mark.parametrize(("words", "option"), OPTIONS, ids=IDS)
def test_a_numeric_option_has_both_bounds(words: tuple[str, ...], option: Any) -> None:
    if option.nargs == 1:
        assert option.min is not None, f"{words}: say its range with min and max"
        assert option.max is not None, f"{words}: say its range with min and max"
        assert -(2**31) <= option.min < option.max < 2**31
    else:
        assert option.callback is not None, f"{words}: say its range with each_within"


@pytest.mark.parametrize(("words", "option"), OPTIONS, ids=IDS)
def test_what_lies_outside_is_refused_before_anything_is_done(
    words: tuple[str, ...],
    option: Any,
    called: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    arguments = ["x"] * needed(words)
    for text in outside(option):
        values = [f"{option.opts[0]}={text}"] if option.nargs == 1 else [option.opts[0], *[text] * option.nargs]
        status = run([*words, *values, *arguments])
        err = capsys.readouterr().err
        assert status == 2, f"{text[:30]!r} is taken, or has status {status}"
        assert "Traceback" not in err
        assert option.opts[0] in err
        reason = [line for line in re.sub(r"[│╭╮╰╯─]", " ", err).splitlines() if "Invalid value" in line]
        assert len(reason) == 1, err
    assert called == []


def needed(words: tuple[str, ...]) -> int:
    """How many arguments the verb cannot do without."""
    command = dict(commands())[words]
    return sum(p.required for p in command.params if p.param_type_name == "argument")


def test_values_inside_are_taken(called: list[str]) -> None:
    assert run(["serve", "--port=0", "--max-in-flight=1"]) == 0
    assert run(["classify", "--top=1", "x.png"]) == 0
    assert called == ["serve", "classify"]
