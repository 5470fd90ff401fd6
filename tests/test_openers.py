"""What a user's first guess is: openers without arguments, one picture or a list, results passed on, every input."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import szem
from szem.errors import ShapeError, SzemError
from szem.media.samples import read_sample, sample_path

CAT = read_sample("cat")
PICTURE_OPENERS = ("Classifier", "Detector", "Segmenter", "Captioner", "FaceDetector", "Looker")
PICTURE_FUNCTIONS = (
    "classify", "detect", "segment", "caption", "find_faces", "look", "explain", "dominant_colors", "crop_hints",
    "measure_picture",
)  # fmt: skip


@pytest.mark.parametrize("name", PICTURE_OPENERS)
def test_an_opener_needs_nothing_and_takes_one_picture_or_several(name: str) -> None:
    opened = getattr(szem, name)()
    one = opened(CAT)
    assert type(one).__name__ in szem.__all__
    if name != "Looker":
        assert opened([CAT, sample_path("cat")]) == [one, one]
        assert opened([]) == []
        model = opened.session.model
        assert getattr(szem, name)(model.name)(CAT) == one
        assert getattr(szem, name)(opened.session)(CAT) == one


def test_the_other_openers_need_nothing_either() -> None:
    assert szem.Generator()("a red rose") == szem.generate("a red rose")
    assert szem.Tracker()(szem.detect(CAT), time_s=0.0).boxes.model
    assert szem.Outliner()(CAT, [[10, 10, 90, 90]]) == szem.outline(CAT, [[10, 10, 90, 90]])
    assert callable(szem.LipReader())
    assert szem.Listener()(np.zeros(16000, np.float32), rate_hz=16000).notes
    assert szem.Watcher().finish() == []
    assert szem.Explorer().rows


@pytest.mark.parametrize("name", PICTURE_FUNCTIONS)
def test_every_function_takes_every_kind_of_picture(name: str) -> None:
    small = np.ascontiguousarray(CAT[::3, ::3])
    file = io.BytesIO()
    Image.fromarray(small).save(file, "PNG")
    kinds: list[Any] = [
        file.getvalue(),
        io.BytesIO(file.getvalue()),
        Image.fromarray(small),
        small.astype(np.uint16) * 257,
    ]
    if name in ("classify", "dominant_colors"):  # the rest goes through the same one place
        kinds += [small / 255, np.dstack([small, np.full(small.shape[:2], 255, np.uint8)])]
    function = getattr(szem, name)
    # two runs on several threads differ in the last digits, which the crops of `look` show
    options: dict[str, Any] = {"explain": {"timed": False}, "look": {"tasks": ["labels", "colors"]}}.get(name, {})
    wanted = function(small, **options)
    for picture in kinds:
        found = function(picture, **options)
        if name == "crop_hints":  # sums of floats by several threads; the crops are those to a pixel
            found, wanted_here = ([crop.box_xyxy for crop in crops] for crops in (found, wanted))
            np.testing.assert_allclose(found, wanted_here, atol=1)
        else:
            assert found == wanted


def test_a_float_picture_in_0_to_255_is_refused_with_the_remedy() -> None:
    with pytest.raises(SzemError, match="picture / 255"):
        szem.classify(CAT.astype(np.float32))


def test_boxes_go_on_to_outline() -> None:
    boxes = szem.detect(CAT)
    outlines = szem.outline(CAT, boxes)
    assert outlines.labels == boxes.labels
    assert (outlines.xyxy == boxes.xyxy).all()
    assert (outlines.draw(CAT) != CAT).any()
    with pytest.raises(ShapeError, match="resized"):
        szem.outline(CAT[::2, ::2], boxes)


def test_results_of_the_shipped_models_can_be_sent_to_other_processes(tmp_path: Path) -> None:
    for result in (szem.detect(CAT), szem.segment(CAT), szem.explain(CAT, layers=[0], timed=False), szem.look(CAT)):
        assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301
        assert "\n" not in repr(result)
        assert result is not None
