"""Pictures of README and docs: each is made by a program, and those older than what they show are known by name."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qsl

import pytest

from szem.media.samples import SAMPLES

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def shots() -> ModuleType:
    spec = importlib.util.spec_from_file_location("studio_shots", ROOT / "docs" / "tools" / "studio_shots.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_no_picture_is_older_than_what_it_shows_but_those_that_are_named(shots: ModuleType) -> None:
    made = shots.recorded()
    stale = sorted(name for name, digest in shots.expected().items() if made.get(name) != digest)
    assert set(stale) <= shots.OVERDUE, f"{stale}: run docs/tools/pictures.py --stale, and look at them"


def test_every_picture_has_its_program_and_every_program_its_pictures(shots: ModuleType) -> None:
    known = {*shots.expected(), *shots.MEASURED}
    there = {path.name for path in PICTURES.iterdir()} - {shots.RECORD.name}
    assert there <= known
    assert known - there <= shots.OVERDUE
    for program in {*shots.PROGRAMS, *shots.MEASURED.values()}:
        assert (ROOT / "docs" / "tools" / f"{program}.py").is_file(), program
    for beginnings, _ in shots.PROGRAMS.values():
        for beginning in beginnings:
            assert any(name.startswith(beginning) for name in there), beginning


def test_every_picture_is_shown_and_every_page_of_the_studio_has_a_shot(shots: ModuleType) -> None:
    shown = {
        name for page in PAGES for name in re.findall(r"pictures/([\w-]+\.\w+)", page.read_text(encoding="utf-8"))
    }
    shown -= {"live.js", "made.json"}
    assert shown == {path.name for path in PICTURES.iterdir()} - {shots.RECORD.name}
    pages = re.findall(r'name: "(\w+)"', (shots.STUDIO / "js" / "pages.js").read_text(encoding="utf-8"))
    assert {shot.page for shot in shots.SHOTS} >= set(pages)


def test_the_studio_is_shown_with_its_own_samples_only(shots: ModuleType) -> None:
    for shot in shots.SHOTS:
        asked = dict(parse_qsl(shot.address.partition("?")[2]))
        assert asked.get("picture", "cat") in SAMPLES, shot.name


def test_a_digest_follows_what_is_seen_and_not_what_things_are_called(shots: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "one.js"

    def digest(text: str) -> str:
        program.write_text(text, encoding="utf-8")
        return shots._structure(program)

    before = digest('// a page\nconst told = h("p", { class: "a" });\n')
    assert digest('const reported = h("div",\n  { class: "b" },\n);\n') == before
    assert digest('const told = h("p", { class: "a" }, h("span"));\n') != before
    sheet = tmp_path / "one.css"
    sheet.write_text(".a { color: red; }", encoding="utf-8")
    red = shots._declarations(sheet)
    sheet.write_text("/* why */\n.b {\n  color: red;\n}", encoding="utf-8")
    assert shots._declarations(sheet) == red
    sheet.write_text(".b { color: blue; }", encoding="utf-8")
    assert shots._declarations(sheet) != red
