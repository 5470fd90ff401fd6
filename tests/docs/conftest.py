"""The files that the documents' commands and examples name."""

import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

import szem
from szem.media.drawing import FONT_FILE
from szem.media.samples import read_sample
from szem.runtime.store import shipped_folder

from .films import make_film, make_sound


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that the pages name."""
    folder = tmp_path_factory.mktemp("samples")
    small = read_sample("cat")[::2, ::2]
    for name in ("photo.jpg", "street.jpg", "bench.jpg", "holiday.jpg", "-odd-name.jpg", "cat.png"):
        szem.write_picture(folder / name, small)
    for name in ("holiday", "site", "drawn", "scans"):
        (folder / name).mkdir()
    szem.write_picture(folder / "holiday" / "a.jpg", small)
    szem.write_picture(folder / "drawn" / "1-1.png", small[:128, :128])
    szem.write_picture(folder / "scans" / "a.tif", small)
    szem.write_picture(folder / "site" / "cat.jpg", small)
    (folder / "site" / "index.html").write_text('<html><body><img src="cat.jpg"></body></html>\n')
    for name in ("letter.jpg", "sign.jpg"):
        letter = Image.new("RGB", (320, 120), "white")
        font = ImageFont.truetype(FONT_FILE, 26)
        ImageDraw.Draw(letter).multiline_text((20, 20), "Kedves Éva,\nitt minden jó.", fill="black", font=font)
        letter.save(folder / name)
    letter.save(folder / "scan.pdf")
    face = read_sample("astronaut")[:256, 96:352]
    szem.write_picture(folder / "group.jpg", face)
    make_film(folder / "talk.mp4", face)
    for name in ("a.jpg", "b.jpg"):
        szem.write_picture(folder / name, small)
    film = make_film(folder / "video.mp4", small)
    for name in ("street.mp4", "clip.mp4", "talking.mp4", "word.mp4", "hall.mp4"):
        shutil.copy(film, folder / name)
    for name in ("films", "recordings", "more"):
        (folder / name).mkdir()
    shutil.copy(film, folder / "films" / "a.mp4")
    shutil.copy(film, folder / "more" / "b.mkv")
    for name in ("street.wav", "night.flac", "recordings/a.wav", "alarm.wav"):
        make_sound(folder / name)
    shutil.copy(shipped_folder() / "efficientnet-lite0" / "model.onnx", folder / "mine.onnx")
    return folder
