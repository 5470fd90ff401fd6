"""Names in rules that lead nowhere: zones, cameras, hooks, kinds of events and classes that there are not.

This file does not know what a rules file looks like.
"""

import difflib
from collections.abc import Collection

from szem.results.class_aliases import coco_name
from szem.tasks.surveillance.rules import Rules
from szem.tasks.surveillance.settings import KINDS
from szem.tasks.video.zones import Zones

__all__ = ["loose_names", "names_taken"]

Fault = tuple[tuple[str | int, ...], str]  # keys, and places in arrays from 0; what is wrong there

_OBJECT = "object"  # what lies or is missing, where the detector knows no name for it
_UNFOLLOWED = frozenset({"left behind", "removed", "*"})  # kinds that are also reported of objects nobody tracks


def names_taken(rules: Rules, areas: Zones) -> list[Fault]:
    """Zones and lines of the rules whose names those from elsewhere have too."""
    holders: list[tuple[tuple[str, ...], Zones]] = [((), Zones(zones=rules.zones, lines=rules.lines))]
    holders += [(("cameras", name), camera.areas) for name, camera in rules.cameras.items()]
    return [
        ((*of, key, area.name), f"the areas have a zone or line called {area.name!r} too; rename one of them")
        for of, own in holders
        for key, drawn in (("zones", own.zones), ("lines", own.lines))
        for area in drawn
        if area.name in areas.names
    ]


def loose_names(rules: Rules, *, sounds: Collection[str] | None, labels: Collection[str] | None) -> list[Fault]:
    """Names that are used and nowhere defined: where, and what is wrong.

    Args:
        rules: All of a file.
        sounds: Kinds of sound events there are; None: not known.
        labels: What the detector finds; None: not known.
    """
    zones = {zone.name for zone in rules.zones} | {z.name for c in rules.cameras.values() for z in c.zones}
    lines = {line.name for line in rules.lines} | {s.name for c in rules.cameras.values() for s in c.lines}
    found: list[Fault] = []
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
            notifiers: Collection[str] = {"webhook": tuple(rules.webhooks), "mqtt": tuple(rules.mqtt)}.get(what, ())
            if whom and whom not in notifiers:
                found.append((("rules", number, "do"), _unknown(what, whom, notifiers)))
            elif what in ("webhook", "mqtt") and not whom:
                found.append((("rules", number, "do"), f"say which {what}: {what}:{(*notifiers, 'NAME')[0]}"))
    names = [rule.name for rule in rules.rules]
    for number, rule in enumerate(rules.rules):
        if rule.name in names[:number]:
            found.append((("rules", number, "name"), f"two rules are called {rule.name!r}; give each its own name"))
    return found + ([] if labels is None else _loose_classes(rules, labels))


def _loose_classes(rules: Rules, labels: Collection[str]) -> list[Fault]:
    """Classes that the detector does not find, or that nobody follows: such a rule could never fit."""
    found: list[Fault] = []
    known = {coco_name(name) for name in labels}
    own = rules.watch.labels if "labels" in rules.watch.model_fields_set else ()
    holders: list[tuple[tuple[str, ...], tuple[str, ...]]] = [(("watch", "labels"), own)]
    holders += [(("cameras", n, "watch", "labels"), one.watch.get("labels", ())) for n, one in rules.cameras.items()]
    for place, names in holders:
        found += [(place, _unknown("class", name, labels)) for name in names if coco_name(name) not in known]
    followed = {coco_name(name) for camera in ("", *rules.cameras) for name in rules.settings_for(camera).labels}
    for number, rule in enumerate(rules.rules):
        for name in rule.classes:
            if coco_name(name) not in (*known, _OBJECT):
                fault = _unknown("class", name, (*labels, _OBJECT))
            elif coco_name(name) in followed or _UNFOLLOWED & set(rule.events):
                continue
            elif name == _OBJECT:
                fault = "'object' is only reported with left behind and removed; name another class"
            else:
                fault = f"{name!r} is not followed; name it among the labels in [watch]"
            found.append((("rules", number, "classes"), fault))
    return found


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"no {what} called {name!r}; did you mean {near[0]!r}?"
    return f"no {what} called {name!r}; there " + (f"are {', '.join(sorted(known))}" if known else "is none")
