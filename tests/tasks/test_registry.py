"""tasks/registry.py: rows name what exists, what lists tasks derives from them, tasks come and go by row."""

import ast
import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from szem.media.samples import sample_path
from szem.tasks.registry import TASKS, TaskSpec, load

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "szem"
DOC = ROOT / "docs" / "architecture.md"


def paths_of(row: TaskSpec) -> list[str]:
    """Every import path of a row."""
    found: list[str] = []
    for part in (row, row.request, row.model, row.look):
        if part is not None:
            found += [value for value in vars(part).values() if isinstance(value, str) and value.startswith("szem.")]
    return found


@pytest.mark.parametrize("row", TASKS.values(), ids=lambda row: row.name)
def test_every_path_of_a_row_leads_to_something(row: TaskSpec) -> None:
    for path in paths_of(row):
        assert load(path) is not None, path
        assert path.startswith(("szem.tasks.", "szem.results.")), path


@pytest.mark.parametrize("row", TASKS.values(), ids=lambda row: row.name)
def test_options_are_frozen_and_have_defaults(row: TaskSpec) -> None:
    if row.request is not None:
        options = load(row.request.options)
        assert hash(options()) == hash(options())  # frozen; requests with equal options share a batch
        assert all(field.default is not dataclasses.MISSING for field in dataclasses.fields(options))


def test_importing_the_table_loads_nothing_heavy() -> None:
    code = "import sys, szem.tasks.registry; print(sorted(m for m in sys.modules if m[:4] in ('szem', 'nump')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['szem', 'szem.tasks', 'szem.tasks.registry']"


def test_no_code_outside_a_tasks_folder_asks_which_task_it_is() -> None:
    """`task == "classify"`, `task in ("detect", …)`: what differs between tasks stands in their rows."""
    found = []
    for path in sorted(SRC.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Compare):
                continue
            about = [ast.unparse(side) for side in (node.left, *node.comparators)]
            words = {c.value for side in ast.walk(node) for c in [side] if isinstance(c, ast.Constant)}
            if any(re.search(r"\btask\b", text) for text in about) and words & set(TASKS):
                found.append(f"{path.relative_to(SRC)}:{node.lineno}: {ast.unparse(node)}")
    assert not found, "\n".join(found)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package that may be changed; weights and pages are those of this one."""
    shutil.copytree(SRC, tmp_path / "szem", ignore=shutil.ignore_patterns("weights", "studio", "__pycache__"))
    (tmp_path / "szem" / "weights").symlink_to(SRC / "weights")
    shutil.copytree(SRC / "studio", tmp_path / "szem" / "studio")
    return tmp_path


def python(copy: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={"PYTHONPATH": str(copy), "PATH": "/usr/bin:/bin", "SZEM_HOME": str(copy / "home")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LISTED = """
import json
import szem
from szem.cli.verbs import VERBS
from szem.serve.app import build_app
from szem.serve.settings import ServeSettings
from szem.tasks.look import look_parts
from szem.tasks.models import addable_tasks
from szem.train.recipes import RECIPES
app = build_app(ServeSettings(studio=False))
print(json.dumps({
    "names": szem.__all__,
    "verbs": list(VERBS),
    "routes": list(app.openapi()["paths"]),
    "messages": list(app.openapi()["components"]["schemas"]),
    "look": list(look_parts()),
    "addable": list(addable_tasks()),
    "recipes": list(RECIPES),
}))
"""


def row_lines(table: str, name: str) -> tuple[int, int]:
    """The first and the last line of a row."""
    for node in ast.walk(ast.parse(table)):
        if isinstance(node, ast.Call) and ast.unparse(node).startswith(f"TaskSpec(name='{name}',"):
            return node.lineno, node.end_lineno or node.lineno
    raise AssertionError(name)


@pytest.mark.slow
def test_a_task_goes_with_its_folders_and_its_row(copy: Path) -> None:
    home = copy / "szem"
    for place in ("tasks/generation", "train/generation"):
        shutil.rmtree(home / place)
    (home / "cli/generate.py").unlink()
    registry = home / "tasks/registry.py"
    table = registry.read_text(encoding="utf-8")
    first, last = row_lines(table, "generate")
    lines = table.splitlines()
    registry.write_text("\n".join(lines[: first - 1] + lines[last:]), encoding="utf-8")
    reported = json.loads(python(copy, "-c", LISTED))
    everything = json.dumps(reported)
    assert "generate" not in everything
    assert "Generate" not in everything
    assert "draw" not in reported["recipes"]
    assert {"classify", "detect"} <= set(reported["names"]) & set(reported["verbs"])
    assert "generate" not in python(copy, "-m", "szem", "--help")
    assert "no verb" in subprocess.run(
        [sys.executable, "-m", "szem", "generate"],
        cwd=copy,
        env={"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    ).stderr.replace("\n", " ")
    gone = ("szem.tasks.generation", "szem.train.generation", "szem.cli.generate")
    left = {
        path.relative_to(home).as_posix()
        for path in home.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(gone)
    }
    assert left == {"__init__.py"}  # the names for type checkers, which tests/test_public_names.py watches


@pytest.mark.slow
def test_a_task_comes_as_the_architecture_page_says(copy: Path) -> None:
    text = DOC.read_text(encoding="utf-8").split("\n## How to add a task\n")[1]
    blocks = re.findall(r"`(src/szem/[\w/]+\.py)`:\n\n```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 5
    for name, code in blocks:
        path = copy / name.removeprefix("src/")
        if path.name == "registry.py":
            table = path.read_text(encoding="utf-8")
            assert table.count("\n)\n\nTASKS:") == 1
            path.write_text(table.replace("\n)\n\nTASKS:", f"\n{code.rstrip()},\n)\n\nTASKS:"), encoding="utf-8")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(code, encoding="utf-8")
    reported = json.loads(python(copy, "-c", LISTED))
    assert "brightness" in reported["names"]
    assert "brightness" in reported["verbs"]
    assert "/v1/szem/brightness" in reported["routes"]
    assert "BrightnessRequest" in reported["messages"]
    assert "brightness" in reported["look"]
    cat = str(sample_path("cat"))
    line = json.loads(python(copy, "-m", "szem", "brightness", cat, "--json"))
    mean = json.loads(python(copy, "-c", f"import szem; print(szem.brightness({cat!r}).mean)"))
    assert line["mean"] == pytest.approx(mean, abs=1e-4)
    seen = json.loads(python(copy, "-m", "szem", "look", cat, "--json", "--tasks", "brightness"))
    assert seen["brightness"] == {"mean": line["mean"]}


def test_the_architecture_page_names_files_that_exist() -> None:
    text = DOC.read_text(encoding="utf-8").split("\n## How to add a task\n")[0]
    named = set(re.findall(r"`(src/szem/[\w/]+(?:\.py)?)", text)) | set(re.findall(r"`(tests/[\w/]+\.py)`", text))
    assert len(named) > 30
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
