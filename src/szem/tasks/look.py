"""Everything szem can say about a picture, by one table. A new task is one line in `LOOK_TASKS`.

Networks are opened once, when a `Looker` is made. This file does not know about files, terminals or requests.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from szem.arrays import Array, Picture8, check_picture
from szem.errors import MissingExtraError, NotFoundError, UnknownNameError
from szem.media.legend import Row, Section
from szem.results.boxes import class_color
from szem.results.look import Look, LookResult
from szem.results.masks import Masks
from szem.results.outlined_boxes import OutlinedBoxes

if TYPE_CHECKING:
    from szem.media.pictures import PictureSource
    from szem.results.caption import Caption
    from szem.results.colors import Colors
    from szem.results.crops import Crops
    from szem.results.labels import Labels
    from szem.results.measures import Measures

__all__ = ["LOOK_TASKS", "LookTask", "Looker", "Run", "look", "mask_rows"]

Run = Callable[[Picture8, dict[str, Any]], LookResult]
"""Does one task on one picture. The dict is shared by the tasks of a picture: what an earlier one leaves there, a
later one may use, so that a network runs once for all that need it."""

_LEAST = 0.005  # shares below this are not worth a row
_SURE = 0.5  # nor is what the network itself doubts


@dataclass(frozen=True, kw_only=True)
class LookTask:
    """What a task must bring to take part in `look`."""

    title: str  # its heading
    open: Callable[[], Run]  # loads what it needs; raises where that is not installed
    rows: Callable[[Any], Sequence[Row]]  # its result for people
    drawn: bool = False  # its result's draw(picture) is part of the annotated picture


def look(picture: "Picture8 | PictureSource", *, tasks: Sequence[str] | None = None) -> Look:
    """Say all that szem sees in a picture.

    Args:
        picture: (H, W, 3) uint8 RGB, or what `read_picture` reads: a path, a file's bytes, an open file.
        tasks: Names from `LOOK_TASKS`; all that are installed if left out.
    Raises:
        UnknownNameError: no such task.
        MediaError, FileMissingError: the picture cannot be read.

    >>> from szem.media.samples import read_sample
    >>> seen = look(read_sample("coffee"), tasks=["colors", "sharpness"])
    >>> seen.results["colors"].colors[0].name, seen.results["sharpness"].word
    ('rust', 'sharp')
    """
    from szem.media.pictures import read_picture

    looker = Looker(tasks)
    return looker(picture if isinstance(picture, np.ndarray) else read_picture(picture))


class Looker:
    """Tasks opened once, for many pictures; keeps nothing between pictures.

    Args:
        tasks: Names from `LOOK_TASKS`, done in the table's order; all that are installed if left out.
    Raises:
        UnknownNameError: no such task.
        MissingExtraError, NotFoundError: what a task named here needs is not installed (UnknownNameError: its model).
    """

    def __init__(self, tasks: Sequence[str] | None = None) -> None:
        unknown = [name for name in tasks or () if name not in LOOK_TASKS]
        if unknown or (tasks is not None and not tasks):
            raise UnknownNameError(
                f"no task called {', '.join(unknown) or 'nothing'}; choose {', '.join(LOOK_TASKS)}"
            )
        self.runs: dict[str, Run] = {}
        self.skipped: dict[str, str] = {}  # task -> why it is not installed
        for name, task in LOOK_TASKS.items():
            if tasks is None or name in tasks:
                try:
                    self.runs[name] = task.open()
                except (MissingExtraError, NotFoundError, UnknownNameError) as error:
                    if tasks is not None:
                        raise
                    self.skipped[name] = str(error)

    def __call__(self, picture: Picture8) -> Look:
        """Do every task on one picture.

        Args:
            picture: (H, W, 3) uint8 RGB.
        """
        height, width = check_picture(picture).shape[:2]
        shared: dict[str, Any] = {}
        results: dict[str, LookResult] = {name: run(picture, shared) for name, run in self.runs.items()}
        sections = tuple(
            Section(name=name, title=LOOK_TASKS[name].title, rows=tuple(LOOK_TASKS[name].rows(result)))
            for name, result in results.items()
        )
        drawn = tuple(name for name in results if LOOK_TASKS[name].drawn)
        return Look(width=width, height=height, results=results, sections=sections, drawn=drawn)


def _open_labels() -> Run:
    from szem.results.labels import Labels
    from szem.runtime.sessions import open_model
    from szem.tasks.classification.classify import Classifier

    session = open_model(task="classify")
    classifier, maps = Classifier(session), session.has("maps")

    def run(picture: Picture8, shared: dict[str, Any]) -> LookResult:
        found = classifier([picture], top=5, maps=maps)[0]
        if maps:
            shared["attention"] = _attention(found, picture)
        return Labels(found.items, found.model)

    return run


def _attention(labels: "Labels", picture: Picture8, side: int = 64) -> Array:
    """(h, w): where the labels' scores come from, over the whole picture."""
    height, width = picture.shape[:2]
    rows, cols = max(1, round(side * height / max(height, width))), max(1, round(side * width / max(height, width)))
    out = np.zeros((rows, cols), np.float32)
    y = (np.arange(rows) + 0.5) * height / rows
    x = (np.arange(cols) + 0.5) * width / cols
    for label in labels:
        found = labels.maps[label.index]
        x0, y0, x1, y1 = found.box_xyxy
        map_rows, map_cols = found.values.shape
        at_y = np.clip((y - y0) / max(y1 - y0, 1e-6) * map_rows - 0.5, 0, map_rows - 1)
        at_x = np.clip((x - x0) / max(x1 - x0, 1e-6) * map_cols - 0.5, 0, map_cols - 1)
        across = np.stack([np.interp(at_x, np.arange(map_cols), row) for row in np.maximum(found.values, 0)])
        full = np.stack([np.interp(at_y, np.arange(map_rows), column) for column in across.T], axis=1)
        out += np.float32(label.score) * full.astype(np.float32)
    return out


