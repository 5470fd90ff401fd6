"""What can be asked of a picture: one table, feature type -> what answers it, or what is missing.

A task that lands replaces its line. A builder gets the decoded picture and returns the fields it fills in.
"""

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from szem.arrays import Picture8
from szem.errors import SzemError, UnsupportedError
from szem.results.boxes import Boxes
from szem.results.faces import Faces
from szem.serve.engine import Engine
from szem.serve.protojson import Json
from szem.serve.status import FieldsError
from szem.serve.vision.faces import annotate_faces
from szem.serve.vision.geometry import box_to_poly
from szem.serve.vision.schema import (
    AnnotateImageResponse,
    BoundingPoly,
    Color,
    ColorInfo,
    CropHint,
    CropHintsAnnotation,
    DominantColorsAnnotation,
    EntityAnnotation,
    Feature,
    FeatureType,
    ImageContext,
    ImageProperties,
    Likelihood,
    LocalizedObjectAnnotation,
    SafeSearchAnnotation,
)
from szem.serve.vision.text import annotate_text, asks_for_any_script
from szem.tasks.appearance.crop_hints import crop_hints
from szem.tasks.appearance.dominant_colors import dominant_colors
from szem.tasks.classification.classify import Classifier
from szem.tasks.detection.detect import Detector
from szem.tasks.faces.detect import face_detector_of
from szem.tasks.segmentation.agreement import open_agreement
from szem.tasks.segmentation.answer import MAX_BOXES, outlines_to_dict
from szem.tasks.segmentation.segment import segment_with
from szem.tasks.text.read import text_reader_of

__all__ = ["DEFAULT_RESULTS", "FEATURES", "Job", "build_feature", "is_answered", "merge", "min_side_for_labels"]

MODELS = frozenset({"", "builtin/stable", "builtin/latest", "builtin/weekly"})  # Google's: the same here
OUTLINES_MODEL = "szem/outlines"  # of OBJECT_LOCALIZATION: the same boxes, each with its mask
DEFAULT_RESULTS = 10  # what Google gives when maxResults is absent
NSFW_MODEL = "nsfw"
_ADULT = (0.1, 0.3, 0.6, 0.85)  # score where each word ends, from VERY_UNLIKELY on
_RACY = (0.1, 0.3)  # of the same score; not chosen by any measurement
_MOST_LABELS = 1_000
_MOST_COLORS = 24
_MOST_RATIOS = 16


@dataclass(frozen=True, kw_only=True)
class Job:
    """One feature of one picture."""

    picture: Picture8  # (H, W, 3) uint8 RGB, upright
    feature: Feature
    context: ImageContext
    engine: Engine


Build = Callable[[Job], Awaitable[AnnotateImageResponse]]


@dataclass(frozen=True)
class _Missing:
    """A builder for what szem does not do: it says so, with code 12."""

    reason: str

    async def __call__(self, job: Job) -> AnnotateImageResponse:
        raise UnsupportedError(f"{FeatureType(job.feature.type).name} is not answered by this server: {self.reason}")


async def labels(job: Job) -> AnnotateImageResponse:
    """What is in the picture: classes of the network and words for several of them, best first.

    `mid` is the WordNet id where there is one.
    """
    most = min(job.feature.max_results or DEFAULT_RESULTS, _MOST_LABELS)
    classifier = Classifier(await job.engine.session("classify"), workers=1)
    found = (await job.engine.run(lambda: classifier.together([job.picture], top=most)))[0]
    min_score = job.engine.settings.min_label_score
    known = {label.name for label in found.parents}  # a class may have the name of its word
    classes = [label for label in found if label.score >= min_score and label.name not in known]
    rows = sorted([*found.parents, *classes], key=lambda label: -label.score)  # a word before its only class
    return AnnotateImageResponse(
        label_annotations=tuple(
            EntityAnnotation(mid=label.id, description=label.name, score=label.score, topicality=label.score)
            for label in rows[:most]
        )
    )


async def image_properties(job: Job) -> AnnotateImageResponse:
    """Dominant colours."""
    count = min(job.feature.max_results or DEFAULT_RESULTS, _MOST_COLORS)
    found = await job.engine.run(lambda: dominant_colors(job.picture, count=count))
    colors = tuple(
        ColorInfo(color=_color(color.rgb), score=color.score, pixel_fraction=color.pixel_fraction)
        for color in found.colors
    )
    return AnnotateImageResponse(
        image_properties_annotation=ImageProperties(dominant_colors=DominantColorsAnnotation(colors=colors))
    )


