"""The recipe of the shipped detector from end to end, in seconds: recentre, fine-tune, mix, fit again, calibrate."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.models import blend_detector, finetune_ssd, recentre_ssd, silence_drawn
from scripts.models.ssd_drawings import draw_vehicles
from szem import detect
from szem.runtime.cards import read_card
from szem.runtime.store import find_model

SIDE = 96  # of the input: a sixteenth of the work


def write_cars(folder: Path, *, count: int, split: str) -> None:
    """A set of drawn cars in COCO's form, with the class that the network calls so."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(count):
        picture, boxes = draw_vehicles(np.random.default_rng(number))
        Image.fromarray(picture).save(folder / "images" / f"{number}.png")
        height, width = picture.shape[:2]
        images.append({"id": number, "file_name": f"{number}.png", "width": width, "height": height, "split": split})
        for x0, y0, x1, y1 in boxes.tolist():
            box = {"image_id": number, "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0]}
            annotations.append(box | {"id": len(annotations), "area": (x1 - x0) * (y1 - y0), "iscrowd": 0})
    written = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "car"}]}
    (folder / "instances.json").write_text(json.dumps(written))


@pytest.mark.slow
def test_the_recipe_runs_from_end_to_end(tmp_path: Path) -> None:
    write_cars(tmp_path / "cars", count=4, split="train")
    write_cars(tmp_path / "other", count=3, split="val")
    begin, run, out = tmp_path / "ssd", tmp_path / "run", tmp_path / "blend"
    cars = f"{tmp_path / 'cars'}:train"
    words = ["--begin", str(find_model("detect").folder), "--boxes", cars, "--side", str(SIDE), "--out", str(begin)]
    recentre_ssd.main(words)
    for _ in range(2):  # the second call goes on
        words = ["--begin", str(begin), "--out", str(run), "--steps", "2", "--batch", "2"]
        finetune_ssd.main([*words, "--labelled", cars, "--unlabelled", str(tmp_path / "other")])
    blend_detector.main(
        [
            *("--run", str(run), "--begin", str(begin), "--fraction", "0.35", "--side", str(SIDE)),
            *("--taught", str(tmp_path / "cars"), "--refit", cars, "--drawn", "3"),
            *("--calibrate", f"{tmp_path / 'other'}:val", "--overlaps", *["0.5", "0.8", "0.95", "0.5", "0.58"]),
            *("--out", str(out)),
        ]
    )
    card = read_card(out)
    assert (card.input.width_px, len(card.labels or ())) == (SIDE, 80)
    assert card.constants["overlap.across"] == 0.8
    words = ["--begin", str(out), "--classes", "clock", "--keep", cars, "--drawn", "2"]
    silence_drawn.main([*words, "--out", str(tmp_path / "silent")])
    assert read_card(tmp_path / "silent").sha256 != card.sha256
    found = detect(tmp_path / "cars" / "images" / "0.png", model=out, threshold=0.0)
    assert len(found.scores) > 0
