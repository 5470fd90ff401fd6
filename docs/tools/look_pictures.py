"""Make the pictures of docs/look.md: python docs/tools/look_pictures.py [FOLDER]."""

import sys
from pathlib import Path

from szem.media.pictures import write_picture
from szem.media.samples import read_sample
from szem.tasks.look import Looker


def main(folder: Path) -> None:
    """Look at two bundled pictures and write what was seen."""
    looker = Looker(["labels", "colors", "crops", "sharpness"])
    for name in ("coffee", "cat"):
        picture = read_sample(name)
        print(write_picture(folder / f"look-{name}.jpg", looker(picture).draw(picture)))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures"))
