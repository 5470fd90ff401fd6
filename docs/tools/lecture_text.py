"""Write docs/lecture.md and docs/lecture.hu.md from the studio's lecture: `python docs/tools/lecture_text.py`.

The text has one source, `src/szem/studio/lecture/`: the studio shows it beside its pages, and these two pages are the
hand-out of the same. `tests/studio/test_lecture.py` fails where they differ.
"""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

from szem.studio import studio_folder

DOCS = Path(__file__).resolve().parents[1]
FILES = {"en": "lecture.md", "hu": "lecture.hu.md"}
STUDIO = "http://127.0.0.1:8777/#/"
START = ["```sh", "pip install .", "szem studio", "```"]


def read(name: str) -> Any:
    """A file of the studio's lecture."""
    return json.loads((studio_folder() / "lecture" / f"{name}.json").read_text(encoding="utf-8"))


def wrap(text: str) -> str:
    """A paragraph in lines of at most 118 characters; links are not broken."""
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def step_text(number: int, step: dict[str, Any], words: dict[str, Any], lang: str) -> str:
    """One step of the hand-out."""
    said = words["steps"][step["name"]]
    pictures = [name.replace("{lang}", lang) for name in step["pictures"]]
    shown = [f"![{alt}](pictures/{name})" for alt, name in zip(said["pictures"], pictures, strict=True)]
    suffix = "" if lang == "en" else "&lang=hu"
    addresses = [link + (suffix if "?" in link else suffix.replace("&", "?")) for link in step["links"]]
    links = [f"[{text}]({STUDIO}{to})" for text, to in zip(said["links"], addresses, strict=True)]
    blocks = [f"## {number} {said['title']}", shown[0], wrap(said["text"]), *shown[1:]]
    blocks.append("\n".join(["```sh", *step["commands"], "```"]))
    blocks += [wrap(said["note"])] if "note" in said else []
    blocks.append(f"{words['studio']}: " + " ·\n".join(links))
    for part in (said, *said.get("pages", {}).values()):
        if part is not said:
            blocks.append(wrap(f"**{part['title']}** {part['text']}"))
        blocks.append(wrap(f"*{words['look']}:* {part['look']}"))
        blocks.append(wrap(f"*{words['ask']}:* {part['question']}"))
    if "more" in step:
        pairs = zip(said["more"], step["more"], strict=True)
        blocks.append(f"{words['more']}: " + ", ".join(f"[{text}]({to})" for text, to in pairs) + ".")
    return "\n\n".join(blocks)


def lecture_text(lang: str) -> str:
    """The whole hand-out in one language.

    >>> lecture_text("en").splitlines()[0]
    '# From pixels to pictures from text'
    """
    steps, words = read("steps"), read(lang)
    other = FILES["hu" if lang == "en" else "en"]
    numbered = list(enumerate(steps, 1))
    cells = []
    for part in words["parts"]:
        names = [(n, words["steps"][s["name"]]["title"]) for n, s in numbered if s["part"] == part]
        cells.append(" · ".join(f"[{n} {title.split(':')[0]}](#{anchor(f'{n} {title}')})" for n, title in names))
    table = [f"| {' | '.join(words['parts'].values())} |", "|---|---|---|", f"| {' | '.join(cells)} |"]
    head = [f"# {words['title']}", f"*[{words['other']}]({other})*", *map(wrap, words["intro"]), "\n".join(START)]
    body = [step_text(n, step, words, lang) for n, step in numbered]
    foot = ["---", wrap(words["credits"])]
    return "\n\n".join([*head, wrap(words["after"]), "\n".join(table), *body, *foot]) + "\n"


if __name__ == "__main__":
    for lang, name in FILES.items():
        (DOCS / name).write_text(lecture_text(lang), encoding="utf-8")
