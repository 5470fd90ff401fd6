"""Every verb, once, on small inputs: for tests that hold for all of them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from typer.main import get_command

from szem.cli.verbs import VERBS, load_verb
from szem.media.pictures import write_picture
from szem.media.samples import sample_path
from szem.media.sound import write_sound
from szem.media.video_writer import VideoWriter

__all__ = ["APART", "RUNS", "commands", "make_inputs", "words_of"]

# Words of the verb -> what it is given; {} is the stem of the inputs, see `make_inputs`.
RUNS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("look",): ("-t", "colors", "--json", "--", "{}.png"),
    ("classify",): ("--", "{}.png"),
    ("segment",): ("-m", "road", "-o", "out/", "--", "{}.png"),
    ("detect",): ("-o", "out/", "--write", "video,json,csv,coco", "--", "{}.mp4"),
    ("caption",): ("--beam", "1", "--", "{}.png"),
    ("read",): ("-o", "out/", "--", "{}.png"),
    ("search",): ("a cat", "--", "{}"),
    ("generate",): ("a red flower", "--n", "1", "-o", "out/{}.png"),
    ("lipread",): ("--", "{}.mp4"),
    ("listen",): ("--vtt", "-o", "out/", "--", "{}.wav"),
    ("watch",): ("--store", "store{}", "--", "{}.mp4"),
    ("events", "list"): ("--store", "store{}"),
    ("events", "show"): ("--store", "store{}", "1"),
    ("events", "mark"): ("--store", "store{}", "--right", "1"),
    ("events", "export"): ("--store", "store{}", "--out=out/{}.csv"),
    ("explain",): ("--no-time", "-o", "out/", "--", "{}.png"),
    ("filter",): ("--kernel", "sobel-x", "-o", "out/", "--", "{}.png"),
    ("models", "list"): (),
    ("models", "show"): ("detect",),
    ("models", "add"): ("--task", "classify", "--name", "mine", "--labels={}.txt", "--", "{}.onnx"),
    ("models", "remove"): ("nothing",),
    ("data", "check"): ("--no-suspects", "--", "{}"),
    ("data", "split"): ("--out=split{}", "--", "{}"),
    ("data", "convert"): ("--out=converted{}", "--to", "csv", "--", "{}"),
    ("eval",): ("efficientnet-lite0", "--data={}"),
}
APART = {("serve",), ("studio",), ("train",), ("export",)}  # servers, and what needs the extra `train`


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Words and command of every verb, and of the verbs below a group."""
    for verb in VERBS:
        command: Any = get_command(load_verb(verb).app)
        below = getattr(command, "commands", {})
        yield from (((verb, name), one) for name, one in below.items()) if below else [((verb,), command)]


def words_of(words: tuple[str, ...], stem: str) -> list[str]:
    """A run as it is typed."""
    return [*words, *(part.replace("{}", stem) for part in RUNS[words])]


def make_inputs(stem: str) -> None:
    """A picture, video, sound, damaged network, text, and folder of classes, all of one name, in the working
    folder."""
    rng = np.random.default_rng(0)
    shutil.copy(sample_path("cat"), f"{stem}.png")
    with VideoWriter(f"{stem}.mp4", rate_hz=10) as video:
        for _ in range(3):
            video.write(rng.integers(0, 256, (64, 64, 3), np.uint8))
    write_sound(f"{stem}.wav", np.zeros(16_000, np.float32), rate_hz=16_000)
    Path(f"{stem}.onnx").write_bytes(b"no network")
    Path(f"{stem}.txt").write_text("a\nb\n")
    for name, shade in (("goldfish", 20), ("tiger cat", 200)):
        for index in range(5):
            noise = rng.integers(0, 40, (40, 40, 3), np.uint8) + np.uint8(shade)
            write_picture(Path(stem, name, f"{index}.png"), noise)