async def crops(job: Job) -> AnnotateImageResponse:
    """One crop for each ratio asked for, or the best one of any shape."""
    params = job.context.crop_hints_params
    asked = () if params is None else params.aspect_ratios[:_MOST_RATIOS]
    found = await job.engine.run(lambda: crop_hints(job.picture, aspect_ratios=asked or (None,)))
    height, width = job.picture.shape[:2]
    hints = tuple(
        CropHint(
            bounding_poly=box_to_poly(crop.box_xyxy, width=width, height=height),
            confidence=crop.confidence,
            importance_fraction=crop.importance_fraction,
        )
        for crop in found.crops
    )
    return AnnotateImageResponse(crop_hints_annotation=CropHintsAnnotation(crop_hints=hints))


async def objects(job: Job) -> AnnotateImageResponse:
    """What is where, best first. The detector's classes are in no catalogue, so `mid` is empty.

    With the model `szem/outlines` the first 64 have masks too.
    """
    found = await _boxes(job)
    rows = [
        LocalizedObjectAnnotation(
            name=box.label,
            score=box.score,
            bounding_poly=BoundingPoly(
                normalized_vertices=box_to_poly(
                    box.box_xyxy, width=found.width, height=found.height
                ).normalized_vertices
            ),
        )
        for box in found
    ]
    rows = rows[: min(job.feature.max_results or DEFAULT_RESULTS, _MOST_LABELS)]
    if job.feature.model == OUTLINES_MODEL:
        boxes = np.array([box.box_xyxy for box in found], np.float32).reshape(-1, 4)[: min(len(rows), MAX_BOXES)]
        session = await job.engine.session("outline")
        answer = await job.engine.run(outlines_to_dict, session, job.picture, boxes)
        rows[: len(boxes)] = [
            replace(row, szem_mask=Json(m)) for row, m in zip(rows, answer["outlines"], strict=False)
        ]
    return AnnotateImageResponse(localized_object_annotations=tuple(rows))


async def faces(job: Job) -> AnnotateImageResponse:
    """Faces, the surest first, each with its landmarks and angles."""
    found = await _faces(job)
    most = min(job.feature.max_results or DEFAULT_RESULTS, _MOST_LABELS)
    detector = face_detector_of(await job.engine.session("faces"))
    seen = found[:most]
    pupils = await job.engine.run(lambda: detector.find_pupils(job.picture, seen))
    rows = await job.engine.run(lambda: annotate_faces(job.picture, seen, pupils))
    return AnnotateImageResponse(face_annotations=rows)


async def text(job: Job) -> AnnotateImageResponse:
    """Words and where they are, in reading order. Both features are answered alike, but for the confidences.

    Raises:
        MissingExtraError: the networks that read are not installed.
    """
    hints, params = job.context.language_hints, job.context.text_detection_params
    any_script = asks_for_any_script(hints)
    is_asked = params is not None and params.enable_text_detection_confidence_score
    is_document = job.feature.type is FeatureType.DOCUMENT_TEXT_DETECTION
    reader = text_reader_of(await job.engine.session("text"))
    found = await job.engine.run(lambda: reader(job.picture, any_script=any_script))
    return annotate_text(found, confidences=is_document or is_asked)


async def safe_search(job: Job) -> AnnotateImageResponse:
    """Whether a picture is pornographic or shows much skin; of the other kinds nothing is known.

    Raises:
        MissingExtraError: the network is not installed.
    """
    classifier = Classifier(await job.engine.session("classify", NSFW_MODEL), workers=1)
    score = float((await job.engine.run(classifier.scores, job.picture))[classifier.names.index(NSFW_MODEL)])
    answer = SafeSearchAnnotation(adult=adult_likelihood(score), racy=racy_likelihood(score))
    return AnnotateImageResponse(safe_search_annotation=answer)


def adult_likelihood(score: float) -> Likelihood:
    """The word for the network's score, 0..1.

    >>> adult_likelihood(0.05).name
    'VERY_UNLIKELY'
    """
    return Likelihood(1 + bisect_right(_ADULT, score))


