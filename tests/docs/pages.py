"""The documents' code blocks, and the commands of their shell blocks as words."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SEPARATORS = {"&&", "||", "|", ";"}


class Command(NamedTuple):
    """One program with its arguments, without redirections."""

    page: str  # the file's name
    words: tuple[str, ...]
    stdin: str = ""  # the file that is read from standard input
    stdout: str = ""  # the file that standard output goes to

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def blocks_of(page: Path, language: str) -> list[str]:
    """The code blocks of one language."""
    return [text for name, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if name == language]


def prose_of(page: Path) -> str:
    """A page without its code blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def commands_of(page: Path) -> Iterator[Command]:
    """The commands of the shell blocks, in order."""
    for block in blocks_of(page, "sh"):
        text = re.sub(r"\\\n\s*", " ", re.sub(r"<<(\w+)\n.*?^\1$", "", block, flags=re.DOTALL | re.MULTILINE))
        for name, value in re.findall(r'^(\w+)="([^"]*)"$', text, re.MULTILINE):
            text = re.sub(rf"^{name}=.*$", "", text, flags=re.MULTILINE).replace(f"${name}", value)
        for line in text.splitlines():
            yield from _commands_of_line(page.name, line)


def _commands_of_line(page: str, line: str) -> Iterator[Command]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    files = {"<": "", ">": ""}
    is_piped = ""  # what the command before it reads, where that is `cat FILE`
    target = ""
    for word in [*lexer, ";"]:
        if word in _SEPARATORS:
            if words:
                yield Command(page, tuple(words), files["<"] or is_piped, files[">"])
            is_piped = words[1] if word == "|" and words[:1] == ["cat"] else ""
            words, files = [], {"<": "", ">": ""}
        elif word in files:
            target = word
        elif target:
            files[target], target = word, ""
        else:
            words.append(word)
