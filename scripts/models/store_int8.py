"""Store files of a model's folder with 8-bit weights, arithmetic as before, and bring its card up to date.

    python -m scripts.models.store_int8 src/szem/weights/draw sketch refine encode sentence

Scores are to be measured again afterwards: `szem eval`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from szem.runtime.cards import hash_file, read_card, write_card
from szem.train.int8_weights import store_as_int8

__all__ = ["store_files"]


def store_files(folder: Path, stems: Sequence[str]) -> None:
    """Rewrite the ONNX files of these stems in place; sizes and checksums on the card follow."""
    card = read_card(folder)
    for stem in stems:
        store_as_int8(folder / f"{stem}.onnx")
    parts = {
        role: part.model_copy(
            update={"sha256": hash_file(folder / part.file), "size_bytes": (folder / part.file).stat().st_size}
        )
        for role, part in card.parts.items()
    }
    main = folder / card.file
    write_card(
        folder,
        card.model_copy(update={"parts": parts, "sha256": hash_file(main), "size_bytes": main.stat().st_size}),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("stems", nargs="+", metavar="STEM", help="file names without .onnx")
    arguments = parser.parse_args()
    store_files(arguments.folder, arguments.stems)
