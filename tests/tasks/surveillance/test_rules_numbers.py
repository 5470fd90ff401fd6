"""Numbers in rules: every one has a range, and what lies outside it is refused by name before anything is kept."""

import json
from dataclasses import fields

import pytest
from pydantic import BaseModel

from szem.errors import RangeError, RulesError
from szem.guard.retention import Retention
from szem.tasks.audio.listen import ListenSettings
from szem.tasks.audio.segmenter import EventSettings
from szem.tasks.surveillance.rules import ClipSettings, Mqtt, RetentionPeriods, Rule, Webhook
from szem.tasks.surveillance.rules_toml import parse_rules
from szem.tasks.surveillance.settings import WatchSettings
from szem.tasks.video.counting import parse_zone

# Table -> its model, and what else must stand in it.
TABLES: dict[str, tuple[type[BaseModel], str]] = {
    "[watch]": (WatchSettings, ""),
    "[cameras.yard.watch]": (WatchSettings, ""),
    "[keep]": (RetentionPeriods, ""),
    "[clips]": (ClipSettings, ""),
    "[[rules]]": (Rule, 'name = "a"\nevents = ["enters"]\n'),
    "[webhooks.office]": (Webhook, 'url = "http://office.lan/"\n'),
    "[mqtt.house]": (Mqtt, 'host = "broker.lan"\n'),
}
LISTEN = sorted(
    {field.name for table in (ListenSettings, EventSettings) for field in fields(table)}
    - {"classes", "events", "factors", "use", "also"}  # names, which the listener checks
)


def _fields() -> list[tuple[str, str, str]]:
    found = [
        (table, more, name)
        for table, (model, more) in TABLES.items()
        for name, field in model.model_fields.items()
        if field.annotation in (int, float) or name == "qos"
    ]
    return found + [("[listen]", "", name) for name in LISTEN]


def test_all_numbers_are_found() -> None:
    assert len(_fields()) > 50


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "-1000.5", "1e300", "9" * 400])
@pytest.mark.parametrize(("table", "more", "name"), _fields())
def test_a_number_out_of_range_is_refused_by_its_name(table: str, more: str, name: str, value: str) -> None:
    with pytest.raises(RulesError, match=rf"rules, line \d+, .*\b{name}\b"):
        parse_rules(f"{table}\n{more}{name} = {value}\n")


@pytest.mark.parametrize(("table", "more", "name"), _fields())
def test_rules_that_are_read_can_be_sent_as_json(table: str, more: str, name: str) -> None:
    value = -60 if name == "silence_db" else 0.9 if "_s" in name else 1
    is_bounded = name in ("crowd_people", "min_area_fraction", "max_area_fraction")
    rules = parse_rules("" if is_bounded else f"{table}\n{more}{name} = {value}\n")
    json.dumps(rules.model_dump(mode="json"), allow_nan=False)


def test_an_integer_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(RulesError, match=r"line 2: a whole number has at most 64 bits, got 5,000 digits"):
        parse_rules("[keep]\ndays = " + "9" * 5000)


@pytest.mark.parametrize("text", [".".join("a" * 3000) + " = 1", "[" + ".".join("a" * 900) + "]\nb = 1"])
def test_tables_without_end_are_refused(text: str) -> None:
    with pytest.raises(RulesError, match=r"rules: (tables lie at most 12 deep|not TOML)"):
        parse_rules(text)


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://:80/x", "http://a:99999/", "http://a:b/", "ftp://a/", "http:///x"]
)
def test_addresses_that_cannot_be_reached_are_refused(url: str) -> None:
    with pytest.raises(RulesError, match=r"line 2, webhooks\.office\.url: an address begins with http"):
        parse_rules(f'[webhooks.office]\nurl = "{url}"\n')


@pytest.mark.parametrize(
    "header", ['"a\\nb" = "c"', 'a = "b\\r\\nc: d"', '"" = "c"', 'a = "\\u0000"', 'a = "\\u20ac"']
)
def test_headers_that_cannot_be_sent_are_refused(header: str) -> None:
    with pytest.raises(RulesError, match=r"webhooks\.office\.headers: a header is one line"):
        parse_rules(f'[webhooks.office]\nurl = "http://a/"\n[webhooks.office.headers]\n{header}\n')


@pytest.mark.parametrize("change", [{"days": float("inf")}, {"gigabytes": float("nan")}, {"free_gigabytes": -1.0}])
def test_bounds_of_retention_are_numbers(change: dict[str, float]) -> None:
    with pytest.raises(RangeError, match=f"{next(iter(change))} must"):
        Retention(**change)


@pytest.mark.parametrize("points", ["0,0 1e300,0 0,1e300", "0,0 nan,1 1,1", "0,0 inf,1 1,1"])
def test_corners_far_outside_any_picture_are_refused(points: str) -> None:
    with pytest.raises(RangeError, match="numbers in pairs"):
        parse_zone(points, width=640, height=480)
