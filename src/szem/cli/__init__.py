"""The command line: `szem VERB …`. One file per verb; a verb's heavy imports happen inside the verb.

A verb is a module `szem.cli.NAME` with a typer-style function `NAME` (or `NAME_`, or an `app` for a group). It is
imported only when it is called or its help is asked for, so `szem --help` stays quick.
"""

import sys
from importlib import import_module
from typing import Any

__all__ = ["VERBS", "main"]

# Verb -> (module, one line of help), in the order the help shows them.
VERBS: dict[str, tuple[str, str]] = {
    "look": ("szem.cli.look", "Say all that szem sees in pictures. The place to begin."),
    "filter": ("szem.cli.filter", "Apply a convolution kernel to pictures."),
    "classify": ("szem.cli.classify", "Name what is in pictures: 1000 ImageNet classes."),
    "caption": ("szem.cli.caption", "Say in a sentence what is on pictures; propose alt texts."),
    "lipread": ("szem.cli.lipread", "Read what is said in films: from lips, sound or both."),
    "search": ("szem.cli.search", "Find the pictures of a folder that fit a sentence."),
    "generate": ("szem.cli.generate", "Draw a flower or a bird for a sentence."),
    "serve": ("szem.cli.serve", "Serve the Cloud Vision API (and szem's own) on this machine."),
    "studio": ("szem.cli.studio", "Open the studio in the browser: the lecture, touchable."),
    "models": ("szem.cli.models", "List, show and add models."),
    "eval": ("szem.cli.eval", "Measure a model again: the scores on its card."),
    "train": ("szem.cli.train", "Train a network from a recipe, or on your own folder."),
    "export": ("szem.cli.export", "Turn a training run into a model with a card."),
    "explain": ("szem.cli.explain", "Look inside a network: layers, maps, neurons, on your picture."),
    "detect": ("szem.cli.detect", "Find, follow and count things in pictures, films and cameras."),
    "watch": ("szem.cli.watch", "Guard cameras, streams and films: events with pictures and clips."),
    "events": ("szem.cli.events", "List, show, mark and export what szem watch has kept."),
    "listen": ("szem.cli.listen", "Say what is heard in sounds and films, and when."),
    "segment": ("szem.cli.segment", "Name every pixel of pictures and videos."),
}


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit with its status: 0 fine, 1 some input failed, 2 wrong usage."""
    from szem.cli.run import run

    sys.exit(run(sys.argv[1:] if argv is None else argv))


def load_verb(name: str) -> Any:
    """Import the module of a verb."""
    return import_module(VERBS[name][0])
