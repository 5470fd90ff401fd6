"""Make the picture of docs/listen.md: python docs/tools/listen_pictures.py DATA [FOLDER].

What `sounds` takes each kind for, on the clips of both sets that it was neither trained nor tuned on.
"""

import argparse
from pathlib import Path

import numpy as np

from szem.data.sounds import in_split, read_labelled_sounds
from szem.media.sound import read_sound
from szem.tasks.audio.evaluate import name_clip
from szem.tasks.audio.listen import Listener
from szem.tasks.models import open_model


def main(data: Path, folder: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    listener = Listener(open_model("sounds", task="listen", threads=1))
    names = listener.names
    counts = np.zeros((len(names), len(names)), int)
    for one in in_split(read_labelled_sounds(data / "sounds"), "test"):
        found = name_clip(listener, read_sound(one.path, rate_hz=listener.rate_hz))
        counts[names.index(one.kind), names.index(found)] += 1
    fractions = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure, axis = plt.subplots(figsize=(8.6, 7.6))
    axis.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        color = "white" if fractions[row, column] > 0.5 else "black"
        axis.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8, color=color)
    axis.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axis.set_yticks(range(len(names)), [f"{n} ({c})" for n, c in zip(names, counts.sum(1), strict=True)])
    axis.set_xlabel("taken for")
    axis.set_ylabel("is (clips)")
    figure.tight_layout()
    figure.savefig(folder / "listen-confusion.png", dpi=100)
    print(folder / "listen-confusion.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the data, with sounds/ in it")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/pictures"), help="where it is written")
    given = parser.parse_args()
    main(given.data, given.folder)