def racy_likelihood(score: float) -> Likelihood:
    """The word for how much skin or nudity there is, by the same score.

    It tells bare skin from other photographs of people less well than pornography, so neither VERY_UNLIKELY nor
    VERY_LIKELY is answered; docs/api.md says how well.

    >>> racy_likelihood(0.05).name
    'UNLIKELY'
    """
    return Likelihood(Likelihood.UNLIKELY + bisect_right(_RACY, score))


async def segmentation(job: Job) -> AnnotateImageResponse:
    """What every pixel is, as `/v1/szem/segment` tells it; `model` of the feature names the model."""
    name = "" if job.feature.model in MODELS else job.feature.model
    session = await job.engine.session("segment", name)

    def answer() -> dict[str, Any]:
        agreement = open_agreement(session, job.engine.open_model)
        return segment_with(session, job.picture, agreement=agreement).to_dict(masks="png")

    answered = await job.engine.run(answer)
    return AnnotateImageResponse(szem_segmentation=Json(answered))


async def min_side_for_labels(engine: Engine) -> int | None:
    """How small the shorter side of a picture may be decoded that is only asked for its labels; None: not smaller."""
    try:
        return Classifier(await engine.session("classify")).min_side_px
    except SzemError:
        return None  # reported when the labels are computed


async def _boxes(job: Job) -> Boxes:
    session = await job.engine.session("detect")
    return await job.engine.run(lambda: Detector(session)([job.picture])[0])


async def _faces(job: Job) -> Faces:
    detector = face_detector_of(await job.engine.session("faces"))
    return await job.engine.run(detector, job.picture)


def _color(rgb: tuple[int, int, int]) -> Color:
    return Color(red=float(rgb[0]), green=float(rgb[1]), blue=float(rgb[2]))


FEATURES: Mapping[FeatureType, Build] = {
    FeatureType.FACE_DETECTION: faces,
    FeatureType.LANDMARK_DETECTION: _Missing("it has no catalogue of landmarks"),
    FeatureType.LOGO_DETECTION: _Missing("it has no catalogue of logos"),
    FeatureType.LABEL_DETECTION: labels,
    FeatureType.TEXT_DETECTION: text,
    FeatureType.SAFE_SEARCH_DETECTION: safe_search,
    FeatureType.IMAGE_PROPERTIES: image_properties,
    FeatureType.CROP_HINTS: crops,
    FeatureType.WEB_DETECTION: _Missing("it works offline and knows no web pages"),
    FeatureType.DOCUMENT_TEXT_DETECTION: text,
    FeatureType.PRODUCT_SEARCH: _Missing("it has no product sets"),
    FeatureType.OBJECT_LOCALIZATION: objects,
    FeatureType.SZEM_SEGMENTATION: segmentation,
}


def is_answered(kind: FeatureType) -> bool:
    """Whether a feature is answered at all.

    >>> is_answered(FeatureType.LABEL_DETECTION), is_answered(FeatureType.WEB_DETECTION)
    (True, False)
    """
    return not isinstance(FEATURES[kind], _Missing)


async def build_feature(job: Job) -> AnnotateImageResponse:
    """Compute one feature.

    Raises:
        FieldsError: there is no such feature type, or no such model for it.
        UnsupportedError: szem does not answer it.
    """
    kind = job.feature.type
    is_own = kind == FeatureType.SZEM_SEGMENTATION or (
        kind == FeatureType.OBJECT_LOCALIZATION and job.feature.model == OUTLINES_MODEL
    )
    if job.feature.model not in MODELS and not is_own:
        raise FieldsError(f"there is no model {job.feature.model[:60]!r}; leave it out or say builtin/stable")
    build = FEATURES.get(kind)
    if build is None:
        known = ", ".join(t.name for t in FEATURES)
        name = kind.name if isinstance(kind, FeatureType) else str(kind)
        raise FieldsError(f"there is no feature type {name}; ask for one of {known}")
    return await build(job)


def merge(whole: AnnotateImageResponse, part: AnnotateImageResponse) -> AnnotateImageResponse:
    """An answer with the fields that another one fills in added."""
    values = {}
    for field in fields(AnnotateImageResponse):
        value = getattr(part, field.name)
        values[field.name] = value if value != field.default else getattr(whole, field.name)
    return AnnotateImageResponse(**values)
