"""One row per task. Whatever lists tasks is derived from `TASKS` and lists none itself: the public names of `szem`,
the verbs of the command line, the routes `/v1/szem/*` with their OpenAPI, `szem look`, `szem eval`, `szem models
add`, `szem export`, and the models that are used by default.

A row names code by import path ("module:attribute"), so that importing this table loads nothing. To remove a task,
delete its row and its folders; to add one, see docs/architecture.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

__all__ = ["TASKS", "LookPlace", "TaskModel", "TaskSpec", "load"]

Takes = Literal["picture", "video", "sound", "text", "any"]
Group = Literal["recognize", "text", "motion", "inspect"]


@dataclass(frozen=True, kw_only=True)
class TaskModel:
    """The models of a task: cards whose `task` is the row's name."""

    default: str  # the shipped model that is used when none is named
    accepts: str  # a `ModelFormat`: the head layouts of its models
    evaluate: str  # (Model, folder of data, split) -> list[Measurement]


@dataclass(frozen=True, kw_only=True)
class LookPlace:
    """The part of a task in `szem look`; parts run and are shown in the order of the rows."""

    name: str  # of its section in the answer
    part: str  # a `LookPart`


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """One task."""

    name: str  # of its cards, its verb (`szem NAME`, in szem/cli/NAME.py) and its route (`/v1/szem/NAME`)
    summary: str  # one line of help
    takes: Takes = "picture"
    group: Group = "recognize"  # where `szem --help` shows its verb
    has_verb: bool = True
    public: tuple[str, ...] = ()  # what `import szem` offers of it
    model: TaskModel | None = None
    look: LookPlace | None = None


_ROWS = (
    TaskSpec(
        name="look",
        summary="Run every installed task on pictures. The place to begin.",
        public=("szem.tasks.look:look",),
    ),
    TaskSpec(
        name="classify",
        summary="Name what is in pictures: 1000 ImageNet classes, or those of your own model.",
        public=("szem.tasks.classification.classify:classify",),
        model=TaskModel(
            default="efficientnet-lite0",
            accepts="szem.tasks.classification.heads:CLASSIFY",
            evaluate="szem.tasks.classification.evaluate:evaluate_classify",
        ),
        look=LookPlace(name="labels", part="szem.tasks.classification.look:LABELS"),
    ),
    TaskSpec(
        name="segment",
        summary="Assign a class to every pixel of pictures and videos.",
        public=("szem.tasks.segmentation.segment:segment",),
        model=TaskModel(
            default="things",
            accepts="szem.tasks.segmentation.heads:SEGMENT",
            evaluate="szem.tasks.segmentation.evaluate:evaluate_segment",
        ),
        look=LookPlace(name="masks", part="szem.tasks.segmentation.look:MASKS"),
    ),
    TaskSpec(
        name="outline",
        summary="Outline the object in each box.",
        has_verb=False,
        public=("szem.tasks.segmentation.instance_masks:outline",),
        model=TaskModel(
            default="outline",
            accepts="szem.tasks.segmentation.heads:OUTLINE",
            evaluate="szem.tasks.segmentation.evaluate:evaluate_outline",
        ),
    ),
    TaskSpec(
        name="detect",
        summary="Detect, track and count objects in pictures, videos and camera streams.",
        public=("szem.tasks.detection.detect:detect",),
        model=TaskModel(
            default="detect",
            accepts="szem.tasks.detection.heads:DETECT",
            evaluate="szem.tasks.detection.evaluate:evaluate_detect",
        ),
        look=LookPlace(name="boxes", part="szem.tasks.detection.look:BOXES"),
    ),
    TaskSpec(
        name="caption",
        summary="Describe pictures in a sentence; propose alt texts.",
        group="text",
        public=("szem.tasks.captioning.caption:caption",),
        model=TaskModel(
            default="caption",
            accepts="szem.tasks.captioning.heads:CAPTION",
            evaluate="szem.tasks.captioning.evaluate:evaluate_caption",
        ),
        look=LookPlace(name="caption", part="szem.tasks.captioning.look:CAPTION"),
    ),
    TaskSpec(
        name="search",
        summary="Find the pictures of a folder that match a sentence.",
        group="text",
        takes="text",
        public=("szem.tasks.captioning.search:search",),
    ),
    TaskSpec(
        name="faces",
        summary="Find faces: boxes, 68 or 468 points and head pose of each; never whose face it is.",
        has_verb=False,
        model=TaskModel(
            default="faces",
            accepts="szem.tasks.faces.heads:FACES",
            evaluate="szem.tasks.faces.evaluate:evaluate_faces",
        ),
    ),
    TaskSpec(
        name="generate",
        summary="Draw a flower or a bird from a sentence.",
        group="text",
        takes="text",
        public=("szem.tasks.generation.generate:generate",),
        model=TaskModel(
            default="draw",
            accepts="szem.tasks.generation.heads:GENERATE",
            evaluate="szem.tasks.generation.evaluate:evaluate_generate",
        ),
    ),
    TaskSpec(
        name="lipread",
        summary="Transcribe speech in videos from lips, sound or both.",
        group="motion",
        takes="video",
        public=("szem.tasks.lipreading.lipread:lipread",),
        model=TaskModel(
            default="lipread",
            accepts="szem.tasks.lipreading.heads:LIPREAD",
            evaluate="szem.tasks.lipreading.evaluate:evaluate_lipread",
        ),
    ),
    TaskSpec(
        name="lipwords",
        summary="Recognize a single spoken word from the lips.",
        takes="video",
        has_verb=False,
        model=TaskModel(
            default="lipwords",
            accepts="szem.tasks.lipreading.heads:LIPWORDS",
            evaluate="szem.tasks.lipreading.evaluate_words:evaluate_lip_words",
        ),
    ),
    TaskSpec(
        name="listen",
        summary="Detect sound events in audio and videos, with their times.",
        group="motion",
        takes="sound",
        public=("szem.tasks.audio.listen:listen",),
        model=TaskModel(
            default="sounds",
            accepts="szem.tasks.audio.heads:LISTEN",
            evaluate="szem.tasks.audio.evaluate:evaluate_listen",
        ),
    ),
    TaskSpec(
        name="watch",
        summary="Watch cameras, streams and videos: events with pictures and clips.",
        group="motion",
        takes="any",
        public=("szem.tasks.surveillance.watcher:watch",),
    ),
    TaskSpec(
        name="explain",
        summary="Look inside a network: layers, feature maps, neurons, on your picture.",
        group="inspect",
        public=("szem.tasks.explain.explain:explain",),
    ),
    TaskSpec(
        name="colors",
        summary="The dominant colours of a picture.",
        has_verb=False,
        look=LookPlace(name="colors", part="szem.tasks.appearance.look:COLORS"),
    ),
    TaskSpec(
        name="crops",
        summary="Where a picture may be cropped.",
        has_verb=False,
        look=LookPlace(name="crops", part="szem.tasks.appearance.look:CROPS"),
    ),
    TaskSpec(
        name="measure",
        summary="Sharpness, edges and exposure of a picture.",
        has_verb=False,
        look=LookPlace(name="sharpness", part="szem.tasks.appearance.look:SHARPNESS"),
    ),
)

TASKS: Mapping[str, TaskSpec] = {row.name: row for row in _ROWS}
"""Name -> row, in the order in which help, OpenAPI and `look` show them."""


def load(path: str) -> Any:
    """Import what a row names.

    >>> load("math:tau") > 6
    True
    """
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
