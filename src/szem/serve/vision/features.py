"""What can be asked of a picture: one table, feature type -> what answers it, or what is missing.

A task that lands replaces its line. A builder gets the decoded picture and returns the fields it fills in.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields

from szem.arrays import Picture8
from szem.errors import UnsupportedError
from szem.serve.engine import Engine
from szem.serve.status import FieldsError
from szem.serve.vision.schema import AnnotateImageResponse, Feature, FeatureType, ImageContext

__all__ = ["FEATURES", "Job", "build_feature", "merge"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One feature of one picture."""

    picture: Picture8  # (H, W, 3) uint8 RGB, upright
    feature: Feature
    context: ImageContext
    engine: Engine


Build = Callable[[Job], Awaitable[AnnotateImageResponse]]


def missing(what: str) -> Build:
    """A builder for what szem does not do yet: it says so, with code 12."""

    async def build(job: Job) -> AnnotateImageResponse:
        raise UnsupportedError(f"{FeatureType(job.feature.type).name} is not answered by this server: {what}")

    return build


FEATURES: Mapping[FeatureType, Build] = {
    FeatureType.FACE_DETECTION: missing("there is no face detector in it"),
    FeatureType.LANDMARK_DETECTION: missing("it has no catalogue of landmarks"),
    FeatureType.LOGO_DETECTION: missing("it has no catalogue of logos"),
    FeatureType.LABEL_DETECTION: missing("the classify task is not installed"),
    FeatureType.TEXT_DETECTION: missing("there is no text recogniser in it"),
    FeatureType.SAFE_SEARCH_DETECTION: missing("there is no network for it"),
    FeatureType.IMAGE_PROPERTIES: missing("the colours task is not installed"),
    FeatureType.CROP_HINTS: missing("the crops task is not installed"),
    FeatureType.WEB_DETECTION: missing("it works offline and knows no web pages"),
    FeatureType.DOCUMENT_TEXT_DETECTION: missing("there is no text recogniser in it"),
    FeatureType.PRODUCT_SEARCH: missing("it has no product sets"),
    FeatureType.OBJECT_LOCALIZATION: missing("the detect task is not installed"),
}


async def build_feature(job: Job) -> AnnotateImageResponse:
    """Compute one feature.

    Raises:
        FieldsError: there is no such feature type.
        UnsupportedError: szem does not answer it.
    """
    kind = job.feature.type
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
