"""Make the pictures of docs/generate.md: python docs/tools/generate_pictures.py [FOLDER].

With --nearest DATA: no pictures for the page, but a sheet of drawings, each with the training photographs nearest to
it, into FOLDER (they were given for research, so it is not for publication), and how near they are, printed.
"""

import argparse
from pathlib import Path

import numpy as np

from szem.arrays import Picture8
from szem.data.flowers_birds.drawables import read_drawables
from szem.media.pictures import read_picture, write_picture
from szem.results.generated import tile_pictures
from szem.tasks.captioning.caption import open_captioner
from szem.tasks.classification.features import ClassifierFeatures
from szem.tasks.generation.generate import EXAMPLES, open_generator

SENTENCES = (
    *EXAMPLES,
    "this flower has pink petals and a yellow center",
    "a yellow sunflower with many long petals and a brown center",
    "this flower is purple with ruffled petals",
    "a red rose with layered petals",
    "the petals of this flower are blue",
    "an orange flower on a dark background",
    "this bird is yellow with black wings",
    "a small blue bird with a short pointed beak",
    "this bird is white and grey with a long hooked beak",
    "a red bird with a black face",
)
SEED = 7


def page(folder: Path) -> None:
    """Grids as they come, both stages, a walk, influence, and what the captioner says."""
    generator = open_generator()
    for number, text in enumerate(SENTENCES):
        print(write_picture(folder / f"generate-{number + 1:02}.jpg", generator(text, n=9, seed=SEED).sheet()))
    stages = generator(EXAMPLES[0], n=4, seed=SEED).sheet(stages=True, zoom=2)
    print(write_picture(folder / "generate-stages.jpg", stages))
    video = generator.between(SENTENCES[2], SENTENCES[4], frames=8, seed=SEED)
    print(write_picture(folder / "generate-walk.jpg", tile_pictures(video, columns=8)))
    for word in generator.influence(EXAMPLES[0], seed=SEED):
        print(f"  {word.fraction:5.1%}  {word.word}")
    captioner = open_captioner()
    for text in SENTENCES:
        said = captioner([generator(text, seed=SEED).pictures[0]])[0]
        print(f"  {text}  ->  {said.text} ({said.confidence:.0%})")


def nearest(data: Path, folder: Path, *, each: int = 4) -> None:
    """Drawings beside the training photographs nearest to them, and the same for held-back photographs."""
    look, generator = ClassifierFeatures(), open_generator()
    trained = read_drawables(data, split="train")
    known = _unit(
        np.concatenate([look([read_picture(t.path) for t in trained[i : i + 64]])[0] for i in _steps(trained)])
    )
    drawn = [p for text in SENTENCES for p in generator(text, n=each, seed=SEED).pictures]
    held = [read_picture(one.path) for one in read_drawables(data, split="val")[::10]]
    tiles: list[Picture8] = []
    for name, pictures in (("drawings", drawn), ("held-back photographs", held)):
        fit = _unit(look(pictures)[0]) @ known.T
        best = np.sort(fit, axis=1)[:, -1]
        print(
            f"nearest training photograph of {name}: cosine {np.median(best):.3f} (median), {best.max():.3f} (most)"
        )
        if name == "drawings":
            for picture, row in zip(drawn, fit, strict=True):
                tiles += [picture, *(read_picture(trained[i].path) for i in np.argsort(-row)[:2])]
    print(write_picture(folder / "nearest.jpg", tile_pictures(tiles, columns=3 * each)))


def _steps(items: list[object] | list[Picture8] | object) -> range:
    return range(0, len(items), 64)  # type: ignore[arg-type]


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/pictures"))
    parser.add_argument("--nearest", type=Path, metavar="DATA")
    given = parser.parse_args()
    if given.nearest:
        nearest(given.nearest, given.folder)
    else:
        page(given.folder)
