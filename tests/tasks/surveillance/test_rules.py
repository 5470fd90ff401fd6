"""Rules: read from TOML, faults reported with line and key, judged by place, time and score."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from szem.errors import FileMissingError, RangeError, RulesError
from szem.guard.listener_pool import known_sounds
from szem.guard.sources import known_labels
from szem.results.events import Event
from szem.tasks.surveillance.rules import Rule, RuleEngine, Rules
from szem.tasks.surveillance.rules_toml import parse_rules, read_rules
from szem.tasks.video.zones import Line, Zone, Zones, areas_from_json, areas_to_json, read_areas

GOOD = """# a file of every part
[zones]
door = [[0.1, 0.2], [0.4, 0.2], [0.4, 0.9]]
trees = { points = [[0, 0], [1, 0], [1, 0.2]], ignore = true }

[lines]
gate = [[0, 0.5], [1, 0.5]]

[watch]
left_after_s = 6

[cameras.yard]
source = "rtsp://yard/1"
[cameras.yard.zones]
door = [[0, 0], [1, 0], [1, 1]]
[cameras.yard.watch]
left_after_s = 9

[[rules]]
name = "door at night"
events = ["left_behind", "enters"]
zones = "door"
hours = ["22:00-06:00"]
do = ["save", "webhook:office", "mqtt:house"]
cooldown_s = 30

[[rules]]
name = "gate"
events = "crosses"
lines = ["gate"]
direction = "left"
classes = ["person"]

[webhooks.office]
url = "http://office.lan/alarm"

