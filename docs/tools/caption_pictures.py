"""Make the pictures of docs/caption.md: python docs/tools/caption_pictures.py [FOLDER]."""

import argparse
from pathlib import Path

import cv2
import numpy as np

from szem.arrays import Picture8
from szem.media.pictures import write_picture
from szem.media.samples import SAMPLES, read_sample
from szem.tasks.captioning.caption import open_captioner

_WIDTH, _HEIGHT = 480, 360


def main(folder: Path) -> None:
    """The bundled pictures with their captions, good and bad, and where the network looked on one of them."""
    captioner = open_captioner()
    tiles = []
    for name in SAMPLES:
        picture = _fitted(read_sample(name))
        tiles.append(captioner([read_sample(name)])[0].draw(picture))
    height = max(len(tile) for tile in tiles)
    tiles = [np.pad(tile, ((0, height - len(tile)), (0, 0), (0, 0)), constant_values=18) for tile in tiles]
    rows = [np.concatenate(tiles[i : i + 3], axis=1) for i in range(0, len(tiles), 3)]
    print(write_picture(folder / "caption-samples.jpg", np.concatenate(rows, axis=0)))
    astronaut = read_sample("astronaut")
    sheet = captioner([astronaut], attention=True)[0].draw_attention(astronaut, columns=5, side_px=200)
    print(write_picture(folder / "caption-attention.jpg", sheet))


def _fitted(picture: Picture8) -> Picture8:
    """The middle of the picture, 4 : 3."""
    height, width = picture.shape[:2]
    w, h = min(width, height * 4 // 3), min(height, width * 3 // 4)
    top, left = (height - h) // 2, (width - w) // 2
    part = picture[top : top + h, left : left + w]
    return np.asarray(cv2.resize(part, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/pictures"), help="where they are written")
    main(parser.parse_args().folder)
