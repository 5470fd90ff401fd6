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

__all__ = ["TASKS", "LookPlace", "TaskModel", "TaskRequest", "TaskSpec", "load", "public_names"]

Takes = Literal["picture", "pictures", "video", "sound", "text", "any"]
Group = Literal["recognize", "text", "motion", "inspect"]


@dataclass(frozen=True, kw_only=True)
class TaskModel:
    """The models of a task: cards whose `task` is the row's name."""

    default: str  # the shipped model that is used when none is named
    accepts: str  # a `ModelFormat`: the head layouts of its models
    evaluate: str  # an `Evaluate` of `szem.tasks.contracts`
    evaluate_also: tuple[
        tuple[str, str], ...
    ] = ()  # what else `szem eval NAME` measures with its default: evaluators


@dataclass(frozen=True, kw_only=True)
class TaskRequest:
    """A task as a request, for the route `POST /v1/szem/NAME`; what brings the input is the server's affair.

    By what the row takes, `answer` is a function of (picture, options, open_model); of (bytes of the file, options,
    open_model) for sound and video; of (options, open_model) for text; for pictures, a class made with (options, how
    many, open_model) with the methods `add(picture)` and `finish()`.
    """

    options: str  # frozen dataclass whose fields all have defaults
    answer: str  # gives JSON values, those of the result's `to_dict`; or the bytes of a PNG file
    preload: bool = False  # servers open the default model before the first request: it is asked for most
    describe: str = ""  # (open_model) -> JSON values: what can be asked for, for `GET /v1/szem/NAME`
    example: str = ""  # options, as in a query


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
    verb: str = ""  # what its verb is called (and `szem/cli/VERB.py`), where not as the task
    function: str = ""  # in Python: an input and options -> a result
    result: str = ""  # what the function gives
    more_names: tuple[str, ...] = ()  # what opens its model once for many inputs, and what its result is made of
    request: TaskRequest | None = None
    model: TaskModel | None = None
    look: LookPlace | None = None

    @property
    def verb_name(self) -> str:
        """What its verb is called: `szem VERB`."""
        return self.verb or self.name