[mqtt.house]
host = "broker.lan"
"""
DOCS = Path(__file__).resolve().parents[3] / "docs"
NOON = datetime(2026, 11, 25, 12, 0)  # a Wednesday


def _event(kind: str = "enters", place: str = "door", **more: object) -> Event:
    return Event(**{"kind": kind, "place": place, "start_s": 1, "end_s": 2, "score": 0.8, **more})  # type: ignore[arg-type]


def test_every_part_of_a_file_is_read() -> None:
    rules = parse_rules(GOOD)
    assert [rule.events for rule in rules.rules] == [("left behind", "enters"), ("crosses",)]
    assert rules.rules[0].zones == ("door",)
    assert rules.zones[1].ignore
    assert (rules.settings_for().left_after_s, rules.settings_for("yard").left_after_s) == (6, 9)
    assert rules.areas_for().zones[0].points[0] == (0.1, 0.2)
    yard = {zone.name: zone for zone in rules.areas_for("yard").zones}
    assert set(yard) == {"door", "trees"}
    assert yard["door"].points[0] == (0, 0)
    assert rules.webhooks["office"].url == "http://office.lan/alarm"
    assert rules.mqtt["house"].port == 1883


def test_the_example_of_the_documents_is_read() -> None:
    assert len(read_rules(DOCS / "guard.toml", sounds=known_sounds(), labels=known_labels()).rules) >= 3


def _blocks() -> list[str]:
    """The TOML of all documents: name and line of each block."""
    found = []
    for file in sorted(DOCS.glob("*.md")):
        lines = file.read_text().splitlines()
        found += [f"{file.name}:{k + 1}" for k, line in enumerate(lines) if line == "```toml"]
    return found


@pytest.mark.parametrize("place", _blocks())
def test_rules_in_documents_are_read(place: str) -> None:
    """As `szem watch` reads them: with the sounds that can be heard and the things that can be seen."""
    name, _, line = place.partition(":")
    text = "\n".join((DOCS / name).read_text().splitlines()[int(line) :]).partition("\n```")[0]
    assert parse_rules(text, sounds=known_sounds(), labels=known_labels()).rules


def test_documents_have_rules() -> None:
    assert {place.partition(":")[0] for place in _blocks()} >= {"guard.md", "watch.md"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["person"]', '["persn"]', r"line 32, rules\[2\].classes: no class called 'persn'; did you mean 'person'\?"),
        ('["person"]', '["unicorn"]', "no class called 'unicorn'; there are cat, dog, kettle, object, person"),
        ('["person"]', '["kettle"]', "'kettle' is not followed; name it among the labels in"),
        ('["person"]', '["object"]', "'object' is only reported with left behind"),
        ("left_after_s = 6", 'labels = ["persn"]', "line 10, watch.labels: no class called 'persn'"),
        ("left_after_s = 9", 'labels = ["cta"]', "line 17, cameras.yard.watch.labels: .*did you mean 'cat'"),
    ],
)
def test_classes_that_can_never_be_reported_are_faults(old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(RulesError, match=words):
        parse_rules(GOOD.replace(old, new), labels=("person", "cat", "dog", "kettle"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('["person"]', '["kettle"]\n[cameras.hall.watch]\nlabels = ["kettle"]'),  # followed by one camera
        ('events = "crosses"\nlines = ["gate"]\ndirection = "left"\nclasses = ["person"]',
         'events = "left behind"\nclasses = ["kettle", "object"]'),  # what lies need not be followed
    ],
)  # fmt: skip
def test_a_detector_may_know_no_classes(old: str, new: str) -> None:
    assert old in GOOD
    assert parse_rules(GOOD.replace(old, new), labels=("person", "cat", "kettle")).rules


def test_areas_from_elsewhere_count_as_if_they_stood_in_the_file() -> None:
    shore = Zones(zones=(Zone(name="shore", points=((0, 0), (1, 0), (1, 1))),))
    rules = parse_rules(GOOD.replace('zones = "door"', 'zones = "shore"'), areas=shore)
    assert set(rules.areas_for("yard").names) == {"door", "trees", "gate", "shore"}


@pytest.mark.parametrize(("name", "line"), [("door", "line 3, zones.door"), ("gate", "line 7, lines.gate")])
def test_areas_from_elsewhere_have_names_of_their_own(name: str, line: str) -> None:
    shore = Zones(zones=(Zone(name=name, points=((0, 0), (1, 0), (1, 1))),))
    with pytest.raises(RulesError, match=f"{line}: the areas have a zone or line called '{name}' too"):
        parse_rules(GOOD, areas=shore)


def test_no_rules_save_everything() -> None:
    assert RuleEngine(parse_rules(""))(_event("gunshot", ""), at=NOON)[0].do == ("save",)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["22:00-06:00"]', '["22-06"]', r'line 23, rules\[1\].hours: hours are "HH:MM-HH:MM", got "22-06"'),
        ('["22:00-06:00"]', '["06:00-06:00"]', "no time at all"),
        ('zones = "door"', 'zones = "dor"', r"line 22, .*no zone called 'dor'; did you mean 'door'"),
        ("left_behind", "left_behint", "line 21, .*did you mean 'left behind'"),
        ('name = "gate"', 'nme = "gate"', r"line 27, rules\[2\].name: is missing"),
        ("left_after_s = 9", "left_after_s = -1", r"line 17, cameras.yard.watch.left_after_s: .*got -1"),
        ("left_after_s = 6", "left_aftr_s = 6", "line 10, .*no such key; did you mean 'left_after_s'"),
        ("gate = [[0, 0.5], [1, 0.5]]", "gate = [[0, 0.5], [0, 0.5]]", "line 7, lines.gate: a line is two different"),
        ("[1, 0.2]]", "[1, 120]]", "line 4, zones.trees.points: .*divide pixels"),
        ("webhook:office", "webhook:ofice", "line 24, .*no webhook called 'ofice'; did you mean 'office'"),
        ("webhook:office", "webhook", "line 24, .*say which webhook: webhook:office"),
        ("webhook:office", "siren", 'what is done is "save"'),
        ('"http://office.lan/alarm"', '"office"', "line 35, webhooks.office.url: an address begins with"),
        ('host = "broker.lan"', "", "line 37, mqtt.house.host: is missing"),
        ('name = "gate"', 'name = "door at night"', r"line 28, rules\[2\].name: two rules"),
        ("[webhooks.office]", "[webhooks.office", "not TOML: .*line 34"),
        ('"left"', '"up"', r"line 31, rules\[2\].direction: should be"),
        ("[zones]", "[zoness]", "line 2, zoness: there is no such key; did you mean 'zones'"),
    ],
)
def test_a_fault_is_reported_with_its_line_and_key(old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(RulesError, match=words):
        parse_rules(GOOD.replace(old, new))


def test_unknown_sounds_are_faults_where_the_sounds_are_known() -> None:
    text = '[[rules]]\nname = "a"\nevents = ["gunshot"]'
    assert parse_rules(text).rules[0].events == ("gunshot",)
    with pytest.raises(RulesError, match="no event called 'gunshot'"):
        parse_rules(text, sounds=["siren"])


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"[" * 100_000, b"a = 1\n" * 400_000], ids=["bytes", "deep", "huge"]
)
def test_hostile_files_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "guard.toml"
    file.write_bytes(content)
    with pytest.raises(RulesError, match=r"guard\.toml"):
        read_rules(file)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="no such file"):
        read_rules(tmp_path / "no.toml")


@pytest.mark.parametrize(
    ("hours", "days", "at", "is_time"),
    [
        ((), (), NOON, True),
        (("11:00-12:00",), (), NOON, False),  # the end lies outside
        (("12:00-13:00",), ("wed",), NOON, True),
        (("12:00-13:00",), ("weekend",), NOON, False),
        (("22:00-06:00",), ("tue",), NOON.replace(hour=5), True),  # began on Tuesday
        (("22:00-06:00",), ("wed",), NOON.replace(hour=5), False),
        (("22:00-06:00",), ("wed",), NOON.replace(hour=23), True),
        (("22:00-24:00",), (), NOON.replace(hour=23, minute=59), True),
        (("01:00-02:00", "12:00-12:01"), (), NOON, True),
    ],
)
def test_hours_and_days(hours: tuple[str, ...], days: tuple[str, ...], at: datetime, is_time: bool) -> None:
    assert Rule(name="a", events=("*",), hours=hours, days=days).is_time(at) is is_time


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"events": ("leaves",)}, False),
        ({"score": 0.9}, False),
        ({"zones": ("yard",)}, False),
        ({"zones": ("yard", "door")}, True),
        ({"classes": ("car",)}, False),
        ({"cameras": ("hall",)}, False),
        ({"cameras": ("yard",)}, True),
        ({"channels": ("video",)}, True),
        ({"channels": ("sound", "video")}, False),
        ({"direction": "left"}, True),  # the event has none
    ],
)
def test_a_rule_fits_what_it_names(change: dict[str, object], fits: bool) -> None:
    rule = Rule(**{"name": "a", "events": ("enters",), **change})  # type: ignore[arg-type]
    event = _event(label="person", channels={"video": 0.8})
    assert rule.fits(event, camera="yard", at=NOON) is fits


def test_a_rule_keeps_quiet_for_its_time_and_not_for_ever() -> None:
    recorder = RuleEngine(Rules(rules=(Rule(name="a", events=("*",), cooldown_s=60),)))
    reported = [
        bool(recorder(_event(place=place), camera="c", at=NOON + timedelta(seconds=s)))
        for place, s in (
            ("door", 0),
            ("door", 59),
            ("gate", 59),
            ("door", 61),
            ("door", -3600),
        )  # the clock is set back
    ]
    assert reported == [True, False, True, True, True]


def test_areas_survive_json() -> None:
    areas = Zones(
        zones=(Zone(name="door", points=((0, 0), (1, 0), (1, 1)), ignore=True),),
        lines=(Line(name="gate", points=((0, 0.5), (1, 0.5))),),
    )
    assert areas_from_json(areas_to_json(areas)) == areas


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "valid"),
        ('{"zones": [{"name": "a", "points": [[0, 0], [1, 1]]}]}', r"zones\[1\]: a zone is three points"),
        ('{"zones": [{"name": "a", "points": "x"}]}', r"zones\[1\]\.points: points are"),
        ('{"zones": [{"name": "a", "points": [[0, 0], [1, 0], [NaN, 1]]}]}', "fractions of the picture"),
        ('{"lines": [{"name": "", "points": [[0, 0], [1, 1]]}]}', "at least 1 character"),
        ("[" * 100_000, "too deep"),
    ],
)
def test_wrong_areas_are_refused(text: str, words: str) -> None:
    with pytest.raises(RangeError, match=words):
        areas_from_json(text)


def test_areas_are_read_from_a_file_and_its_faults_reported(tmp_path: Path) -> None:
    file = tmp_path / "zones.json"
    areas = Zones(zones=(Zone(name="door", points=((0, 0), (1, 0), (1, 1)), ignore=True),))
    file.write_text(areas_to_json(areas))
    assert read_areas(file) == areas
    file.write_text('{"zones": [{"name": "a", "points": [[0, 0], [1, 120], [1, 1]]}]}')
    with pytest.raises(RangeError, match=r"zones\.json: zones\[1\]\.points: .*divide pixels"):
        read_areas(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RangeError, match=r"zones\.json: cannot be read"):
        read_areas(file)
    with pytest.raises(FileMissingError, match=r"none\.json: no such file"):
        read_areas(tmp_path / "none.json")


def test_names_are_given_once() -> None:
    line = '{"name": "a", "points": [[0, 0], [1, 1]]}'
    with pytest.raises(RangeError, match="'a' twice"):
        areas_from_json(f'{{"lines": [{line}, {line}]}}')
