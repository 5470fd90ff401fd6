"""What documents list is whole: routes, recipes, pages' addresses, pictures, terms of weights."""

import ast
import json
import re
from pathlib import Path

import pytest

from szem.cli.run import run
from szem.runtime.store import shipped_folder
from szem.train.recipes import RECIPES
from tests.openapi import describe

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def _section(name: str, heading: str) -> str:
    """A part of a document."""
    return (DOCS / name).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_the_table_of_routes_has_every_route_of_szems_own() -> None:
    table = "\n".join(line for line in _section("api.md", "szem's own routes").splitlines() if line.startswith("| `"))
    routes = {path.split("/")[3] for path in describe()["paths"] if path.startswith("/v1/szem/")}
    inner = {"lab", "live", "models", "tasks"}  # what the studio alone asks
    assert {name for name in routes if f"/v1/szem/{name}" not in table} <= inner


def test_recipes_are_in_the_table_and_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    table = _section("train.md", "Settings")
    assert [name for name in RECIPES if f"| `{name}` |" not in table] == []
    files = {
        path.stem.removeprefix("recipe_").replace("_", "-")
        for path in (ROOT / "src/szem/train").glob("*/recipe_*.py")
    }
    assert files == set(RECIPES)
    assert run(["train", "--help"]) == 0
    reported = re.sub(r"[\s│]+", " ", capsys.readouterr().out)
    assert [name for name in RECIPES if not re.search(rf"\b{name}\b", reported)] == []


def test_every_page_with_an_address_has_its_rows() -> None:
    table = _section("studio.md", "The address holds the state")
    for file in sorted((ROOT / "src/szem/studio/js").glob("*/page.js")):
        fields = re.search(r"export const fields = \{\n(.*?)\n\};", file.read_text(), re.DOTALL)
        names = re.findall(r"^  (\w+):", fields[1], re.MULTILINE) if fields else []
        rows = re.search(rf"^\| {file.parent.name} \|.*?(?=^\| [a-z]|\Z)", table, re.DOTALL | re.MULTILINE)
        if names:
            assert rows, file.parent.name
            assert [name for name in names if f"`{name}`" not in rows[0]] == [], file.parent.name


def test_every_picture_is_shown() -> None:
    text = "".join(file.read_text() for file in [*DOCS.glob("*.md"), ROOT / "README.md"])
    pictures = [file for file in sorted((DOCS / "pictures").iterdir()) if file.suffix != ".json"]
    assert [file.name for file in pictures if file.name not in text] == []


def test_weights_of_data_for_non_commercial_use_say_so() -> None:
    notice = (ROOT / "NOTICE").read_text()
    for file in sorted(shipped_folder().glob("*/card.json")):
        card = json.loads(file.read_text())
        terms = " ".join(one["terms"] for one in card["training_data"] if one.get("use", "training") == "training")
        if "non-commercial" in terms or "NC" in terms:
            assert "NC" in card["licence"], card["name"]
            assert f"weights/{card['name']}/" in notice


def test_what_writes_the_drawing_models_card_says_what_the_shipped_one_says() -> None:
    card = json.loads((shipped_folder() / "draw" / "card.json").read_text())
    recipe = (ROOT / "src/szem/train/generation/export.py").read_text()
    assert {"Oxford-102", "CUB-200-2011"} <= {reported.split(" ")[0].rstrip(":") for reported in card["attributions"]}
    for reported in (card["licence"], *card["attributions"], *card["limits"]):
        assert f'"{reported}"' in recipe


@pytest.mark.parametrize("folder", ["docs/tools", "benchmarks"])
def test_scripts_find_in_their_neighbours_what_they_import(folder: str) -> None:
    trees = {file.stem: ast.parse(file.read_text()) for file in (ROOT / folder).glob("*.py")}
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in trees:
                wanted = {one.name for one in node.names}
                assert wanted <= _top_names(trees[node.module]), f"{folder}/{name}.py"


def _top_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    return names


def test_the_tests_that_the_page_on_reliability_names_are_there() -> None:
    section = _section("reliability.md", "Kinds of faults and the tests that hold them")
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", section)
    assert len(named) > 30
    for file, test in named:
        assert f"def {test}" in (ROOT / "tests" / file).read_text(), f"{file}::{test}"
