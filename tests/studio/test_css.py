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
