"""Pictures in, answers out: the features of a picture side by side, its faults reported in its answer."""

import asyncio
from collections.abc import Sequence

from szem.arrays import Picture8
from szem.errors import SzemError, UnsupportedError
from szem.serve.engine import Engine
from szem.serve.metrics import Metrics
from szem.serve.pictures import PictureLoader
from szem.serve.protojson import Json
from szem.serve.status import Code, FieldsError, Violation, code_of, error_to_status
from szem.serve.vision.features import DEFAULT_RESULTS, Job, build_feature, merge
from szem.serve.vision.schema import (
    AnnotateImageRequest,
    AnnotateImageResponse,
    Feature,
    FeatureType,
    ImageContext,
    Status,
)

__all__ = ["Annotator", "to_status"]


class Annotator:
    """Answers for single pictures.

    Args:
        engine: Does the work.
        pictures: Loads the pictures.
        metrics: Where pictures and features are counted.
    """

    def __init__(self, engine: Engine, pictures: PictureLoader, metrics: Metrics) -> None:
        self.engine = engine
        self.pictures = pictures
        self.metrics = metrics

    async def annotate_all(self, requests: Sequence[AnnotateImageRequest]) -> tuple[AnnotateImageResponse, ...]:
        """Answer several pictures side by side, in order."""
        jobs = (self.annotate(one, place=f"requests[{n}]") for n, one in enumerate(requests))
        return tuple(await asyncio.gather(*jobs))

    async def annotate(self, request: AnnotateImageRequest, *, place: str) -> AnnotateImageResponse:
        """Answer one picture; whatever is wrong with it is told inside the answer.

        Args:
            request: The picture and what is asked of it.
            place: Where it stands in the whole request, for messages.
        """
        try:
            image = request.image
            if image is None or not request.features:
                fault = Violation(place if image is None else f"{place}.features", "missing")
                raise FieldsError("Request must specify image and features.", violations=[fault])
            for_labels_only = all(feature.type is FeatureType.LABEL_DETECTION for feature in request.features)
            async with self.pictures.opened(image, place=place, for_labels_only=for_labels_only) as picture:
                answer = await self.annotate_picture(
                    picture, request.features, request.image_context or ImageContext(), place=place
                )
        except SzemError as error:
            answer = AnnotateImageResponse(error=to_status(error, place))
        self.metrics.pictures.labels(_code_name(answer)).inc()
        return answer

    async def annotate_picture(
        self, picture: Picture8, features: Sequence[Feature], context: ImageContext, *, place: str
    ) -> AnnotateImageResponse:
        """Answer for a decoded picture: what can be answered is, beside an error for the rest."""
        wanted = _without_repeats(features)
        parts = await asyncio.gather(
            *(self._feature(Job(picture=picture, feature=f, context=context, engine=self.engine)) for f in wanted)
        )
        answer = AnnotateImageResponse()
        faults: list[tuple[Feature, SzemError]] = []
        for feature, part in zip(wanted, parts, strict=True):
            if isinstance(part, SzemError):
                faults.append((feature, part))
            else:
                answer = merge(answer, part)
        if faults:
            answer = merge(answer, AnnotateImageResponse(error=_feature_status(faults, features, place)))
        return answer

    async def _feature(self, job: Job) -> AnnotateImageResponse | SzemError:
        kind = job.feature.type
        name = kind.name if isinstance(kind, FeatureType) else "OTHER"
        try:
            part = await build_feature(job)
        except SzemError as error:
            self.metrics.features.labels(name, code_of(error).name).inc()
            return error
        self.metrics.features.labels(name, "OK").inc()
        return part


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
    told = FieldsError(message, violations=rows)
    return _status(error_to_status(told) | {"code": int(code_of(worst))})


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
