"""The studio's words: both languages say everything, with the same places to fill in."""

import json
import re
from pathlib import Path

import pytest

from szem.runtime.store import list_models
from szem.studio import studio_folder
from szem.tasks.surveillance.settings import KINDS

LANGUAGES = ("en", "hu")
SOURCES = sorted((studio_folder() / "js").rglob("*.js"))


def words(code: str) -> dict[str, str]:
    return json.loads((studio_folder() / "i18n" / f"{code}.json").read_text(encoding="utf-8"))


def test_both_languages_have_the_same_keys_in_the_same_order() -> None:
    assert list(words("en")) == list(words("hu"))


def test_a_text_has_the_same_places_to_fill_in_in_both_languages() -> None:
    english, hungarian = words("en"), words("hu")
    places = {key: sorted(set(re.findall(r"\{(\w+)\}", text))) for key, text in english.items()}
    assert {key: sorted(set(re.findall(r"\{(\w+)\}", text))) for key, text in hungarian.items()} == places


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_text_is_empty_but_those_meant_to_be(code: str) -> None:
    empty = {key for key, text in words(code).items() if not text.strip()}
    assert empty <= {"border.valid.note", "recognise.names-note"}


# Names, and words that both languages write alike.
SHARED = {
    "Kernel",
    "zebra",
    "pizza",
    "hot dog",
    "laptop",
    "Neuron",
    "Maximum",
    "maximum",
    "WebGL2",
    "ONNX Runtime",
    "Sobel",
    "Prewitt",
    "Scharr",
    "Gabor",
    "setosa:",
}


def test_hungarian_is_not_left_in_english() -> None:
    english, hungarian = words("en"), words("hu")
    same = {text for key, text in english.items() if text == hungarian[key]}
    said = {text: re.sub(r"\{\w+\}", "", text).strip() for text in same}
    left = {text for text, plain in said.items() if sum(c.isalpha() for c in plain) > 3 and plain not in SHARED}
    assert not left, left


def test_hungarian_uses_the_words_of_the_glossary() -> None:
    glossary = (Path(__file__).resolve().parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]*?) ?\|$", glossary.split("## Hungarian")[1], re.MULTILINE)[1:]
    refused = {word.strip()[:6] for *_, words_ in rows for word in words_.split(",") if word.strip(" -")}
    assert refused == {"tágíto", "tágítá", "normál"}
    lecture = (studio_folder() / "lecture" / "hu.json").read_text(encoding="utf-8")
    texts = [*words("hu").values(), *re.findall(r'"((?:[^"\\\\]|\\\\.)*)"', lecture)]
    wrong = [text for text in texts if any(word in text.lower() for word in refused)]
    assert not wrong, wrong


def test_every_key_the_pages_name_is_there() -> None:
    known = set(words("en"))
    asked = set()
    for path in SOURCES:
        asked |= set(re.findall(r'\bt\("([\w.-]+)"', path.read_text(encoding="utf-8")))
    assert asked, "no keys found: the pattern is out of date"
    assert asked <= known, sorted(asked - known)


def test_every_kind_of_event_has_a_name() -> None:
    """In both languages: what is seen, and what each installed model hears."""
    heard = {name for model in list_models(task="listen") for name in model.card.groups or model.labels}
    keys = {f"guard.kind.{re.sub('[^a-z]+', '-', kind)}" for kind in {*KINDS, *heard}}
    assert sorted(keys - set(words("en"))) == []


def test_no_key_is_there_for_nothing() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    named = set(re.findall(r'(?<=["`])[\w.-]+(?=["`])', text))
    unused = []
    for key in words("en"):
        whole = key in named
        # keys put together at run time: t(`view.${name}.title`), t(`problem.${code}.remedy`)
        parts = key.split(".")
        built = any(
            f"`{'.'.join(parts[:i])}.${{" in text or f"`{'.'.join(parts[:i])}.{parts[i]}.${{" in text
            for i in range(1, len(parts))
        )
        if not (whole or built):
            unused.append(key)
    assert not unused, unused


def test_files_hold_no_address_of_another_machine() -> None:
    allowed = (
        "http://www.w3.org/",
        "http://scripts.sil.org",
        "https://scripts.sil.org",
        "https://openfontlicense.org",
        "https://github.com/googlefonts",
    )
    for path in studio_folder().rglob("*"):
        if path.suffix not in {".js", ".css", ".html", ".json", ".svg"}:
            continue
        for address in re.findall(r"https?://[\w.-]+[^\s\"'`)]*", path.read_text(encoding="utf-8")):
            host_is_filled_in = "${" in address or address.startswith("http://127.0.0.1")
            assert host_is_filled_in or address.startswith(allowed), f"{path.name}: {address}"


def test_every_page_of_the_table_has_its_words() -> None:
    table = (studio_folder() / "js" / "pages.js").read_text(encoding="utf-8")
    names = re.findall(r'name: "(\w+)"', table)
    assert "kernels" in names
    for code in LANGUAGES:
        for name in names:
            for part in ("nav", "title"):
                assert words(code)[f"page.{name}.{part}"], f"{code}: page.{name}.{part}"


def test_files_stay_short() -> None:
    for path in SOURCES:
        assert len(path.read_text(encoding="utf-8").splitlines()) < 500, path.name


def test_the_page_itself_holds_no_inline_script_or_style() -> None:
    html = Path(studio_folder() / "index.html").read_text(encoding="utf-8")
    assert "<style" not in html
    assert " style=" not in html
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"\son\w+=", html)
