"""Read rules from a TOML file that a person can read; a fault is told with its line and key.

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

import difflib
import os
import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from szem.errors import FileMissingError, RulesError
from szem.tasks.areas import Area, AreaLine
from szem.tasks.rules import Camera, Clips, Keep, Mqtt, Rule, Rules, Webhook
from szem.tasks.rules_text import explain_fault, find_line
from szem.tasks.watch_settings import KINDS, WatchSettings

__all__ = ["parse_rules", "read_rules"]

_MOST_BYTES = 1_000_000


def read_rules(path: str | os.PathLike[str], *, sounds: Collection[str] | None = None) -> Rules:
    """Read a rules file.

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
    return parse_rules(text, name=str(file), sounds=sounds)


def parse_rules(text: str, *, name: str = "rules", sounds: Collection[str] | None = None) -> Rules:
    """Read rules.

    Args:
        text: TOML.
        name: Of the file, for messages.
        sounds: Kinds of sound events there are; None: any name that does not look like a slip is taken for one.
    Raises:
        RulesError: not TOML, a key or value that does not fit, or a name that is used but nowhere defined; the
            message says the line, the key, what was got and what would fit.

    >>> parse_rules('[[rules]]\\nname = "a"\\nevents = ["enterz"]')
    Traceback (most recent call last):
    szem.errors.RulesError: rules, line 3, rules[1].events: no event called 'enterz'; did you mean 'enters'?
    """
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RulesError(f"{name}: not TOML: {error}") from error
    try:
        rules = Rules.model_validate(_frozen(_shaped(raw)))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise RulesError(explain_fault(text, fault, name=name, keys=_keys_at(fault["loc"]))) from error
    for place, what in _loose_ends(rules, sounds):
        raise RulesError(f"{name}, line {find_line(text, place)}, {_path(place)}: {what}")
    return rules


_TABLES: dict[str, type[BaseModel]] = {
    "rules": Rule,
    "zones": Area,
    "lines": AreaLine,
    "cameras": Camera,
    "watch": WatchSettings,
    "webhooks": Webhook,
    "mqtt": Mqtt,
    "keep": Keep,
    "clips": Clips,
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


def _frozen(value: Any) -> Any:
    """Lists as tuples, as strict models want them; whole numbers stay, pydantic takes them for floats."""
    if isinstance(value, list):
        return tuple(_frozen(part) for part in value)
    return {key: _frozen(part) for key, part in value.items()} if isinstance(value, dict) else value


def _loose_ends(rules: Rules, sounds: Collection[str] | None) -> list[tuple[tuple[str | int, ...], str]]:
    """Names that are used and nowhere defined: where, and what is wrong."""
    zones = {zone.name for zone in rules.zones} | {z.name for c in rules.cameras.values() for z in c.zones}
    lines = {line.name for line in rules.lines} | {s.name for c in rules.cameras.values() for s in c.lines}
    found: list[tuple[tuple[str | int, ...], str]] = []
    for number, rule in enumerate(rules.rules):
        tables: tuple[tuple[str, Collection[str], Collection[str]], ...] = (
            ("zones", rule.zones, zones),
            ("lines", rule.lines, lines),
            ("cameras", rule.cameras, rules.cameras),
        )
        for key, used, known in tables:
            found += [
                (("rules", number, key), _unknown(key.removesuffix("s"), wrong, known))
                for wrong in used
                if wrong not in known
            ]
        for kind in rule.events:
            kinds = (*KINDS, "*", *(sounds or ()))
            slip = difflib.get_close_matches(kind, kinds, 1, 0.8)
            if kind not in kinds and (sounds is not None or slip):
                found.append((("rules", number, "events"), _unknown("event", kind, kinds)))
        for action in rule.do:
            what, _, whom = action.partition(":")
            hooks: Collection[str] = {"webhook": tuple(rules.webhooks), "mqtt": tuple(rules.mqtt)}.get(what, ())
            if whom and whom not in hooks:
                found.append((("rules", number, "do"), _unknown(what, whom, hooks)))
            elif what in ("webhook", "mqtt") and not whom:
                found.append((("rules", number, "do"), f"say which {what}: {what}:{(*hooks, 'NAME')[0]}"))
    names = [rule.name for rule in rules.rules]
    for number, rule in enumerate(rules.rules):
        if rule.name in names[:number]:
            found.append((("rules", number, "name"), f"two rules are called {rule.name!r}; give each its own name"))
    return found


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"no {what} called {name!r}; did you mean {near[0]!r}?"
    return f"no {what} called {name!r}; there " + (f"are {', '.join(sorted(known))}" if known else "is none")


def _path(place: tuple[str | int, ...]) -> str:
    return "".join(f"[{p + 1}]" if isinstance(p, int) else f".{p}" for p in place).removeprefix(".")
