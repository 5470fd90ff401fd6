"""How often safe search suspects photographs that are fit for work: the scores on the card of `nsfw`.

    python -m scripts.models.safe_search_rate --data shared/data

The first so many pictures of each set, by name: nothing here is pornographic, so each one that is suspected is wrong.
"""

import argparse
from pathlib import Path

import numpy as np

from szem.media.pictures import read_picture
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    scores = suspicions(parser.parse_args().data)
    for least in (0.1, 0.3, 0.6, 0.85):
        print(f"{least}: {np.mean(scores >= least):.4f} of {len(scores)}")
