"""One word for one thing, and the field's word: see docs/glossary.md."""

import ast
import json
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
SRC = TESTS.parent / "src" / "szem"

# Words of the glossary's last column, and others that hid a term of the field. No identifier holds them.
BANNED = set(re.findall(r"\w+", """
    chance chances desk ear ears film films happening happenings hide hider hides hole holes hook hooks judge judged
    judges judging jump jumps keeper lane lanes least leasts matcher reel room rooms sense sensed senses share shares
    sight sights sketcher sketchers sure surely taught teaching tell teller telling tells thing things told
"""))  # fmt: skip
# Names that others gave: NumPy, PyTorch and the Cloud Vision API; and "things" in the sense of "things and stuff", as
# panoptic segmentation knows it.
FOREIGN = {
    "hide_parameters",  # SQLAlchemy
    "EOL_SURE_SPACE",
    "LEFT_EAR_TRAGION",
    "SURE_SPACE",
    "RIGHT_EAR_TRAGION",
    "ThingsSettings",
    "may_share_memory",
    "register_forward_pre_hook",
}
# Keys that stay: a recipe is named after its model, layers of published weights have the names they had then.
OLD_KEYS = {
    "train/recipes.py": {"things"},
    "models/captioner.py": {"teller"},
    "train/captioning/export.py": {"teller"},
    "train/shipped_weights.py": {"told"},
}
# Words that hide what a text of the studio is about: no key of its translations holds them.
BANNED_IN_KEYS = BANNED - {"things", "rooms"} | {"unsure"}  # "things" is a model's name


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    """Each file of the package, parsed."""
    return {path.relative_to(SRC).as_posix(): ast.parse(path.read_bytes()) for path in sorted(SRC.rglob("*.py"))}


@cache
def is_banned(identifier: str) -> bool:
    """Whether one of the words of a name is banned: `open_theVideos` has open, the and videos."""
    words = re.split(r"_+", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", identifier).lower())
    return identifier not in FOREIGN and not BANNED.isdisjoint(words)


def names_in(node: ast.AST) -> list[str]:
    """The identifiers that a node itself holds: of what it reads, defines, imports or passes."""
    if isinstance(node, ast.Attribute):
        return [] if node.attr == "tell" else [node.attr]  # of a file object
    fields = [getattr(node, field, None) for field in ("id", "name", "asname", "arg", "names")]
    return [text for field in fields for text in (field if isinstance(field, list) else [field]) if type(text) is str]


def test_no_two_public_classes_share_a_name(trees: dict[str, ast.Module]) -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for file, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(file)
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def test_no_identifier_and_no_key_holds_a_banned_word(trees: dict[str, ast.Module]) -> None:
    found = set()
    for file, tree in trees.items():
        for node in ast.walk(tree):
            names = names_in(node)
            if isinstance(node, ast.Dict):
                keys = [
                    key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)
                ]
                names += [key for key in keys if key.isidentifier() and key not in OLD_KEYS.get(file, ())]
            found |= {f"{file}: {name}" for name in names if is_banned(name)}
    assert found == set()


def test_no_key_of_the_studios_texts_holds_a_banned_word() -> None:
    for language in ("en", "hu"):
        keys = json.loads((SRC / "studio" / "i18n" / f"{language}.json").read_text(encoding="utf-8"))
        assert [key for key in keys if not BANNED_IN_KEYS.isdisjoint(re.split(r"[.-]", key))] == []


def test_no_name_in_a_test_is_banned() -> None:
    """An event is reported, a request refused, an answer found."""
    found = {
        f"{path.relative_to(TESTS).as_posix()}: {name}"
        for path in sorted(TESTS.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_bytes()))
        for name in names_in(node)
        if "told" in name.split("_")
    }
    assert found == set()
