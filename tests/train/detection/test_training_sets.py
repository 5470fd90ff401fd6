"""Sets of pictures with boxes: one list of classes, what is complete, what is held back, pictures without labels."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from szem.errors import FileMissingError, TrainError
from szem.train.detection.training_sets import hold_back, read_set, read_unlabelled


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six pictures with a sofa and a lamp each; the last one is for validation."""
    folder = tmp_path / "rooms"
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for n in range(1, 7):
        Image.new("RGB", (40, 30)).save(folder / "images" / f"{n}.png")
        split = "val" if n == 6 else "train"
        images.append({"id": n, "file_name": f"{n}.png", "width": 40, "height": 30, "split": split})
        for category in (1, 2):
            annotations.append(
                {"id": 10 * n + category, "image_id": n, "category_id": category, "bbox": [5, 5, 20, 20]}
            )
    categories = [{"id": 1, "name": "sofa"}, {"id": 2, "name": "lamp"}]
    text = json.dumps({"images": images, "annotations": annotations, "categories": categories})
    (folder / "instances.json").write_text(text)
    return folder


def test_names_of_voc_and_coco_stand_for_each_other_and_other_classes_are_left_out(data: Path) -> None:
    one = read_set(f"{data}:train", ("cat", "couch"))
    assert len(one.pictures) == 5
    assert [picture.labels.tolist() for picture in one.pictures] == [[1]] * 5
    assert one.is_complete.tolist() == [False, True]
    assert read_set(str(data), ("sofa",), is_complete=False).is_complete.tolist() == [False]
    with pytest.raises(TrainError, match="none of its classes"):
        read_set(str(data), ("cat",))


def test_validation_pictures_are_left_out_unless_asked_for_and_sets_can_be_thinned(data: Path) -> None:
    assert len(read_set(str(data), ("sofa",)).pictures) == 5
    assert len(read_set(f"{data}:val", ("sofa",)).pictures) == 1
    assert len(read_set(str(data), ("sofa",), most=2).pictures) == 2
    kept, held = hold_back(read_set(str(data), ("sofa",)), every=2)
    assert (len(kept.pictures), len(held)) == (3, 2)


def test_pictures_without_labels_say_nothing_of_any_class(data: Path) -> None:
    one = read_unlabelled(data, ("cat", "couch"), most=4)
    assert len(one.pictures) == 4
    assert not one.is_complete.any()
    assert np.concatenate([picture.labels for picture in one.pictures]).size == 0
    with pytest.raises(FileMissingError, match="no pictures"):
        read_unlabelled(data.parent, ("cat",), most=4)


def test_a_picture_that_is_cut_short_is_left_out_and_named(data: Path) -> None:
    file = data / "images" / "2.png"
    Image.effect_noise((40, 30), 60).convert("RGB").save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])  # its size can still be read
    one = read_set(str(data), ("sofa",))
    assert [picture.path.name for picture in one.pictures] == ["1.png", "3.png", "4.png", "5.png"]
    assert [broken.name for broken in one.broken] == ["2.png"]
