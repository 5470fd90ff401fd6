"""Make the pictures of docs/detect.md: `python docs/tools/detect_reliability.py --data shared/data/voc`.

The reliability diagram is of the pictures of `--split`, which neither trained the model nor fitted its calibration.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from szem.data.boxed_folder import only_split, read_boxed, rename_classes
from szem.media.pictures import write_picture
from szem.media.samples import read_sample
from szem.runtime.cards import read_card
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.detection.detect import detect
from szem.tasks.detection.evaluate import calibration_error, find_all, rate_boxes, reliability, shared_classes
from szem.tasks.models import default_model

OUT = Path(__file__).resolve().parent.parent / "pictures"
_LOWEST = 0.1  # boxes of lower scores are hardly ever shown


def main() -> None:
    """Draw the diagram, raw scores beside calibrated ones, and boxes on a bundled CC0 photograph."""
    parser = argparse.ArgumentParser(description="Pictures of docs/detect.md.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    given = parser.parse_args()
    calibrated = default_model("detect")
    data = read_boxed(given.data)
    shared = shared_classes(data.classes, calibrated.labels)  # the data may name other classes than the model
    pictures = list(rename_classes(only_split(data, given.split), calibrated.labels, shared).pictures)
    raw = Model(read_card(calibrated.folder).model_copy(update={"calibration": None}), calibrated.folder)
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True)
    for axis, model, title in zip(axes, (raw, calibrated), ("raw scores", "calibrated, as shown"), strict=True):
        found = [boxes.keep(classes=tuple(shared.values())) for boxes in find_all(Session(model), pictures)]
        scores, right = rate_boxes(found, pictures, thresholds=np.full(len(model.labels), _LOWEST))
        rows = reliability(scores, right)
        axis.plot([0, 1], [0, 1], color="#999", linewidth=1, linestyle="--")
        axis.bar([m for m, _, _ in rows], [s for _, s, _ in rows], width=0.07, color="#0072b2")
        for mean, fraction, count in rows:
            axis.annotate(str(count), (mean, fraction), ha="center", va="bottom", fontsize=8)
        axis.set(
            xlim=(0, 1),
            ylim=(0, 1.05),
            xlabel="score",
            title=f"{title}: off by {calibration_error(scores, right):.3f}",
        )
    axes[0].set_ylabel("fraction that is right")
    figure.suptitle(f"{calibrated.name}, {len(pictures)} unseen pictures; figures count boxes", fontsize=10)
    figure.tight_layout()
    figure.savefig(OUT / "detect-reliability.png", dpi=110, metadata={"Software": None})
    picture = read_sample("cat")
    write_picture(OUT / "detect-cat.jpg", detect(picture).draw(picture))


if __name__ == "__main__":
    main()
