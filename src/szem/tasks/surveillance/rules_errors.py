"""Where in a rules file a key stands, and a fault in words: tomllib tells what was read, not where.

This file does not know what the keys mean.
"""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

__all__ = ["explain_fault", "find_line"]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*("[^"]*"|'[^']*'|[A-Za-z0-9_-]+)((?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=""")
_PART = re.compile(r"""\s*("[^"]*"|'[^']*'|[^.\s]+)\s*\.?""")

Place = Sequence[str | int]


def find_line(text: str, place: Place) -> int:
    """The line, from 1, of the most precise part of a place that stands in the text.

    Args:
        text: TOML.
        place: Keys, and places in arrays of tables from 0: `("rules", 1, "hours")`.

    >>> find_line('[[rules]]\\nname = "a"\\n[[rules]]\\nhours = 3', ("rules", 1, "hours"))
    4
    """
    wanted = tuple(place)
    best, best_line = 0, 1
    here: tuple[str | int, ...] = ()
    counted: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            names = _parts(header[2])
            if header[1] == "[[":
                counted[names] = counted.get(names, -1) + 1
            here = ()
            for depth, name in enumerate(names, 1):
                here = (*here, name)
                if names[:depth] in counted:
                    here = (*here, counted[names[:depth]])
            found = here
        elif key := _KEY.match(line):
            found = (*here, *_parts(key[1] + key[2]))
        else:
            continue
        same = _common(found, wanted)
        if same == len(found) and same > best:
            best, best_line = same, number
    return best_line


def explain_fault(text: str, fault: Mapping[str, Any], *, name: str, keys: Collection[str] = ()) -> str:
    """One of pydantic's faults as a sentence with file, line, key, what was got and what would fit.

    Args:
        text: What was read.
        fault: From `ValidationError.errors()`.
        name: Of the file.
        keys: Those there are where the fault is, for a key that there is not.
    """
    place = _as_written(text, tuple(fault["loc"]))
    shown = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(place[-1]), keys, 1)
        message = "there is no such key; " + (
            f"did you mean {near[0]!r}?" if near else f"there are {', '.join(keys)}"
        )
    elif fault["type"] == "missing":
        message = "is missing"
    elif _may_be_secret(place):
        message = f"{message.split(', got ', 1)[0]} (its value is not shown)"
    elif not str(fault["type"]).startswith("value_error"):
        got = repr(fault["input"])
        message = message.replace("tuple", "list").replace("Input should be", "should be")
        message = f"{message}, got {got if len(got) < 80 else got[:77] + '…'}"
    return f"{name}, line {find_line(text, place)}, {shown or 'file'}: {message}"


def _may_be_secret(place: Place) -> bool:
    """Whether a value may hold a password or a token: messages end up in logs and answers."""
    return bool(place) and (place[0] in ("webhooks", "mqtt") or place[-1] == "source")


def _as_written(text: str, place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Zones and lines are read as lists but written as tables: their names in place of their numbers."""
    for depth, part in enumerate(place):
        if part in ("zones", "lines") and depth + 1 < len(place) and isinstance(place[depth + 1], int):
            names = _names_in(text, tuple(str(p) for p in place[: depth + 1]))
            which = int(place[depth + 1])
            if which < len(names):
                return (*place[: depth + 1], names[which], *place[depth + 2 :])
    return place


def _names_in(text: str, table: tuple[str, ...]) -> list[str]:
    names: list[str] = []
    here: tuple[str, ...] = ()
    for line in text.splitlines():
        if header := _HEADER.match(line):
            here = _parts(header[2])
            found = here
        elif key := _KEY.match(line):
            found = (*here, *_parts(key[1] + key[2]))
        else:
            continue
        if found[: len(table)] == table and len(found) > len(table) and found[len(table)] not in names:
            names.append(found[len(table)])
    return names


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _common(found: Place, wanted: Place) -> int:
    same = 0
    for a, b in zip(found, wanted, strict=False):
        if a != b:
            break
        same += 1
    return same
