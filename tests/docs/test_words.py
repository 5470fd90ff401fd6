"""Pages, help and the studio's texts use the field's words: see docs/glossary.md."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from szem.cli.verbs import VERBS, load_verb
from szem.studio import studio_folder

from .pages import PAGES, prose_of

# Words of the glossary's last column that have no other use in these texts.
BANNED = re.compile(
    r"\b(films?|told|tells|telling|chances?|surer?|surely|unsure|things?|lanes?|reel|desk|keeper|sketcher|teller"
    r"|taught|judge[sd]?|judgement|held[- ]back|leasts|likes best)\b",
    re.IGNORECASE,
)
# The same in Hungarian: film, chance, thing, (is) sure, server by another name.
BANNED_HUNGARIAN = re.compile(r"\b(filme?\w*|esély\w*|dolog|dolgok\w*|biztos:|kiszolgáló\w*)", re.IGNORECASE)
# A message, a paper, the model of this name, a split, and what is shown of an uncertain caption.
ALLOWED = (
    "say different things",
    "Show and Tell",
    "| things |",
    '"not sure"',
    "Not sure:",
    "held-back:5",
    "sounds, things.",
)


def banned_in(text: str) -> list[str]:
    for allowed in ALLOWED:
        text = text.replace(allowed, "")
    text = re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`", "`", text))
    return [text[max(0, m.start() - 30) : m.end() + 30].replace("\n", " ") for m in BANNED.finditer(text)]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in ("glossary.md", "lecture.hu.md")], ids=lambda page: page.name
)
def test_a_page_uses_the_words_of_the_glossary(page: Path) -> None:
    assert banned_in(prose_of(page)) == []


def studio_texts(code: str) -> dict[str, str]:
    return json.loads((studio_folder() / "i18n" / f"{code}.json").read_text(encoding="utf-8"))


def test_the_studios_texts_use_the_words_of_the_glossary() -> None:
    texts = {key: re.sub(r"\{\w+\}", "", text) for key, text in studio_texts("en").items()}
    assert {key: found for key, text in texts.items() if (found := banned_in(text))} == {}


def test_the_studios_hungarian_texts_use_one_word_for_one_thing() -> None:
    found = {key: text for key, text in studio_texts("hu").items() if BANNED_HUNGARIAN.search(text)}
    assert found == {}


@pytest.mark.parametrize("verb", VERBS)
def test_help_uses_the_words_of_the_glossary(verb: str) -> None:
    top: Any = get_command(load_verb(verb).app)
    found = banned_in(VERBS[verb].summary)
    for command in getattr(top, "commands", {"": top}).values():
        found += banned_in(command.help or "")
        for parameter in command.params:
            found += banned_in((getattr(parameter, "help", "") or "").replace("things (20 classes", ""))
            found += banned_in(getattr(parameter, "rich_help_panel", "") or "")
    assert found == []
