"""Make the pictures of docs/classify.md, from bundled CC0 photographs: `python docs/tools/classify_pictures.py`."""

from pathlib import Path

import numpy as np

from szem.media.pictures import write_picture
from szem.media.samples import read_sample
from szem.tasks.classification.classify import classify

OUT = Path(__file__).resolve().parent.parent / "pictures"


def main() -> None:
    """Draw each sample beside its best label's activation map, and print the labels."""
    for name in ("cat", "coffee"):
        picture = read_sample(name)
        labels = classify(picture, top=5, maps=True)
        gap = np.full((picture.shape[0], 8, 3), 255, np.uint8)
        write_picture(OUT / f"classify-{name}.jpg", np.concatenate([picture, gap, labels.draw(picture)], axis=1))
        print(name, [(label.name, round(label.score, 3)) for label in labels])


if __name__ == "__main__":
    main()
