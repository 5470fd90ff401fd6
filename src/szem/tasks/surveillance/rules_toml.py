"""Read rules from a TOML file that a person can read; a fault is reported with its line and key.

```toml
[zones]
door = [[0.1, 0.2], [0.4, 0.2], [0.4, 0.9], [0.1, 0.9]]

[[rules]]
name = "door at night"
events = ["enters", "left behind"]
zones = ["door"]
hours = ["22:00-06:00"]
do = ["save", "webhook:office"]

[webhooks.office]
url = "http://office.lan/alarm"
```

This file does not know what is done with the rules.
"""

import os
import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from szem.errors import FileMissingError, RulesError
from szem.tasks.surveillance.rules import Camera, ClipSettings, Mqtt, RetentionPeriods, Rule, Rules, Webhook
from szem.tasks.surveillance.rules_errors import explain_fault, find_line
from szem.tasks.surveillance.rules_references import loose_names, names_taken
from szem.tasks.surveillance.settings import WatchSettings
from szem.tasks.video.zones import Line, Zone, Zones

__all__ = ["load_toml", "parse_rules", "read_rules"]

_MOST_BYTES = 1_000_000
_TOO_LARGE = "a whole number has at most 64 bits"
_MOST_DEPTH = 12  # the deepest there is: cameras.NAME.zones.NAME.points[k][k]


