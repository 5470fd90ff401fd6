"""One word for one thing, and the field's word: see docs/glossary.md."""

import ast
import io
import re
import tokenize
from collections import defaultdict
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src" / "szem"

# Words of the glossary's last column, and others that hid a term of the field. No identifier holds them.
BANNED = frozenset(
    ["chance", "chances", "desk", "ear", "ears", "film", "films", "happening", "happenings", "hide", "hider", "hides", "hole", "holes", "hook", "hooks", "judge", "judged", "judges", "judging", "jump", "jumps", "keeper", "lane", "lanes", "least", "leasts", "matcher", "reel", "room", "rooms", "sense", "sensed", "senses", "share", "shares", "sight", "sights", "sketcher", "sketchers", "sure", "surely", "taught", "teaching", "tell", "teller", "telling", "tells", "thing", "things", "told"]
)
# Names that others gave: of a file object, NumPy, PyTorch and the Cloud Vision API; and "things" in the sense of
# "things and stuff", as which panoptic segmentation knows it.
FOREIGN = frozenset(
    ["LEFT_EAR_TRAGION", "RIGHT_EAR_TRAGION", "ThingsSettings", "may_share_memory", "register_forward_pre_hook", "tell"]
)


def test_no_two_public_classes_share_a_name() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SRC.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(path.relative_to(SRC).as_posix())
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def words_of(identifier: str) -> list[str]:
    """The words of a name: `open_theFilms` has open, the and films."""
    return re.split(r"_+", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", identifier).lower())


def test_identifiers_hold_no_banned_word() -> None:
    found = []
    for path in sorted(SRC.rglob("*.py")):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
            if token.type != tokenize.NAME or token.string in FOREIGN:
                continue
            if BANNED & set(words_of(token.string)):
                found.append(f"{path.relative_to(SRC)}:{token.start[0]} {token.string}")
    assert found == []
