"""`szem data`: what is wrong is said, splits never leak, and every form that is written is read back alike."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from szem.cli.data import app
from szem.data.boxed_folder import recognize_boxed
from szem.data.check import check_data
from szem.data.duplicates import find_near, mark_picture
from szem.data.groups import group_by_name, join_groups, split_groups
from szem.data.own_data import read_own_data
from szem.data.sounds import in_split, read_labelled_sounds, recording_of
from szem.data.write_data import FORMS
from szem.errors import FileMissingError, OverwriteError, RangeError, UnknownNameError
from szem.media.pictures import read_picture
from szem.media.sound import write_sound
from szem.tasks.classification.suspect_labels import find_suspects


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def scene(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """A picture of its own: soft blobs."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def classes(folder: Path, count: int = 8) -> Path:
    for place, name in enumerate(("bolt", "nut")):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            scene(100 * place + number).save(folder / name / f"s{number // 2}_{number}.png")
    return folder


def test_a_check_says_what_is_there_and_what_is_wrong(tmp_path: Path) -> None:
    data = classes(tmp_path / "data")
    (data / "nut" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (data / "nut" / "copy.png").write_bytes((data / "bolt" / "s0_0.png").read_bytes())  # one picture, two classes
    scene(1).resize((60, 45)).save(data / "bolt" / "small.jpg", quality=60)  # nearly s0_1.png
    code, out = run("check", data, "-o", tmp_path / "sheet.png", "--no-suspects")
    assert code == 0
    for text in (
        "classes: a folder per class, 19 pictures, 2 classes",
        "1 pairs of files are the same, 1 with other labels",
        "bolt/s0_0.png (bolt) = nut/copy.png (nut)",
        "1 pairs of files are nearly the same",
        "broken.jpg: ",
    ):
        assert text in out
    assert read_picture(tmp_path / "sheet.png").shape == (4 * 240, 6 * 240, 3)
    found = json.loads(run("check", data, "--json", "--no-suspects")[1])
    assert found["classes"] == {"bolt": {"": 9}, "nut": {"": 10}}
    assert run("check", data, "--strict", "--no-suspects")[0] == 1
    assert run("check", classes(tmp_path / "clean"), "--strict", "--no-suspects") == (
        0,
        run("check", tmp_path / "clean", "--no-suspects")[1],
    )


def test_pictures_that_cross_splits_are_named(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        classes(tmp_path / split, count=1)
    report = check_data(read_own_data(tmp_path))
    assert report.splits == {"train": 2, "val": 2}
    assert [pair.crosses for pair in report.same] == [True, True]


def test_boxes_outside_are_counted_and_boxes_beyond_are_left_out(tmp_path: Path) -> None:
    scene(0).save(tmp_path / "a.png")
    rows = ["a.png,nut,10,10,40,40", "a.png,nut,60,10,120,40", "a.png,bolt,200,200,220,220"]
    (tmp_path / "boxes.csv").write_text("\n".join(["image,label,xmin,ymin,xmax,ymax", *rows]))
    data = read_own_data(tmp_path)
    assert data.boxes is not None
    np.testing.assert_allclose(data.boxes.pictures[0].boxes_xyxy, [[10, 10, 40, 40], [60, 10, 96, 40]])
    assert check_data(data).outside == {"a.png": 2}


def test_light_size_and_quality_do_not_hide_a_copy_and_other_pictures_are_no_copies() -> None:
    pictures = [scene(seed) for seed in range(40)]
    changed = pictures[0].resize((300, 225)).point([min(255, round(1.2 * v)) for v in range(256)] * 3)
    flat = Image.new("RGB", (50, 50), (90, 90, 90))
    marks = [mark_picture(np.asarray(p)) for p in (*pictures, changed, flat, flat)]
    assert find_near([*marks, None]) == [(0, 40)]


def test_a_label_that_no_neighbour_has_is_listed() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(0, 1, (20, 8)) + 9 * np.eye(8)[k] for k in (0, 1)])
    labels = np.repeat([0, 1], 20)
    assert find_suspects(features, labels) == []
    labels[3] = 1
    assert [row[:2] for row in find_suspects(features, labels)] == [(3, 0)]


# Splits ----------------------------------------------------------------------------------------------------------


def test_a_split_keeps_groups_together_and_classes_apart_evenly(tmp_path: Path) -> None:
    data = classes(tmp_path / "data", count=40)
    code, out = run(
        "split", data, "-o", tmp_path / "out", "--group", "(s[0-9]+)_", "--fractions", "train=0.8,val=0.2"
    )
    assert code == 0
    assert "of 20 groups" in out
    found = read_own_data(tmp_path / "out")
    groups = {
        split: {i.path.name.split("_")[0] for i in found.items if i.split == split} for split in ("train", "val")
    }
    assert groups["train"].isdisjoint(groups["val"])
    assert groups["train"] | groups["val"] == {f"s{n}" for n in range(20)}
    for label in (0, 1):
        held_out = sum(i.split == "val" for i in found.items if i.labels == (label,))
        assert 6 <= held_out <= 10  # of 40, a fifth


