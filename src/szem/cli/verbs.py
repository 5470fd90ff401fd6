"""The table of verbs: those of tasks, from the registry, and the tools beside them."""

from importlib import import_module
from typing import Any, NamedTuple

from szem.tasks.registry import TASKS

__all__ = ["GROUPS", "VERBS", "Verb", "load_verb"]

# Group of a task's row, or of the tools below -> its heading in `szem --help`, in this order.
GROUPS: dict[str, str] = {
    "recognize": "Pictures and videos",
    "text": "Pictures and sentences",
    "motion": "Sound, speech and surveillance",
    "inspect": "Look inside",
    "server": "Server and studio",
    "models": "Models and training",
}


class Verb(NamedTuple):
    """One verb of the command line."""

    summary: str  # one line of help
    group: str  # a key of `GROUPS`


# Verbs that are no task. Those of tasks come from the registry.
_TOOLS: dict[str, Verb] = {
    "filter": Verb("Apply a convolution kernel to pictures.", "inspect"),
    "events": Verb("List, show, mark and export the events that szem watch recorded.", "motion"),
    "serve": Verb("Serve the Cloud Vision API and szem's own on this machine.", "server"),
    "studio": Verb("Open the studio in the browser: the interactive course.", "server"),
    "models": Verb("List, show, add and remove models.", "models"),
    "data": Verb("Check, split and convert labelled data of your own.", "models"),
    "eval": Verb("Measure a model on any data, beside any other network.", "models"),
    "train": Verb("Train a network from a recipe, or on your own folder.", "models"),
    "export": Verb("Turn a training run into a model with a card.", "models"),
}


def _by_group(verbs: dict[str, Verb]) -> dict[str, Verb]:
    return {name: verb for group in GROUPS for name, verb in verbs.items() if verb.group == group}


# Verb -> its line of help and its group, in the order in which the help shows them.
VERBS = _by_group({row.verb_name: Verb(row.summary, row.group) for row in TASKS.values() if row.has_verb} | _TOOLS)


def load_verb(name: str) -> Any:
    """Import the module of a verb."""
    return import_module(f"szem.cli.{name}")
