"""The command line: `szem VERB …`. One file per verb; a verb's heavy imports happen inside the verb.

A verb is a module `szem.cli.NAME` with a typer program `app`. It is imported only when it is called or its help is
asked for, so `szem --help` stays quick. `szem.cli.verbs` lists them.
"""

import sys

__all__ = ["main"]


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit with its status: 0 fine, 1 some input failed, 2 wrong usage."""
    from szem.cli.run import run

    sys.exit(run(sys.argv[1:] if argv is None else argv))
