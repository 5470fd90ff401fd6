"""Listeners as the rules want them, one model for all sources.

```toml
[listen]
classes = ["siren", "gun shot"]     # only these; none: all groups that the model knows
use = "report"                      # thresholds for alarms; "record" notes more
threshold = 0.7                     # one for all kinds, in place of each kind's own
report_after_s = 1.5
```
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from szem.errors import RulesError, SzemError, UnsupportedError
from szem.runtime.store import list_models
from szem.tasks.audio.listen import USES, Listener, ListenSettings
from szem.tasks.audio.segmenter import EventSettings
from szem.tasks.models import open_model
from szem.tasks.surveillance.fusion import agreeing_kinds
from szem.tasks.surveillance.rules import Rules

__all__ = ["known_sounds", "make_listening"]

_CANDIDATE = 0.3  # of its threshold: a sound so faint counts if what makes it is seen too


def known_sounds(model: str = "") -> tuple[str, ...]:
    """The kinds of sound that can be heard; none where no model is installed."""
    if not list_models(task="listen"):
        return ()
    return Listener(open_model(model or None, task="listen", threads=1)).names


def make_listening(rules: Rules, *, model: str = "") -> Callable[[], Listener] | None:
    """What makes a listener for each source; None where no model is installed.

    Args:
        rules: With `[listen]`.
        model: A model's name or folder; the shipped one if left out.
    Raises:
        RulesError: a setting that there is not, or that does not fit.
        UnsupportedError: a model is named, and there is none for this task.
    """
    if not list_models(task="listen"):
        if model:
            raise UnsupportedError("no model for listen is installed here; see szem models")
        return None
    session = open_model(model or None, task="listen", threads=1)
    settings = _settings(rules.listen)
    try:
        names = Listener(session, settings).names
    except SzemError as error:
        raise RulesError(f"[listen]: {error}") from error
    if not settings.classes:  # a rule may ask for a label that is in no group
        asked = {kind for rule in rules.rules for kind in rule.events} & set(names)
        settings = replace(settings, also=tuple(sorted(asked)))
    if not settings.factors:
        settings = replace(settings, factors=dict.fromkeys(agreeing_kinds(names), _CANDIDATE))
    return lambda: Listener(session, settings)


def _settings(given: dict[str, Any]) -> ListenSettings:
    own = {field.name for field in fields(ListenSettings)} - {"events", "factors", "also"}
    of_events = {field.name for field in fields(EventSettings)}
    unknown = sorted(set(given) - own - of_events)
    if unknown:
        raise RulesError(f"[listen]: no setting called {', '.join(unknown)}; there are {', '.join(own | of_events)}")
    for name, value in given.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_names = isinstance(value, list | tuple) and all(isinstance(part, str) for part in value)
        fits, wanted = {
            "classes": (is_names, "names"),
            "use": (value in USES, " or ".join(USES)),
        }.get(name, (is_number, "a number"))
        if not fits:
            raise RulesError(f"[listen]: {name} must be {wanted}, got {value!r}")
    events = EventSettings(**{name: float(value) for name, value in given.items() if name in of_events})
    chosen: dict[str, Any] = {name: value for name, value in given.items() if name in own}
    return ListenSettings(**{"use": "report", **chosen, "events": events})