_ROWS = (
    TaskSpec(
        name="look",
        summary="Run every installed task on pictures. The place to begin.",
        function="szem.tasks.look:look",
        result="szem.results.look:Look",
        more_names=("szem.tasks.look:Looker",),
        request=TaskRequest(
            options="szem.tasks.look:LookRequest",
            answer="szem.tasks.look:answer_look",
            example="tasks=labels,boxes",
        ),
    ),
    TaskSpec(
        name="classify",
        summary="Name what is in pictures: 1000 ImageNet classes, or those of your own model.",
        function="szem.tasks.classification.classify:classify",
        result="szem.results.labels:Labels",
        more_names=(
            "szem.tasks.classification.classify:Classifier",
            "szem.results.labels:Label",
        ),
        request=TaskRequest(
            options="szem.tasks.classification.answer:ClassifyRequest",
            answer="szem.tasks.classification.answer:answer_classify",
            preload=True,
            example="top=3&maps=true",
        ),
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
        function="szem.tasks.segmentation.segment:segment",
        result="szem.results.masks:Masks",
        more_names=(
            "szem.tasks.segmentation.segment:Segmenter",
            "szem.results.masks:ClassArea",
        ),
        request=TaskRequest(
            options="szem.tasks.segmentation.answer:SegmentRequest",
            answer="szem.tasks.segmentation.answer:answer_segment",
            example="model=road",
        ),
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
        function="szem.tasks.segmentation.instance_masks:outline",
        result="szem.results.outlines:Outlines",
        more_names=(
            "szem.tasks.segmentation.instance_masks:Outliner",
            "szem.results.outlines:Outline",
        ),
        model=TaskModel(
            default="outline",
            accepts="szem.tasks.segmentation.heads:OUTLINE",
            evaluate="szem.tasks.segmentation.evaluate:evaluate_outline",
        ),
    ),
    TaskSpec(
        name="detect",
        summary="Detect, track and count objects in pictures, videos and camera streams.",
        function="szem.tasks.detection.detect:detect",
        result="szem.results.boxes:Boxes",
        more_names=(
            "szem.tasks.detection.detect:Detector",
            "szem.results.boxes:Box",
            "szem.tasks.video.tracker:Tracker",
            "szem.results.tracks:Track",
            "szem.results.tracks:TrackedBoxes",
            "szem.results.tracks:Tracks",
        ),
        request=TaskRequest(
            options="szem.tasks.detection.answer:DetectRequest",
            answer="szem.tasks.detection.answer:answer_detect",
            example="threshold=0.4&classes=person,car",
        ),
        model=TaskModel(
            default="detect",
            accepts="szem.tasks.detection.heads:DETECT",
            evaluate="szem.tasks.detection.evaluate:evaluate_detect",
            evaluate_also=(
                ("track", "szem.tasks.video.evaluate:evaluate_tracks"),
                ("watch", "szem.tasks.surveillance.evaluate:evaluate_watch"),
            ),
        ),
        look=LookPlace(name="boxes", part="szem.tasks.detection.look:BOXES"),
    ),
    TaskSpec(
        name="caption",
        summary="Describe pictures in a sentence; propose alt texts.",
        group="text",
        function="szem.tasks.captioning.caption:caption",
        result="szem.results.caption:Caption",
        more_names=(
            "szem.tasks.captioning.caption:Captioner",
            "szem.results.caption:Sentence",
            "szem.results.caption:Tag",
            "szem.results.caption:Word",
        ),
        request=TaskRequest(
            options="szem.tasks.captioning.answer:CaptionRequest",
            answer="szem.tasks.captioning.answer:answer_caption",
            example="n=3&attention=true&others=5",
        ),
        model=TaskModel(
            default="caption",
            accepts="szem.tasks.captioning.heads:CAPTION",
            evaluate="szem.tasks.captioning.evaluate:evaluate_caption",
        ),
        look=LookPlace(name="caption", part="szem.tasks.captioning.look:CAPTION"),
    ),
    TaskSpec(
        name="text",
        summary="Read the text in pictures: printed pages, signs, photographs, in any Latin script.",
        group="text",
        verb="read",
        function="szem.tasks.text.read:read_text",
        result="szem.results.text:Text",
        more_names=(
            "szem.tasks.text.read:TextReader",
            "szem.results.text:TextBlock",
            "szem.results.text:TextParagraph",
            "szem.results.text:TextLine",
            "szem.results.text:TextWord",
            "szem.results.text:TextSymbol",
        ),
        request=TaskRequest(
            options="szem.tasks.text.answer:TextRequest",
            answer="szem.tasks.text.answer:answer_text",
            example="symbols=true",
        ),
        model=TaskModel(
            default="text",
            accepts="szem.tasks.text.heads:TEXT",
            evaluate="szem.tasks.text.evaluate:evaluate_text",
        ),
        look=LookPlace(name="text", part="szem.tasks.text.look:TEXT"),
    ),
    TaskSpec(
        name="search",
        summary="Find the pictures of a folder that match a sentence.",
        group="text",
        takes="pictures",
        function="szem.tasks.search.search:search",
        result="szem.results.hits:Hits",
        more_names=("szem.results.hits:Hit",),
        request=TaskRequest(
            options="szem.tasks.search.answer:SearchRequest",
            answer="szem.tasks.search.answer:SearchAnswer",
        ),
        model=TaskModel(
            default="search",
            accepts="szem.tasks.search.heads:SEARCH",
            evaluate="szem.tasks.search.evaluate:evaluate_search",
        ),
    ),
    TaskSpec(
        name="faces",
        summary="Find faces: boxes, 68 or 468 points and head pose of each; never whose face it is.",
        has_verb=False,
        function="szem.tasks.faces.detect:find_faces",
        result="szem.results.faces:Faces",
        more_names=(
            "szem.tasks.faces.detect:FaceDetector",
            "szem.results.faces:Face",
        ),
        request=TaskRequest(
            options="szem.tasks.faces.answer:FacesRequest",
            answer="szem.tasks.faces.answer:answer_faces",
            example="threshold=0.6&mesh=true",
        ),
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
        function="szem.tasks.generation.generate:generate",
        result="szem.results.generated:GeneratedPicture",
        more_names=("szem.tasks.generation.generate:Generator",),
        request=TaskRequest(
            options="szem.tasks.generation.answer:GenerateRequest",
            answer="szem.tasks.generation.answer:answer_generate",
            describe="szem.tasks.generation.answer:describe_generator",
            example="text=a+yellow+flower&n=2",
        ),
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
        function="szem.tasks.lipreading.lipread:lipread",
        result="szem.results.transcript:Transcript",
        more_names=(
            "szem.tasks.lipreading.lipread:LipReader",
            "szem.results.transcript:TranscriptWord",
        ),
        request=TaskRequest(
            options="szem.tasks.lipreading.answer:LipreadRequest",
            answer="szem.tasks.lipreading.answer:answer_lipread",
            example="use=lips",
        ),
        model=TaskModel(
            default="lipread",
            accepts="szem.tasks.lipreading.heads:LIPREAD",
            evaluate="szem.tasks.lipreading.evaluate:evaluate_lipread",
        ),
    ),
    TaskSpec(
        name="lipwords",
        summary="Recognize a single spoken word or phrase from the lips, of any speaker.",
        takes="video",
        has_verb=False,
        request=TaskRequest(
            options="szem.tasks.lipreading.answer_words:LipwordsRequest",
            answer="szem.tasks.lipreading.answer_words:answer_lipwords",
            example="kind=word&top=3",
        ),
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
        function="szem.tasks.audio.listen:listen",
        result="szem.results.events:Events",
        more_names=(
            "szem.tasks.audio.listen:Listener",
            "szem.results.events:Event",
        ),
        request=TaskRequest(
            options="szem.tasks.audio.answer:ListenRequest",
            answer="szem.tasks.audio.answer:answer_listen",
            example="threshold=0.5",
        ),
        model=TaskModel(
            default="yamnet",
            accepts="szem.tasks.audio.heads:LISTEN",
            evaluate="szem.tasks.audio.evaluate:evaluate_listen",
        ),
    ),
    TaskSpec(
        name="watch",
        summary="Watch cameras, streams and videos: events with pictures and clips.",
        group="motion",
        takes="any",
        function="szem.tasks.surveillance.watcher:watch",
        result="szem.results.events:Events",
        more_names=(
            "szem.tasks.surveillance.watcher:Watcher",
            "szem.results.events:Event",
        ),
    ),
    TaskSpec(
        name="explain",
        summary="Look inside a network: layers, feature maps, neurons, on your picture.",
        group="inspect",
        function="szem.tasks.explain.explain:explain",
        result="szem.results.explanation:Explanation",
        more_names=("szem.tasks.explain.explain:Explorer",),
    ),
    TaskSpec(
        name="colors",
        summary="The dominant colours of a picture.",
        has_verb=False,
        function="szem.tasks.appearance.dominant_colors:dominant_colors",
        result="szem.results.colors:Colors",
        more_names=("szem.results.colors:DominantColor",),
        request=TaskRequest(
            options="szem.tasks.appearance.answer:ColorsRequest",
            answer="szem.tasks.appearance.answer:answer_colors",
            example="count=5",
        ),
        look=LookPlace(name="colors", part="szem.tasks.appearance.look:COLORS"),
    ),
    TaskSpec(
        name="crops",
        summary="Where a picture may be cropped.",
        has_verb=False,
        function="szem.tasks.appearance.crop_hints:crop_hints",
        result="szem.results.crops:Crops",
        more_names=("szem.results.crops:Crop",),
        request=TaskRequest(
            options="szem.tasks.appearance.answer:CropsRequest",
            answer="szem.tasks.appearance.answer:answer_crops",
        ),
        look=LookPlace(name="crops", part="szem.tasks.appearance.look:CROPS"),
    ),
    TaskSpec(
        name="measure",
        summary="Sharpness, edges and exposure of a picture.",
        has_verb=False,
        function="szem.tasks.appearance.sharpness:measure_picture",
        result="szem.results.measures:Measures",
        request=TaskRequest(
            options="szem.tasks.appearance.answer:MeasureRequest",
            answer="szem.tasks.appearance.answer:answer_measure",
        ),
        look=LookPlace(name="sharpness", part="szem.tasks.appearance.look:SHARPNESS"),
    ),
)

TASKS: Mapping[str, TaskSpec] = {row.name: row for row in _ROWS}
"""Name -> row, in the order in which help, OpenAPI and `look` show them."""


def public_names(tasks: Mapping[str, TaskSpec] = TASKS) -> dict[str, str]:
    """Name in `szem` -> the module that defines it: functions, results, and what belongs to both."""
    paths = [path for row in tasks.values() for path in (row.function, row.result, *row.more_names) if path]
    return {name: module for module, _, name in (path.partition(":") for path in paths)}


def load(path: str) -> Any:
    """Import what a row names.

    >>> load("math:tau") > 6
    True
    """
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