def test_copies_and_near_copies_never_lie_in_two_splits(tmp_path: Path) -> None:
    data = classes(tmp_path / "data", count=12)
    for number in range(12):
        scene(number).resize((70, 52)).save(data / "bolt" / f"again{number}.jpg")
    run("split", data, "-o", tmp_path / "out")
    report = check_data(read_own_data(tmp_path / "out"))
    assert len(report.near) >= 10
    assert not any(pair.crosses for pair in report.near)
    assert min(report.splits.values()) > 0


def test_groups_join_through_others() -> None:
    assert join_groups(5, [1, 1, 2, 2, 3], ["a", None, "a", None, None]) == [0, 0, 0, 0, 4]
    with pytest.raises(RangeError, match="no regular expression"):
        group_by_name([Path("a")], "(")
    with pytest.raises(RangeError, match="does not match"):
        group_by_name([Path("a")], "b")
    with pytest.raises(RangeError, match="sum to 1"):
        split_groups([0], [[0]], {"train": 0.5})


@pytest.mark.parametrize("fractions", ["train=0.8", "train=2,val=-1", "train", "other=1", "train=x"])
def test_wrong_fractions_are_refused(tmp_path: Path, fractions: str) -> None:
    with pytest.raises(RangeError):
        run("split", classes(tmp_path / "data", count=2), "-o", tmp_path / "out", "--fractions", fractions)


# Forms -----------------------------------------------------------------------------------------------------------


def boxed(folder: Path) -> Path:
    folder.mkdir()
    turned = scene(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(folder / "turned, odd.jpg", exif=exif)
    scene(1).save(folder / "b.png")
    rows = ['"turned, odd.jpg",nut,5,10,40,60,train', "b.png,bolt,20,20,50,60,val", "b.png,nut,1,2,30,40,val"]
    (folder / "boxes.csv").write_text("\n".join(["image,label,xmin,ymin,xmax,ymax,split", *rows]))
    return folder


@pytest.mark.parametrize("form", FORMS["boxes"])
def test_boxes_written_in_any_form_are_read_back(tmp_path: Path, form: str) -> None:
    before = read_own_data(boxed(tmp_path / "data")).boxes
    assert run("convert", tmp_path / "data", "-o", tmp_path / form, "--to", form)[0] == 0
    name, after = recognize_boxed(tmp_path / form)
    assert name.split()[-1].lower() == form
    assert before is not None
    assert after.classes == before.classes
    by_name = {picture.path.name: picture for picture in after.pictures}
    for old in before.pictures:
        new = by_name[old.path.name]
        np.testing.assert_allclose(new.boxes_xyxy, old.boxes_xyxy, atol=0.01)
        assert new.labels.tolist() == old.labels.tolist()
        assert new.split == old.split
    with pytest.raises(OverwriteError, match="holds something"):
        run("convert", tmp_path / "data", "-o", tmp_path / form)


@pytest.mark.parametrize("form", FORMS["sounds"])
def test_labels_of_audacity_are_cut_into_clips_whose_recordings_stay_together(tmp_path: Path, form: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(6):
        tone = np.sin(np.arange(32000) * 0.1 * (number + 1)).astype(np.float32) * 0.3
        write_sound(data / f"street{number}.wav", tone)
        (data / f"street{number}.txt").write_text(
            "0.000000\t0.500000\thorn\n\\\t100\t200\n1.0\t1.5\tbell\nx\n1.9\t1.9\tbell\n"
        )
    found = read_labelled_sounds(data)
    assert found.form == "Audacity labels"
    assert len(found.sounds) == 12
    assert {fault.name for fault in found.broken} >= {"street0.txt:4", "street0.txt:5"}
    held = {recording_of(one) for one in in_split(found.sounds, "tune")}
    assert held
    assert held.isdisjoint(recording_of(one) for one in in_split(found.sounds, "train"))
    assert run("split", data, "-o", tmp_path / "out", "--to", form)[0] == 0
    after = read_labelled_sounds(tmp_path / "out")
    assert after.kinds == ("bell", "horn")
    assert len(after.sounds) == 12
    assert after.broken == ()
    by_recording: dict[str, set[str]] = {}
    for one in after.sounds:
        by_recording.setdefault(one.path.stem.split("-")[0], set()).add(one.split)
    assert all(len(splits) == 1 for splits in by_recording.values())


def test_what_cannot_be_done_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="no such folder"):
        run("check", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileMissingError, match="neither pictures nor sounds"):
        run("check", tmp_path / "empty")
    data = classes(tmp_path / "data", count=2)
    with pytest.raises(UnknownNameError, match="classes are not written as yolo; there are folders, csv"):
        run("convert", data, "-o", tmp_path / "out", "--to", "yolo")
    assert not (tmp_path / "out").exists()
    assert "mutter" in run("check", data, "--classes", "nut=mutter", "--no-suspects")[1]
    with pytest.raises(UnknownNameError, match="no class called washer; the data has bolt, nut"):
        run("check", data, "--classes", "washer=nut")
