"""The sheet of what a detector is about to be taught."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from szem.train.detection.contact_sheet import draw_contact_sheet
from szem.train.detection.training_sets import read_set, read_unlabelled
from szem.train.recipes import load_recipe


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three grey pictures, a cat in the left half of each."""
    folder = tmp_path / "cats"
    (folder / "images").mkdir(parents=True)
    for n in range(3):
        Image.new("RGB", (120, 80), (90, 90, 90)).save(folder / "images" / f"{n}.png")
    images = [{"id": n, "file_name": f"{n}.png", "width": 120, "height": 80} for n in range(3)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [10, 10, 40, 60]} for n in range(3)]
    categories = [{"id": 1, "name": "cat"}]
    text = json.dumps({"images": images, "annotations": boxes, "categories": categories})
    (folder / "instances.json").write_text(text)
    return folder


def test_each_set_has_a_heading_and_tiles_whose_boxes_lie_on_the_objects(data: Path) -> None:
    sets = [read_set(str(data), ("cat", "dog")), read_unlabelled(data, ("cat", "dog"), most=2)]
    sheet = draw_contact_sheet(sets, ("cat", "dog"), columns=4, rows=1)
    assert sheet.shape == (2 * (40 + 240), 4 * 240, 3)
    first, fourth, bare = sheet[40:280, :240], sheet[40:280, 720:], sheet[320:560, :240]
    assert (fourth == 255).all()  # three pictures, four places
    coloured = np.ptp(first[:160].astype(int), axis=2) > 20  # the picture is grey, the box is not
    columns = np.flatnonzero(coloured[60:110].any(0))
    assert abs(columns.min() - 20) <= 3  # the box reaches from 10 to 50 of 120 pixels, drawn at twice the size
    assert abs(columns.max() - 100) <= 3
    assert np.ptp(bare[:160].astype(int), axis=2).max() == 0  # pictures without labels have no box


def test_training_a_detector_offers_the_sheet_of_its_sets(data: Path, tmp_path: Path) -> None:
    recipe = load_recipe(
        "detect", [f'data="{data}"', f'unlabelled=["{data}"]', f'cache="{tmp_path}"', "hold_back=false"]
    )
    sheet = recipe.contact_sheet()
    assert sheet.shape == (2 * (40 + 240), 7 * 240, 3)
