"""Make the pictures of docs/lipread.md: `python docs/tools/lipread_pictures.py --data shared/data/grid`.

Word error rate against noise, read from lips, sound and both, on sentences that neither trained nor tuned the reader;
and what the networks see and say of one of them.
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from szem.data.spoken import read_spoken
from szem.tasks.lipreading.evaluate import NOISE_KINDS, EvaluatedVideo, count_errors, noisy, prepare_videos, voices_of
from szem.tasks.lipreading.lipread import LipReader, open_lip_reader

OUT = Path(__file__).resolve().parent.parent / "pictures"
COLOURS = {"lips": "#0072b2", "sound": "#d55e00", "both": "#009e73"}
LEVELS_DB = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 20.0)


def main() -> None:
    """Draw both pictures; print the numbers of the first."""
    parser = argparse.ArgumentParser(description="Pictures of docs/lipread.md.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--videos", type=int, default=0, help="So many only; 0: all.")
    parser.add_argument("--study", action="store_true", help="Only the second picture.")
    given = parser.parse_args()
    reader = open_lip_reader(threads=1)
    videos = read_spoken(given.data, split=given.split).videos[: 1 if given.study else given.videos or None]
    taken = prepare_videos(reader, videos)
    if not given.study:
        rates = measure(reader, taken, voices_of(given.data, given.split))
        print(json.dumps(rates))
        draw_rates(rates, f"{reader.name}, {len(taken)} unseen sentences of one speaker (GRID s1)")
    draw_study(reader, taken[0])


def measure(
    reader: LipReader, taken: list[EvaluatedVideo], voices: list[np.ndarray]
) -> dict[str, dict[str, list[float]]]:
    """Kind of noise -> channel -> word error rate at each level."""
    truth = [item.video.words for item in taken]

    def rate(said: list[list[str]]) -> float:
        wrong, words = count_errors(truth, said)
        return wrong / words

    lips = rate([reader.read(t.seen, use="lips", check=False).transcript.text.split() for t in taken])
    found: dict[str, dict[str, list[float]]] = {}
    for kind in NOISE_KINDS:
        found[kind] = {"lips": [lips] * len(LEVELS_DB), "sound": [], "both": []}
        for level in LEVELS_DB:
            heard = [noisy(item, kind, level, voices) for item in taken]
            for use in ("sound", "both"):
                said = [reader.read(seen, use=use, check=False).transcript.text.split() for seen in heard]
                found[kind][use].append(rate(said))
    return found


def draw_rates(rates: dict[str, dict[str, list[float]]], title: str) -> None:
    """The picture of the page: three curves for each kind of noise."""
    figure, axes = plt.subplots(1, len(rates), figsize=(9.6, 4.2), sharey=True)
    for axis, (kind, rows) in zip(axes, rates.items(), strict=True):
        for use, values in rows.items():
            shown = np.maximum(values, 5e-4)
            axis.plot(LEVELS_DB, shown, color=COLOURS[use], marker="o", markersize=4, linewidth=2, label=use)
        axis.set(title=f"{kind} noise", xlabel="sound over noise, dB", yscale="log", ylim=(0.01, 2))
        axis.set_xticks(LEVELS_DB, [f"{level:g}" for level in LEVELS_DB])
        axis.set_yticks(
            [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2], ["1 %", "2 %", "5 %", "10 %", "20 %", "50 %", "100 %", "200 %"]
        )
        axis.minorticks_off()
        axis.grid(color="#ddd")
        axis.invert_xaxis()
    axes[0].set_ylabel("words wrong")
    axes[0].legend(frameon=False)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    figure.savefig(OUT / "lipread-noise.png", dpi=110, metadata={"Software": None})


def draw_study(reader: LipReader, item: EvaluatedVideo) -> None:
    """The chance of each word over time, and where the speller looked for each letter; no face, it is not ours."""
    found = reader.read(item.seen, use="lips", check=False)
    assert found.read is not None
    assert item.seen.track is not None
    figure, axes = plt.subplots(2, 1, figsize=(9.6, 5.4), height_ratios=(3, 4), sharex=True, layout="constrained")
    seconds = len(item.seen.track.crops) / 25
    rows = list(found.read.labels)
    probabilities = np.exp(found.read.probabilities[:, rows]).T
    axes[0].imshow(probabilities, aspect="auto", cmap="magma", extent=(0, seconds, len(rows), 0), vmin=0, vmax=1)
    axes[0].set_yticks(np.arange(len(rows)) + 0.5, [reader.networks.words[label - 1] for label in rows])
    axes[0].set_title("chance of each word", fontsize=9)
    spelled = found.read.spelled
    axes[1].imshow(spelled.attention, aspect="auto", cmap="magma", extent=(0, seconds, len(spelled.text), 0))
    letters = [letter if letter != " " else "·" for letter in spelled.text]
    axes[1].set_yticks(np.arange(len(letters)) + 0.5, letters, fontsize=7)
    axes[1].set(xlabel="seconds")
    axes[1].set_title("where the speller looks for each letter", fontsize=9)
    said = f'read from the lips: "{spelled.text}"; said: "{" ".join(item.video.words)}"'
    figure.suptitle(said, fontsize=10)
    figure.savefig(OUT / "lipread-study.png", dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