def _label_rows(labels: "Labels") -> list[Row]:
    return [Row(name=label.name, value=min(label.score, 1.0)) for label in labels]


def _open_masks() -> Run:
    """Open the model for things.

    Raises:
        UnknownNameError: there is none.
    """
    from szem.runtime.sessions import open_model
    from szem.tasks.segmentation.segment import segment_with

    session = open_model(task="segment")

    def run(picture: Picture8, shared: dict[str, Any]) -> LookResult:
        shared["masks"] = found = segment_with(session, picture)
        return found

    return run


def mask_rows(masks: Masks) -> list[Row]:
    """A row a class, with its share of the picture and its colour; none where nothing else was surely seen."""
    return [
        Row(name=area.label, value=area.share, note=f"sure {area.confidence:.0%}", rgb=area.rgb)
        for area in masks.areas
        if area.share >= _LEAST and area.confidence >= _SURE
    ]


def _open_boxes() -> Run:
    """Open the detector; masks that an earlier task has found give the boxes their outlines.

    Raises:
        UnknownNameError: there is none.
    """
    from szem.runtime.sessions import open_model
    from szem.tasks.detection.detect import Detector

    detector = Detector(open_model(task="detect"))

    def run(picture: Picture8, shared: dict[str, Any]) -> LookResult:
        masks = shared.get("masks")
        return OutlinedBoxes(boxes=detector([picture])[0], masks=masks if isinstance(masks, Masks) else None)

    return run


def _box_rows(seen: OutlinedBoxes) -> list[Row]:
    """A row a box, best first."""
    rows = []
    for box in seen.boxes:
        x0, y0, x1, y1 = box.box_xyxy
        note = f"{x1 - x0:.0f}×{y1 - y0:.0f} at {x0:.0f}, {y0:.0f}"
        rgb = class_color(seen.boxes.classes, box.index)
        rows.append(Row(name=box.label, value=box.score, note=note, rgb=rgb, box_xyxy=box.box_xyxy))
    return rows


def _open_caption() -> Run:
    from szem.tasks.captioning.caption import open_captioner

    captioner = open_captioner()
    return lambda picture, shared: captioner([picture])[0]  # noqa: ARG005


def _caption_rows(caption: "Caption") -> list[Row]:
    return [Row(name=caption.text, value=caption.confidence, note="" if caption.is_sure else "not sure")]


def _open_colors() -> Run:
    from szem.tasks.appearance.dominant_colors import dominant_colors

    return lambda picture, shared: dominant_colors(picture)  # noqa: ARG005


def _color_rows(colors: "Colors") -> list[Row]:
    return [Row(name=c.name, value=c.pixel_fraction, note=c.hex, rgb=c.rgb) for c in colors.colors]


def _open_crops() -> Run:
    from szem.tasks.appearance.crop_hints import crop_hints

    return lambda picture, shared: crop_hints(picture, attention=shared.get("attention"))


def _crop_rows(crops: "Crops") -> list[Row]:
    rows = []
    for crop in crops.crops:
        x0, y0, x1, y1 = crop.box_xyxy
        note = f"{x1 - x0}×{y1 - y0} at {x0}, {y0}"
        rows.append(Row(name=crop.shape_name, value=crop.importance_fraction, note=note, box_xyxy=crop.box_xyxy))
    return rows


def _open_sharpness() -> Run:
    from szem.tasks.appearance.sharpness import measure_picture

    return lambda picture, shared: measure_picture(picture)  # noqa: ARG005


def _measure_rows(measures: "Measures") -> list[Row]:
    smear = "no edges to judge by" if measures.blur_px is None else f"edges smeared {measures.blur_px:.1f} px"
    return [
        Row(name=measures.word, value=measures.sharpness, note=smear),
        Row(name=f"{measures.exposure} light", value=measures.brightness, note=f"contrast {measures.contrast:.2f}"),
        Row(name="edges", value=measures.edge_fraction, note="share of the pixels"),
    ]


# Task -> what it brings. The order is the order of running and of the answer.
LOOK_TASKS: Mapping[str, LookTask] = {
    "labels": LookTask(title="Labels", open=_open_labels, rows=_label_rows),
    "masks": LookTask(title="Masks, share of the picture", open=_open_masks, rows=mask_rows, drawn=True),
    "boxes": LookTask(title="Things and where they are", open=_open_boxes, rows=_box_rows, drawn=True),
    "caption": LookTask(title="Caption, how sure", open=_open_caption, rows=_caption_rows),
    "colors": LookTask(title="Colours", open=_open_colors, rows=_color_rows),
    "crops": LookTask(title="Crop hints, what they keep", open=_open_crops, rows=_crop_rows, drawn=True),
    "sharpness": LookTask(title="Sharpness and light", open=_open_sharpness, rows=_measure_rows),
}
