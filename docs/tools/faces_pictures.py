"""Make the pictures of docs/faces.md: python docs/tools/faces_pictures.py [FOLDER].

All are made from the bundled portrait (NASA, public domain).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from szem.arrays import Picture8
from szem.media.pictures import write_picture
from szem.media.samples import read_sample
from szem.tasks.faces.detect import open_faces
from szem.tasks.faces.mouth_crops import follow_mouth

_SIDE = 300


def main(folder: Path) -> None:
    """Faces as found in hard pictures, and a mouth followed through a film of a head that nods and comes nearer."""
    finder = open_faces()
    portrait = read_sample("astronaut")
    near = portrait[:320, 60:380]
    small = np.full((512, 512, 3), 60, np.uint8)
    small[300:428, 250:378] = cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA)
    hard = [
        near,
        np.ascontiguousarray(np.rot90(near, 3)),
        (near * 0.12).astype(np.uint8),
        np.asarray(cv2.GaussianBlur(near, (0, 0), 4), np.uint8),
        np.ascontiguousarray(near[:160, :190]),
        small,
    ]
    drawn = [finder(picture).draw(picture) for picture in hard]
    print(write_picture(folder / "faces-hard.jpg", _sheet([_square(picture) for picture in drawn], columns=3)))
    track = follow_mouth(_video(near), finder=finder)
    frames = [track.draw(picture, place) for place, (_, picture) in enumerate(_video(near))]
    shown = range(0, len(frames), 4)
    above = np.concatenate([_square(frames[i]) for i in shown], axis=1)
    crops = [cv2.resize(track.crops[i], (_SIDE, _SIDE * 48 // 80), interpolation=cv2.INTER_CUBIC) for i in shown]
    below = np.repeat(np.concatenate(crops, axis=1)[..., None], 3, axis=2)
    print(write_picture(folder / "faces-mouth.jpg", np.concatenate([above, below])))


def _video(face: Picture8) -> Iterator[tuple[float, Picture8]]:
    for number in range(24):
        time_s = number / 25
        turn = cv2.getRotationMatrix2D((160, 160), 22 * np.sin(5 * time_s), 0.7 + 0.4 * time_s)
        turn[:, 2] += (40 * np.sin(4 * time_s), 0)
        picture = cv2.warpAffine(face, turn, (320, 320), borderValue=(110, 110, 110))
        yield time_s, np.asarray(picture, np.uint8)


def _square(picture: Picture8) -> Picture8:
    height, width = picture.shape[:2]
    side = max(height, width)
    canvas = np.full((side, side, 3), 235, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = picture
    return np.asarray(cv2.resize(canvas, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _sheet(pictures: list[Picture8], *, columns: int) -> Picture8:
    rows = [np.concatenate(pictures[i : i + columns], axis=1) for i in range(0, len(pictures), columns)]
    return np.concatenate(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/pictures"), help="where they are written")
    main(parser.parse_args().folder)
