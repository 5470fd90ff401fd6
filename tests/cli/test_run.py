"""The program around the verbs: help, version, mistakes."""

import importlib.util
import re

import pytest

from szem.cli.run import run
from szem.cli.verbs import GROUPS, VERBS

Capture = pytest.CaptureFixture[str]


def test_szem_alone_shows_where_to_begin(capsys: Capture) -> None:
    assert run([]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "szem look" in out
    for name, verb in VERBS.items():
        assert name in out
        assert verb.summary in out
    for title in GROUPS.values():
        assert title in out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_loads_and_has_help(verb: str, capsys: Capture) -> None:
    if importlib.util.find_spec(f"szem.cli.{verb}") is None:
        pytest.fail(f"szem --help lists {verb!r}, but there is no szem.cli.{verb}")
    assert run([verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"szem {verb}" in re.sub(r"\s+", " ", out)
    assert "--help" in out


def test_version_says_which_szem_this_is(capsys: Capture) -> None:
    assert run(["--version"]) == 0
    assert re.fullmatch(r"szem \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_a_mistyped_verb_gets_advice(capsys: Capture) -> None:
    assert run(["lok"]) == 2
    assert "did you mean look?" in capsys.readouterr().err
    assert run(["xyzzy"]) == 2
    assert "no verb 'xyzzy'" in capsys.readouterr().err


def test_a_mistyped_option_is_wrong_usage(capsys: Capture) -> None:
    assert run(["look", "--jsn"]) == 2
    assert "--jsn" in capsys.readouterr().err
