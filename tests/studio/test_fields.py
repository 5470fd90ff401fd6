"""What the studio's pages ask for exists: the routes they call, and the fields they read from the answers."""

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

from szem.serve.app import build_app
from szem.serve.settings import ServeSettings

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "szem"
SCRIPTS = PACKAGE / "studio" / "js"
COMMENT = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
# Names for an answer or a part of one, as the pages call them.
ANSWER = re.compile(r"\b(?:raw|answer|area|film|found|layer|reading|spelled|track)\??\.([a-z]\w*)\b(?!\()")
SNAKE = re.compile(r"(?<![\w/'\"-])[a-z]+(?:_[a-z0-9]+)+\b")  # JavaScript's own names are in camel case
PREFIXES = {"guard/routes.js": "/v1/szem/guard", "lab/server.js": "/v1/szem/lab"}
# What a page adds to an answer itself, and properties of elements and layers of its own.
OWN = {
    "currentTime",
    "duration",
    "element",
    "letters",
    "mouth",
    "paused",
    "probabilities",
    "readings",
    "style",
    "texture",
    "tookMs",
}


def syntax_tree(path: Path, tries: int = 5) -> ast.Module:
    """Parse a file, again where another thread parsed at the same moment.

    Python 3.11 keeps one depth of recursion for all threads; the studio's server, a thread of this process, parses
    source lines whenever it formats a traceback.
    """
    for _ in range(tries - 1):
        try:
            return ast.parse(path.read_bytes())
        except SystemError:
            continue
    return ast.parse(path.read_bytes())


@cache
def fields() -> frozenset[str]:
    """Every key and field that some part of the package writes or carries, in Google's spelling too."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(syntax_tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                found.add(node.value)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
            elif isinstance(node, ast.keyword) and node.arg:
                found.add(node.arg)
    for path in (PACKAGE / "studio" / "samples").glob("*.json"):  # measured beforehand, read by the pages
        json.loads(path.read_text(encoding="utf-8"), object_hook=found.update)
    return frozenset(found | {re.sub(r"_([a-z])", lambda m: m[1].upper(), name) for name in found})


def scripts() -> list[str]:
    """The pages' scripts but those that hold code of other languages to copy."""
    names = (path.relative_to(SCRIPTS).as_posix() for path in sorted(SCRIPTS.rglob("*.js")))
    return [name for name in names if not name.endswith("snippets.js")]


def code_of(name: str, *, with_texts: bool) -> str:
    """A script without comments and imports; texts within quotation marks stay or go."""
    code = re.sub(
        r"^import .*$", "", COMMENT.sub("", (SCRIPTS / name).read_text(encoding="utf-8")), flags=re.MULTILINE
    )
    return code if with_texts else re.sub(r'"[^"\n]*"', '""', code)


def test_every_field_that_a_page_reads_is_written_by_the_server() -> None:
    missing = {}
    for name in scripts():
        code = code_of(name, with_texts=False)
        # Keys of the interface's texts, t(`guard.film-${…}`), look like reads.
        code = re.sub(r"`[^`]*`", lambda text: " ".join(re.findall(r"\$\{([^}]*)\}", text[0])), code)
        read = set(ANSWER.findall(code)) | set(SNAKE.findall(code))
        if rest := read - fields() - OWN:
            missing[name] = rest
    assert missing == {}


def test_every_route_that_a_page_calls_is_there() -> None:
    patterns = [
        re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "$")
        for path in build_app(ServeSettings(key="0" * 32)).openapi()["paths"]
    ]
    missing = {}
    for name in scripts():
        code = code_of(name, with_texts=True)
        called = set(re.findall(r"[\"`](/v1/[^\"`]*)[\"`]", code))
        if prefix := PREFIXES.get(name):
            called |= {
                prefix + path for path in re.findall(r"(?:[`\"]|`\$\{(?:HOME|LAB)\})(/(?!v1/)[^`\"]*)[`\"]", code)
            }
        for path in called - set(PREFIXES.values()):
            # A value in the middle of an address stands for one part of it; one that begins with "?" is the query.
            plain = re.sub(r"\$\{[^{}]*(?:`[^`]*|\?[^}]*)$", "", path)
            plain = re.sub(r"\$\{[^{}]*\}", "x", plain).split("?")[0].rstrip("/")
            if not any(pattern.match(plain) for pattern in patterns):
                missing.setdefault(name, set()).add(path)
    assert missing == {}


@pytest.mark.parametrize("line", ["raw.hooks", "answer?.sureness", "one.jump_px"])
def test_a_field_that_nothing_writes_is_noticed(line: str) -> None:
    read = set(ANSWER.findall(line)) | set(SNAKE.findall(line))
    assert read - fields() - OWN
