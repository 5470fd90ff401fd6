"""Style sheets: a page's own rules hold on that page alone; what several pages use stands in a shared sheet."""

import re
from pathlib import Path

import pytest

STUDIO = Path(__file__).resolve().parents[2] / "src" / "szem" / "studio"
SHARED = {"szem", "controls", "stage", "answers", "video", "lab", "lecture"}
SHEETS = sorted(p for p in (STUDIO / "css").glob("*.css") if p.stem not in SHARED)
PAGES = {p.parent.name for p in (STUDIO / "js").glob("*/page.js")}


def top_level(text: str) -> list[tuple[str, str]]:
    """The preludes of a sheet's outermost blocks, with what they hold."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    blocks, depth, start, body = [], 0, 0, 0
    for place, char in enumerate(text):
        if char == "{":
            depth += 1
            if depth == 1:
                body = place + 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                blocks.append((text[start : body - 1].strip(), text[body:place]))
                start = place + 1
    assert depth == 0
    assert not text[start:].strip()
    return blocks


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda p: p.stem)
def test_a_pages_sheet_holds_on_that_page_alone(sheet: Path) -> None:
    page = sheet.stem.split("-")[0].replace("kernel", "kernels").replace("kernelss", "kernels")
    assert page in PAGES
    mine = f'main[data-page="{page}"]'
    blocks = top_level(sheet.read_text(encoding="utf-8"))
    for prelude, inside in blocks:
        if prelude.startswith("@media"):
            selectors = [selector for selector, _ in top_level(inside)]
        elif prelude.startswith("@keyframes"):
            continue
        else:
            selectors = [prelude]
        for selector in selectors:
            is_own = selector == f"@scope ({mine})" or mine in selector
            is_variables = selector.startswith(":root") and " " not in selector
            assert is_own or is_variables, f"{sheet.name}: {selector} reaches other pages"
    scoped = "".join(inside for prelude, inside in blocks if prelude.startswith("@scope"))
    assert "main[" not in scoped, "inside @scope the page is :scope"


def test_every_sheet_is_loaded() -> None:
    index = (STUDIO / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'href="css/([\w-]+)\.css"', index)[:5] == ["szem", "controls", "stage", "answers", "video"]
    assert {p.stem for p in (STUDIO / "css").glob("*.css")} == set(re.findall(r'href="css/([\w-]+)\.css"', index))


# Classes that two pages use for different things, each styled where it needs to be.
HOMONYMS = {("lips", "result"), ("neuron", "pixel"), ("stride", "curves")}


def bare_classes(text: str) -> set[str]:
    """Classes that have a rule of their own: `.name { … }`."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    selectors = [one.strip() for found in re.findall(r"([^{};]+)\{", text) for one in found.split(",")]
    return {one[1:] for one in selectors if re.fullmatch(r"\.[A-Za-z][\w-]*", one)}


def modules_of(path: Path, seen: set[Path]) -> set[Path]:
    """A module and all that it imports."""
    if path not in seen:
        seen.add(path)
        for one, other in re.findall(r'from "(\.[^"]+)"|import\("(\.[^"]+)"\)', path.read_text(encoding="utf-8")):
            modules_of((path.parent / (one or other)).resolve(), seen)
    return seen


def used_classes(text: str) -> set[str]:
    """Classes that a module gives to elements, also those in templates."""
    written = re.findall(r'class: ?(`[^`]*`|"[^"]*"|[^,{}]*\?[^,{}]*)', text)
    flat = (
        re.sub(r"\$\{[^}]*\}", lambda found: " ".join(re.findall(r'"([^"]*)"', found[0])), one) for one in written
    )
    return {name for one in flat for name in re.findall(r"[A-Za-z][\w-]*", one)}


def test_no_page_relies_on_a_rule_that_holds_on_another_page_alone() -> None:
    rules: dict[str, set[str]] = {}
    for sheet in (STUDIO / "css").glob("*.css"):
        page = sheet.stem.split("-")[0].replace("kernel", "kernels").replace("kernelss", "kernels")
        rules.setdefault("" if sheet.stem in SHARED else page, set()).update(bare_classes(sheet.read_text("utf-8")))
    shared = "".join((STUDIO / "css" / f"{name}.css").read_text("utf-8") for name in SHARED)
    known = set(re.findall(r"\.([A-Za-z][\w-]*)", shared))
    lost = set()
    for page in PAGES:
        modules = modules_of((STUDIO / "js" / page / "page.js").resolve(), set())
        used = set().union(*(used_classes(path.read_text(encoding="utf-8")) for path in modules))
        elsewhere = set().union(*(names for other, names in rules.items() if other not in ("", page)))
        lost |= {(page, name) for name in (used & elsewhere) - rules.get(page, set()) - known}
    assert lost == HOMONYMS


def test_a_theme_changes_colours_alone() -> None:
    for sheet in (STUDIO / "css").glob("*.css"):
        for selector, body in re.findall(r"([^{}]*data-theme[^{}]*)\{([^{}]*)\}", sheet.read_text(encoding="utf-8")):
            for name, value in re.findall(r"([\w-]+): ([^;]+);", body):
                colour = re.fullmatch(r"#[0-9a-f]{6}|rgb\([\d\s/%]+\)|var\(--on-accent\)|light|dark", value)
                assert colour, f"{sheet.name}: {selector.strip()} sets {name}"
