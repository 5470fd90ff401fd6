"""Pictures of the studio in README and docs: every page is on one, and none is older than the page it shows."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from szem.studio import studio_folder

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
KNOWN = json.loads((PICTURES / "studio.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    pytest.importorskip("playwright", reason="the pictures' script drives a browser")
    spec = importlib.util.spec_from_file_location("studio_pictures", ROOT / "docs" / "tools" / "studio_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_picture_is_older_than_the_page_it_shows(tool: ModuleType) -> None:
    old = [name for name, said in KNOWN.items() if tool.digest_of(said["page"]) != said["digest"]]
    assert not old, f"run docs/tools/studio_pictures.py {' '.join(old)}"


def test_every_page_and_every_state_has_its_picture(tool: ModuleType) -> None:
    assert {shot[0] for shot in tool.shots()} == set(KNOWN)
    assert all((PICTURES / f"{name}.jpg").is_file() for name in KNOWN)
    pages = re.findall(r'name: "(\w+)"', (studio_folder() / "js" / "pages.js").read_text(encoding="utf-8"))
    assert {said["page"] for said in KNOWN.values()} == set(pages)


def test_docs_and_readme_show_no_other_picture_of_the_studio() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    shown = {name for text in texts for name in re.findall(r"pictures/(studio-[\w.-]+)", text)}
    assert shown == {f"{name}.jpg" for name in KNOWN}
    assert {path.name for path in PICTURES.glob("studio-*")} == shown