def read_rules(
    path: str | os.PathLike[str],
    *,
    sounds: Collection[str] | None = None,
    labels: Collection[str] | None = None,
    areas: Zones | None = None,
) -> Rules:
    """Read a rules file.

    Args:
        path: The file.
        sounds: As for `parse_rules`; so are `labels` and `areas`.
        labels: What the detector finds.
        areas: Zones and lines from elsewhere.
    Raises:
        FileMissingError: no such file.
        RulesError: it cannot be read, or as `parse_rules`.
    """
    file = Path(path)
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise RulesError(f"{file}: larger than {_MOST_BYTES // 1_000_000} MB; this is not a rules file")
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise FileMissingError(f"{file}: no such file; check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError(f"{file}: cannot be read ({error}); save it as UTF-8 text") from error
    return parse_rules(text, name=str(file), sounds=sounds, labels=labels, areas=areas)


def parse_rules(
    text: str,
    *,
    name: str = "rules",
    sounds: Collection[str] | None = None,
    labels: Collection[str] | None = None,
    areas: Zones | None = None,
) -> Rules:
    """Read rules.

    Args:
        text: TOML.
        name: Of the file, for messages.
        sounds: Kinds of sound events there are; None: any name that does not look like a slip is taken for one.
        labels: What the detector finds; None: any name is taken for one.
        areas: Zones and lines from elsewhere, for every camera, as if they stood in the file.
    Raises:
        RulesError: not TOML, a key or value that does not fit, or a name that is used but nowhere defined, or is
            defined in the file and elsewhere; the message says the line, the key, what was got and what would fit.

    >>> parse_rules('[[rules]]\\nname = "a"\\nevents = ["enterz"]')
    Traceback (most recent call last):
    szem.errors.RulesError: rules, line 3, rules[1].events: no event called 'enterz'; did you mean 'enters'?
    """
    raw = load_toml(text, name=name)
    try:
        rules = Rules.model_validate(_frozen(_shaped(raw)))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise RulesError(explain_fault(text, fault, name=name, keys=_keys_at(fault["loc"]))) from error
    faults = [] if areas is None else names_taken(rules, areas)
    if areas is not None and not faults:
        more = {"zones": (*rules.zones, *areas.zones), "lines": (*rules.lines, *areas.lines)}
        rules = rules.model_copy(update=more)
    for place, what in (*faults, *loose_names(rules, sounds=sounds, labels=labels)):
        raise RulesError(f"{name}, line {find_line(text, place)}, {_path(place)}: {what}")
    return rules


def load_toml(text: str, *, name: str = "rules") -> dict[str, Any]:
    """The tables of a rules file, as deep as rules need them and no deeper.

    Raises:
        RulesError: not TOML, tables too deep in one another, or a whole number of more than 64 bits.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesError(f"{name}: not TOML: {error}") from error
    except RecursionError as error:
        raise RulesError(
            f"{name}: tables lie at most {_MOST_DEPTH} deep in one another; write them flatter"
        ) from error
    except ValueError as error:  # Python's own words are advice for its programmers
        raise RulesError(f"{name}, {_why_no_value(text, error)}") from error
    _check_values(raw, text, name=name)
    return raw


def _why_no_value(text: str, error: ValueError) -> str:
    """What is wrong with TOML that reads as TOML but names a value that cannot be."""
    long = re.search(r"[0-9][0-9_]{4299,}", text)
    if long is None:
        return f"not TOML: {error}"
    line = text.count("\n", 0, long.start()) + 1
    return f"line {line}: {_TOO_LARGE}, got {len(long[0]):,} digits"


_TABLES: dict[str, type[BaseModel]] = {
    "rules": Rule,
    "zones": Zone,
    "lines": Line,
    "cameras": Camera,
    "watch": WatchSettings,
    "webhooks": Webhook,
    "mqtt": Mqtt,
    "keep": RetentionPeriods,
    "clips": ClipSettings,
}


def _keys_at(place: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys there are in the table that holds a key."""
    tables = [_TABLES[str(part)] for part in place[:-1] if part in _TABLES]
    return tuple((tables[-1] if tables else Rules).model_fields)


def _shaped(raw: dict[str, Any]) -> dict[str, Any]:
    """The file's short forms written out: a zone is a list of points or a table, its name is its key."""
    shaped = dict(raw)
    holders = [shaped]
    if isinstance(raw.get("cameras"), dict):
        shaped["cameras"] = {k: dict(v) if isinstance(v, dict) else v for k, v in raw["cameras"].items()}
        holders += [camera for camera in shaped["cameras"].values() if isinstance(camera, dict)]
    for holder in holders:
        for key in ("zones", "lines"):
            if isinstance(holder.get(key), dict):
                areas = holder[key].items()
                holder[key] = [{**(v if isinstance(v, dict) else {"points": v}), "name": k} for k, v in areas]
    if isinstance(raw.get("rules"), list):
        shaped["rules"] = [_spelt(rule) if isinstance(rule, dict) else rule for rule in raw["rules"]]
    return shaped


def _spelt(rule: dict[str, Any]) -> dict[str, Any]:
    """`left_behind` and `left-behind` are `left behind`; a single name is a list of one; a whole number a float."""
    out = dict(rule)
    for key in ("events", "cameras", "zones", "lines", "classes", "hours", "days", "do", "channels"):
        if isinstance(out.get(key), str):
            out[key] = [out[key]]
    if isinstance(out.get("events"), list):
        kinds = out["events"]
        out["events"] = [re.sub(r"[_-]+", " ", k).strip().lower() if isinstance(k, str) else k for k in kinds]
    return out


def _check_values(raw: dict[str, Any], text: str, *, name: str) -> None:
    """Refuse what no rule needs; without recursion, which a file could exhaust.

    Raises:
        RulesError: tables and lists too deep in one another, or a whole number that TOML does not know.
    """
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), raw)]
    while waiting:
        place, value = waiting.pop()
        if len(place) >= _MOST_DEPTH:
            raise RulesError(f"{name}: tables lie at most {_MOST_DEPTH} deep in one another; write them flatter")
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(part, dict | list):
                waiting.append(((*place, key), part))
            elif isinstance(part, int) and not -(2**63) <= part < 2**63:
                at = (*place, key)
                raise RulesError(f"{name}, line {find_line(text, at)}, {_path(at)}: {_TOO_LARGE}")


def _frozen(value: Any) -> Any:
    """Lists as tuples, as strict models want them; whole numbers stay, pydantic takes them for floats."""
    if isinstance(value, list):
        return tuple(_frozen(part) for part in value)
    return {key: _frozen(part) for key, part in value.items()} if isinstance(value, dict) else value


def _path(place: tuple[str | int, ...]) -> str:
    return "".join(f"[{p + 1}]" if isinstance(p, int) else f".{p}" for p in place).removeprefix(".")
