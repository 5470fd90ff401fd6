"""The rooms and their order: imports run downward only, heavy libraries stay in their rooms."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parent.parent / "src" / "szem"

# Lower rank = lower room. A room may import rooms of strictly lower rank, and itself.
RANK = {
    "errors": 0,
    "files": 1,
    "kept": 2,
    "machine": 3,
    "arrays": 1,
    "media": 2,
    "kernels": 4,
    "data": 3,
    "results": 4,
    "runtime": 5,
    "nn": 5,
    "tasks": 6,
    "models": 6,
    "train": 7,
    "guard": 7,
    "scale": 7,
    "studio": 7,
    "serve": 8,
    "cli": 9,
    "__init__": 10,
    "__main__": 10,
}
TORCH_FOLDERS = {"nn", "models", "train"}  # only these import torch; only these and cli import them
RAY_FOLDERS = {"scale"}
RAY_FILES = {"serve/on_ray.py"}  # the API as replicas


def folder_of(path: Path) -> str:
    parts = path.relative_to(SRC).parts
    return parts[0].removesuffix(".py")


@cache
def imports_of(path: Path) -> list[tuple[str, int]]:
    """Every absolute module name a file imports, anywhere in it, with its line."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; write the whole name"
            if node.module == "szem":
                found += [(f"szem.{alias.name}", node.lineno) for alias in node.names]
            elif node.module is not None:
                found.append((node.module, node.lineno))
    return found


FILES = sorted(SRC.rglob("*.py"))


def test_every_folder_has_a_rank() -> None:
    rooms = {folder_of(path) for path in FILES}
    assert rooms <= set(RANK), f"rooms without a rank: {sorted(rooms - set(RANK))}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(SRC).as_posix())
def test_imports_run_downward(path: Path) -> None:
    room = folder_of(path)
    wrong = []
    for name, line in imports_of(path):
        parts = name.split(".")
        if parts[0] == "szem" and len(parts) > 1:
            other = parts[1] if parts[1] in RANK else "__init__"
            if other == room or room in ("__init__", "__main__"):
                continue
            if RANK[other] >= RANK[room]:
                wrong.append(f"line {line}: {room} imports {name}, which is not below it")
            if other in TORCH_FOLDERS | RAY_FOLDERS and room not in TORCH_FOLDERS | {"cli"}:
                wrong.append(f"line {line}: {room} imports {name}; only the training tower and cli may")
        elif parts[0] == "torch" and room not in TORCH_FOLDERS:
            wrong.append(f"line {line}: torch belongs to nn, models, train")
        elif parts[0] == "ray" and room not in RAY_FOLDERS and path.relative_to(SRC).as_posix() not in RAY_FILES:
            wrong.append(f"line {line}: ray belongs to scale")
    assert not wrong, "\n".join(wrong)


def _file_of(name: str) -> Path | None:
    """The file of a module, or of the module that holds a name."""
    parts = name.split(".")[1:]
    for length in (len(parts), len(parts) - 1):
        place = SRC.joinpath(*parts[:length])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


def _cycles(graph: dict[Path, set[Path]]) -> list[list[Path]]:
    """Groups of files that reach each other (Tarjan, Depth-first search and linear graph algorithms, 1972)."""
    numbers: dict[Path, int] = {}
    lowest: dict[Path, int] = {}
    stack: list[Path] = []
    found: list[list[Path]] = []

    def visit(file: Path) -> None:
        numbers[file] = lowest[file] = len(numbers)
        stack.append(file)
        for other in graph[file]:
            if other not in numbers:
                visit(other)
                lowest[file] = min(lowest[file], lowest[other])
            elif other in stack:
                lowest[file] = min(lowest[file], numbers[other])
        if lowest[file] == numbers[file]:
            place = stack.index(file)
            if len(stack) - place > 1:
                found.append(stack[place:])
            del stack[place:]

    for file in graph:
        if file not in numbers:
            visit(file)
    return found


def test_no_files_import_each_other() -> None:
    """Inside a room too, and however an import is deferred: into a function, or to type checkers."""
    graph: dict[Path, set[Path]] = {}
    for path in FILES:
        targets = {_file_of(name) for name, _ in imports_of(path) if name.startswith("szem.")}
        graph[path] = {target for target in targets if target is not None and target != path}
    reported = [" <-> ".join(sorted(p.relative_to(SRC).as_posix() for p in group)) for group in _cycles(graph)]
    assert not reported, "\n".join(reported)


def test_a_cycle_would_be_found() -> None:
    a, b, c = Path("a"), Path("b"), Path("c")
    assert _cycles({a: {b}, b: {c}, c: set()}) == []
    assert [sorted(group) for group in _cycles({a: {b}, b: {c}, c: {b}})] == [[b, c]]


def test_the_cloud_vision_dialect_is_a_leaf() -> None:
    """szem's own routes do not depend on Google's dialect; only the application puts both together."""
    vision = SRC / "serve" / "vision"
    importers = {
        path.relative_to(SRC).as_posix()
        for path in FILES
        if vision not in path.parents
        for name, _ in imports_of(path)
        if name.startswith("szem.serve.vision")
    }
    assert importers == {"serve/app.py"}


def test_one_file_imports_onnx_runtime() -> None:
    """It sends nothing about its use only if that is set before its first import."""
    importers = {
        path.relative_to(SRC).as_posix()
        for path in FILES
        for name, _ in imports_of(path)
        if name.partition(".")[0] == "onnxruntime"
    }
    assert importers == {"runtime/onnx.py"}


def test_import_szem_is_light_and_does_nothing(tmp_path: Path) -> None:
    heavy = [
        "torch",
        "onnxruntime",
        "cv2",
        "fastapi",
        "matplotlib",
        "skimage",
        "scipy",
        "av",
        "typer",
        "pydantic",
        "PIL",
    ]
    code = (
        "import sys, os, threading\n"
        "env = dict(os.environ); before = set(os.listdir('.'))\n"
        "import szem\n"
        f"loaded = [m for m in {heavy!r} if m in sys.modules]\n"
        "assert not loaded, loaded\n"
        "assert dict(os.environ) == env\n"
        "assert set(os.listdir('.')) == before\n"
        "assert threading.active_count() == 1\n"
        "import logging; assert not logging.getLogger().handlers\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == ""
