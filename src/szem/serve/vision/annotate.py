"""Pictures in, answers out: the features of a picture side by side, its faults reported in its answer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from szem.arrays import Picture8
from szem.errors import MediaError, SzemError, UnsupportedError
from szem.media.pages import read_pages
from szem.serve.dispatcher import Dispatcher
from szem.serve.engine import Engine
from szem.serve.metrics import Metrics
from szem.serve.pictures import PictureLoader, bad_image
from szem.serve.protojson import Json
from szem.serve.status import Code, FieldsError, Violation, code_of, error_to_status
from szem.serve.vision.features import DEFAULT_RESULTS, Job, build_feature, merge, min_side_for_labels
from szem.serve.vision.schema import (
    AnnotateImageRequest,
    AnnotateImageResponse,
    Feature,
    FeatureType,
    ImageContext,
    Status,
)

__all__ = ["Annotated", "Annotator", "annotate_file_data", "annotate_page_data", "to_status"]


class Annotator:
    """Answers for single pictures.

    Args:
        dispatcher: Has the work done.
        pictures: Loads the pictures.
        metrics: Where pictures and features are counted.
    """

    def __init__(self, dispatcher: Dispatcher, pictures: PictureLoader, metrics: Metrics) -> None:
        self.dispatcher = dispatcher
        self.pictures = pictures
        self.metrics = metrics

    async def annotate_all(self, requests: Sequence[AnnotateImageRequest]) -> tuple[AnnotateImageResponse, ...]:
        """Answer several pictures side by side, in order."""
        jobs = (self.annotate(one, place=f"requests[{n}]") for n, one in enumerate(requests))
        return tuple(await asyncio.gather(*jobs))

    async def annotate(self, request: AnnotateImageRequest, *, place: str) -> AnnotateImageResponse:
        """Answer one picture; whatever is wrong with it is reported inside the answer.

        Args:
            request: The picture and what is asked of it.
            place: Where it stands in the whole request, for messages.
        """
        try:
            image = request.image
            if image is None or not request.features:
                fault = Violation(place if image is None else f"{place}.features", "missing")
                raise FieldsError("Request must specify image and features.", violations=[fault])
            async with self.pictures.loaded(image, place=place) as file:
                context = request.image_context or ImageContext()
                found = await self.dispatcher.work(
                    annotate_file_data, file.data, file.where, request.features, context, place
                )
            answer = self.count(found)
        except SzemError as error:
            answer = AnnotateImageResponse(error=to_status(error, place))
        self.metrics.pictures.labels(_code_name(answer)).inc()
        return answer

    def count(self, found: "Annotated") -> AnnotateImageResponse:
        """Count what a worker computed; gives its answer."""
        for name, code in found.outcomes:
            self.metrics.features.labels(name, code).inc()
        return found.answer


@dataclass(frozen=True)
class Annotated:
    """A worker's answer for one picture, and how each feature of it ended: its name and google.rpc code."""

    answer: AnnotateImageResponse
    outcomes: tuple[tuple[str, str], ...]


async def annotate_file_data(
    engine: Engine, data: bytes, where: str, features: Sequence[Feature], context: ImageContext, place: str
) -> Annotated:
    """Answer for a picture file, in a worker.

    Raises:
        FieldsError: it cannot be read.
    """
    is_labels_only = all(feature.type is FeatureType.LABEL_DETECTION for feature in features)
    try:
        side_px = await min_side_for_labels(engine) if is_labels_only else None
        return await _annotate(engine, engine.picture(data, min_side_px=side_px), features, context, place)
    except MediaError as error:
        raise bad_image(error, where) from error


async def annotate_page_data(
    engine: Engine, data: bytes, number: int, features: Sequence[Feature], context: ImageContext, place: str
) -> Annotated:
    """Answer for one page of a file, numbered from 1, in a worker.

    Raises:
        FieldsError: it cannot be read.
    """
    try:
        picture = next(read_pages(data, [number - 1], limits=engine.limits))
    except MediaError as error:
        raise bad_image(error, f"{place}.pages") from error
    return await _annotate(engine, picture, features, context, place)


async def _annotate(
    engine: Engine, picture: Picture8, features: Sequence[Feature], context: ImageContext, place: str
) -> Annotated:
    """Answer for a decoded picture: what can be answered is, beside an error for the rest."""
    wanted = _without_repeats(features)
    jobs = [Job(picture=picture, feature=feature, context=context, engine=engine) for feature in wanted]
    if len(jobs) == 1:
        parts = [await _build(jobs[0])]
    else:
        parts = await asyncio.gather(*(_build(job) for job in jobs))
    answer = AnnotateImageResponse()
    faults: list[tuple[Feature, SzemError]] = []
    outcomes = []
    for feature, part in zip(wanted, parts, strict=True):
        name = feature.type.name if isinstance(feature.type, FeatureType) else "OTHER"
        if isinstance(part, SzemError):
            faults.append((feature, part))
            outcomes.append((name, code_of(part).name))
        else:
            answer = merge(answer, part)
            outcomes.append((name, Code.OK.name))
    if faults:
        answer = merge(answer, AnnotateImageResponse(error=_feature_status(faults, features, place)))
    return Annotated(answer, tuple(outcomes))


async def _build(job: Job) -> AnnotateImageResponse | SzemError:
    try:
        return await build_feature(job)
    except SzemError as error:
        return error


def to_status(error: SzemError, place: str) -> Status:
    """An error as the status of one picture."""
    return _status(error_to_status(error, field=place))


def _status(parts: dict[str, object]) -> Status:
    details = parts.get("details", [])
    assert isinstance(details, list)
    return Status(
        code=int(str(parts["code"])), message=str(parts["message"]), details=tuple(Json(item) for item in details)
    )


def _feature_status(faults: Sequence[tuple[Feature, SzemError]], features: Sequence[Feature], place: str) -> Status:
    """One status for all features that failed. Code 12 only if nothing worse happened."""
    worst = next((e for _, e in faults if not isinstance(e, UnsupportedError)), faults[0][1])
    message = "; ".join(dict.fromkeys(str(error) for _, error in faults))
    rows = [Violation(f"{place}.features[{features.index(f)}]", str(error)) for f, error in faults]
    fault = FieldsError(message, violations=rows)
    return _status(error_to_status(fault) | {"code": int(code_of(worst))})


def _without_repeats(features: Sequence[Feature]) -> list[Feature]:
    """Each type once, with the largest number of results asked for; document text stands for both kinds of text."""
    best: dict[int, Feature] = {}
    for feature in features:
        known = best.get(int(feature.type))
        if known is None or _most(feature) > _most(known):
            best[int(feature.type)] = feature
    if FeatureType.DOCUMENT_TEXT_DETECTION in best:
        best.pop(FeatureType.TEXT_DETECTION, None)
    return list(best.values())


def _most(feature: Feature) -> int:
    return feature.max_results or DEFAULT_RESULTS


def _code_name(answer: AnnotateImageResponse) -> str:
    return Code.OK.name if answer.error is None else Code(answer.error.code).name
