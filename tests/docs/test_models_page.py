"""docs/models.md says what the cards say."""

import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_models_is_written_from_the_cards_as_they_are() -> None:
    tool = runpy.run_path(str(DOCS / "tools" / "models_table.py"))
    assert (DOCS / "models.md").read_text(encoding="utf-8") == tool["models_page"](), "run docs/tools/models_table.py"
