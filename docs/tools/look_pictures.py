"""Make the pictures of docs/look.md: python docs/tools/look_pictures.py [FOLDER]."""

import argparse
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/pictures"), help="where they are written")
    main(parser.parse_args().folder)
