"""The table of docs/caption.md: twenty pictures drawn by a fixed seed, what was said, what people said.

python docs/tools/caption_table.py shared/data/flickr8k
"""

import argparse
from pathlib import Path

import numpy as np

from szem.data.words import split_words
from szem.media.pictures import read_picture
from szem.tasks.captioning.bleu_cider import Cider
from szem.tasks.captioning.caption import open_captioner
from szem.tasks.captioning.evaluate import read_split


def main(folder: Path) -> None:
    """Print the table as Markdown."""
    pictures = read_split(folder, "val")
    files = list(pictures)
    cider = Cider([[split_words(text) for text in texts] for texts in pictures.values()])
    captioner = open_captioner()
    print("| picture | confidence | szem | people (the first of five) | CIDEr-D |\n|---|---|---|---|---|")
    for number in sorted(np.random.default_rng(2026).choice(len(files), 20, replace=False)):
        file = files[number]
        said = captioner([read_picture(file)])[0]
        score = cider.score(split_words(said.text), int(number))
        text = f"{said.text} ({said.source})" if said.text else "(none)"
        people = pictures[file][0].rstrip(" .")
        print(f"| {file.stem} | {said.confidence:.0%} | {text} | {people} | {score:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="of Flickr8k")
    main(parser.parse_args().folder)
