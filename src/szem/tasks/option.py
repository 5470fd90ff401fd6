"""The options of a request and their ranges, each said once: where the option is.

A message is a frozen dataclass. `option` gives a field a range; the server refuses what lies outside before any work,
and writes the same range into its OpenAPI description. This file does not know HTTP.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from szem.errors import RangeError

__all__ = ["camel", "check_options", "faults_of", "items_of", "option"]

_KEYS = ("minimum", "maximum", "most", "letters")


def option(
    default: Any,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    most: int | None = None,
    letters: int | None = None,
) -> Any:
    """A field of a message, with the range of its values.

    Args:
        default: What it is when left out.
        minimum: The least number, also of each number in a list.
        maximum: The greatest.
        most: Letters of a text, or items of a list.
        letters: Of each text in a list.
    """
    limits = {"minimum": minimum, "maximum": maximum, "most": most, "letters": letters}
    return dataclasses.field(default=default, metadata={k: v for k, v in limits.items() if v is not None})


def items_of(limits: Mapping[str, Any]) -> dict[str, Any]:
    """The limits of each item of a list, from those of the list."""
    inner = {key: value for key, value in limits.items() if key in ("minimum", "maximum")}
    return inner | ({"most": limits["letters"]} if "letters" in limits else {})


def camel(name: str) -> str:
    """The JSON name of a field.

    >>> camel("max_results")
    'maxResults'
    """
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def check_options(request: Any) -> None:
    """Refuse a message with a value out of its range.

    Raises:
        RangeError: the message names the option, its range and what came.
    """
    for field in dataclasses.fields(request):
        for fault in faults_of(field.metadata, getattr(request, field.name), name=camel(field.name)):
            raise RangeError(fault)


def faults_of(limits: Mapping[str, Any], value: Any, *, name: str) -> Iterator[str]:
    """What is wrong with a value, by the limits of its field.

    >>> list(faults_of({"minimum": 1, "maximum": 16}, 17, name="n"))
    ['n must lie in 1..16, got 17']
    """
    if value is None or not any(key in limits for key in _KEYS):
        return
    most = limits.get("most")
    if isinstance(value, str) and most is not None and len(value) > most:
        yield f"{name} must have at most {most} letters, got {len(value)}"
    elif isinstance(value, tuple):
        if most is not None and len(value) > most:
            yield f"{name} must be a list of at most {most}, got {len(value)}"
            return
        inner = items_of(limits)
        for part in value:
            yield from faults_of(inner, part, name=name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        low, high = limits.get("minimum", float("-inf")), limits.get("maximum", float("inf"))
        if not low <= value <= high:  # nor is NaN within any range
            yield f"{name} must lie in {_plain(low)}..{_plain(high)}, got {value}"


def _plain(number: float) -> str:
    return str(int(number)) if math.isfinite(number) and number == int(number) else f"{number:g}"
