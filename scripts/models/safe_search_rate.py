"""How often safe search suspects photographs that are fit for work: the scores on the card of `nsfw`.

    python -m scripts.models.safe_search_rate --data shared/data

The first so many pictures of each set, by name: nothing here is pornographic, so each one that is suspected is wrong.
Then how the same score tells photographs with much bare skin (two people's sentences of Flickr8k say so) from other
photographs of people.
"""

import argparse
import re
from pathlib import Path

import numpy as np

from szem.media.pictures import read_picture
from szem.tasks.captioning.evaluate import read_split
from szem.tasks.classification.classify import Classifier
from szem.tasks.models import open_model

SETS = {
    "voc/images/*": 700,
    "coco*/images/*": 300,
    "flickr8k/images/*": 600,
    "faces/images/*": 300,
    "flowers/images/**/*": 150,
    "birds/images/**/*": 100,
    "animals/images/**/*": 100,
}


def suspicions(data: Path) -> np.ndarray:
    """The network's score for "not fit for work" of each picture."""
    classifier = Classifier(open_model("nsfw", task="classify", threads=1), workers=1)
    files = [file for pattern, most in SETS.items() for file in sorted(data.glob(pattern))[:most] if file.is_file()]
    return np.array([classifier.scores(read_picture(file))[1] for file in files])


SKIN = re.compile(
    r"\b(bikinis?|swimsuits?|bathing suits?|lingerie|underwear|topless|shirtless|naked|nude|bra|bare ?chested|"
    r"speedo|swim(ming)? trunks)\b",
    re.IGNORECASE,
)
PERSON = re.compile(r"\b(man|men|woman|women|girls?|boys?|person|people|child|children)\b", re.IGNORECASE)
OTHERS = 700  # photographs of people, the first by name


def bare_skin(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """The network's score of pictures with much bare skin, and of other pictures of people."""
    folder = data / "flickr8k"
    sentences = {**read_split(folder, "train"), **read_split(folder, "val")}
    bare, others = [], []
    for file, people in sorted(sentences.items()):
        says = sum(bool(SKIN.search(text)) for text in people)
        if says >= 2:
            bare.append(file)
        elif not says and sum(bool(PERSON.search(text)) for text in people) >= 4:
            others.append(file)
    classifier = Classifier(open_model("nsfw", task="classify", threads=1), workers=1)
    return tuple(
        np.array([classifier.scores(read_picture(file))[1] for file in files]) for files in (bare, others[:OTHERS])
    )  # type: ignore[return-value]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    scores = suspicions(data)
    for least in (0.1, 0.3, 0.6, 0.85):
        print(f"{least}: {np.mean(scores >= least):.4f} of {len(scores)}")
    bare, others = bare_skin(data)
    for least in (0.1, 0.3):
        print(f"bare skin, {least}: {np.mean(bare >= least):.3f} of {len(bare)}", end=", ")
        print(f"others {np.mean(others >= least):.3f} of {len(others)}")
    print(f"area under the curve: {(bare[:, None] > others).mean():.3f}")
