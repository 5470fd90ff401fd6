"""Rules that change while the guard runs."""

import os
from pathlib import Path

import pytest

from szem.guard.event_store import EventStore
from szem.guard.rules_reload import RulesReload
from szem.tasks.surveillance.rules_toml import parse_rules, read_rules
from szem.tasks.video.zones import read_areas

RULES = '[[rules]]\nname = "NAME"\nevents = ["enters"]\n'


def test_new_rules_are_reported_once_and_wrong_ones_never(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "guard.toml"
    change = RulesReload([file], lambda: read_rules(file))
    assert change.look() is None  # there is none yet
    file.write_text(RULES)
    found = change.look()
    assert found is not None
    assert found.rules[0].name == "NAME"
    assert change.look() is None
    file.write_text(RULES.replace("enters", "enterz"))
    os.utime(file, ns=(2, 2))  # of the same length: only its date tells, which may be the same for some milliseconds
    assert change.look() is None
    assert "the old ones go on" in caplog.text
    assert change.look() is None
    part = tmp_path / "new"
    part.write_text(RULES.replace("NAME", "AME2"))  # of the same length, put in its place
    os.utime(part, ns=(1, 1))
    part.replace(file)
    found = change.look()
    assert found is not None
    assert found.rules[0].name == "AME2"
    file.unlink()
    assert change.look() is None


def test_zones_that_change_beside_the_rules_are_noticed(tmp_path: Path) -> None:
    file, drawn = tmp_path / "guard.toml", tmp_path / "zones.json"
    drawn.write_text('{"zones": []}')
    change = RulesReload([file, drawn], lambda: parse_rules("", areas=read_areas(drawn)))
    drawn.write_text('{"zones": [{"name": "door", "points": [[0, 0], [1, 0], [1, 1]]}]}')
    found = change.look()
    assert found is not None
    assert found.areas_for().names == ("door",)
    drawn.unlink()
    assert change.look() is None


def test_a_guard_that_begins_anew_keeps_its_store(store: EventStore) -> None:
    store.hold()
    store.hold()
