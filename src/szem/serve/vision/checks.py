"""Rules for whole requests: what Google refuses with HTTP 400 before it looks at a picture."""

import math
import re
from collections.abc import Sequence

from szem.serve.settings import ServeSettings
from szem.serve.status import FieldsError, Violation
from szem.serve.vision.schema import (
    AnnotateFileRequest,
    AnnotateImageRequest,
    AsyncAnnotateFileRequest,
    AsyncBatchAnnotateFilesRequest,
    AsyncBatchAnnotateImagesRequest,
    BatchAnnotateFilesRequest,
    BatchAnnotateImagesRequest,
    Feature,
    ImageContext,
    OutputConfig,
)

__all__ = ["check_async_files", "check_async_images", "check_files", "check_images", "parent_of"]

_PARENT = re.compile(r"projects/[^/\s]{1,128}(/locations/[^/\s]{1,64})?\Z")
_LABEL_KEY = re.compile(r"[^\W\dA-Z][^\WA-Z]{0,62}\Z|[^\W\dA-Z](?:[^\WA-Z]|-){0,62}\Z")
_LABEL_VALUE = re.compile(r"(?:[^\WA-Z]|-){0,63}\Z")
_MAX_LABELS = 64
_MAX_FEATURES = 64
_MAX_BATCH_SIZE = 100

_Faults = list[Violation]
_Any = (
    BatchAnnotateImagesRequest
    | BatchAnnotateFilesRequest
    | AsyncBatchAnnotateImagesRequest
    | AsyncBatchAnnotateFilesRequest
)


def check_images(request: BatchAnnotateImagesRequest, settings: ServeSettings) -> None:
    """Check the body of images:annotate.

    Raises:
        FieldsError: with each place that is wrong.
    """
    faults: _Faults = []
    _check_envelope(request, faults, most=settings.max_images, what="pictures")
    for index, one in enumerate(request.requests[: settings.max_images]):
        _check_image(one, f"requests[{index}]", faults)
    _raise(faults)


def check_async_images(request: AsyncBatchAnnotateImagesRequest, settings: ServeSettings) -> None:
    """Check the body of images:asyncBatchAnnotate."""
    faults: _Faults = []
    _check_envelope(request, faults, most=settings.max_async_images, what="pictures")
    for index, one in enumerate(request.requests[: settings.max_async_images]):
        place = f"requests[{index}]"
        _check_image(one, place, faults)
        if one.image is not None and one.image.content:
            faults.append(Violation(f"{place}.image.content", "an operation reads pictures by URI only; give source"))
    _check_output(request.output_config, "outputConfig", faults)
    _raise(faults)


def check_files(request: BatchAnnotateFilesRequest, settings: ServeSettings) -> None:
    """Check the body of files:annotate."""
    faults: _Faults = []
    _check_envelope(request, faults, most=1, what="files")
    for index, one in enumerate(request.requests[:1]):
        place = f"requests[{index}]"
        _check_file(one, place, faults)
        if len(one.pages) > settings.max_pages:
            text = f"at most {settings.max_pages} pages at once, got {len(one.pages)}; use files:asyncBatchAnnotate"
            faults.append(Violation(f"{place}.pages", text))
        if 0 in one.pages:
            faults.append(Violation(f"{place}.pages", "pages begin at 1; -1 is the last one; 0 is none"))
    _raise(faults)


def check_async_files(request: AsyncBatchAnnotateFilesRequest, settings: ServeSettings) -> None:
    """Check the body of files:asyncBatchAnnotate."""
    faults: _Faults = []
    seen: set[str] = set()
    _check_envelope(request, faults, most=settings.max_images, what="files")
    for index, one in enumerate(request.requests[: settings.max_images]):
        place = f"requests[{index}]"
        _check_file(one, place, faults)
        if one.input_config is not None and one.input_config.content:
            faults.append(
                Violation(f"{place}.inputConfig.content", "an operation reads files by URI only; give gcsSource")
            )
        _check_output(one.output_config, f"{place}.outputConfig", faults)
        if one.output_config is not None and one.output_config.gcs_destination is not None:
            uri = one.output_config.gcs_destination.uri
            if uri in seen:
                text = "another file of this request goes there too; they would overwrite each other"
                faults.append(Violation(f"{place}.outputConfig.gcsDestination.uri", text))
            seen.add(uri)
    _raise(faults)


def parent_of(in_path: str, in_body: str) -> str:
    """The parent of a request: from its path, else from its body, where Google's client puts it.

    Raises:
        FieldsError: both are given and differ.

    >>> parent_of("projects/p", "")
    'projects/p'
    """
    if in_path and in_body and in_path != in_body:
        fault = Violation("parent", f"the body says {in_body[:80]!r}, the path {in_path[:80]!r}; give one")
        raise FieldsError(f"parent: {fault.description}", violations=[fault])
    return in_path or in_body


def _check_envelope(request: _Any, faults: _Faults, *, most: int, what: str) -> None:
    if not request.requests:
        faults.append(Violation("requests", f"no {what}; put at least one into requests"))
    if len(request.requests) > most:
        text = f"at most {most} {what} in one request, got {len(request.requests)}; split it"
        faults.append(Violation("requests", text))
    if request.parent and not _PARENT.match(request.parent):
        faults.append(Violation("parent", "must read projects/PROJECT or projects/PROJECT/locations/LOCATION"))
    if len(request.labels) > _MAX_LABELS:
        faults.append(Violation("labels", f"at most {_MAX_LABELS}, got {len(request.labels)}"))
    for key, value in list(request.labels.items())[:_MAX_LABELS]:
        if not _LABEL_KEY.match(key) or not _LABEL_VALUE.match(value):
            text = "keys and values are at most 63 lower-case letters, digits, _ and -; a key begins with a letter"
            faults.append(Violation("labels", f"{text}; got {key[:70]!r}: {value[:70]!r}"))
            break


def _check_image(one: AnnotateImageRequest, place: str, faults: _Faults) -> None:
    _check_features(one.features, place, faults)
    _check_context(one.image_context, place, faults)


def _check_file(one: AnnotateFileRequest | AsyncAnnotateFileRequest, place: str, faults: _Faults) -> None:
    _check_features(one.features, place, faults)
    _check_context(one.image_context, place, faults)


def _check_features(features: Sequence[Feature], place: str, faults: _Faults) -> None:
    if len(features) > _MAX_FEATURES:
        faults.append(Violation(f"{place}.features", f"at most {_MAX_FEATURES}, got {len(features)}"))
    for index, feature in enumerate(features[:_MAX_FEATURES]):
        if feature.max_results < 0:
            text = f"must not be negative, got {feature.max_results}; leave it out for the usual number"
            faults.append(Violation(f"{place}.features[{index}].maxResults", text))


def _check_context(context: ImageContext | None, place: str, faults: _Faults) -> None:
    if context is None or context.crop_hints_params is None:
        return
    for index, ratio in enumerate(context.crop_hints_params.aspect_ratios[:16]):
        if not math.isfinite(ratio) or not 0.01 <= ratio <= 100:
            text = f"must be width / height between 0.01 and 100, got {ratio:g}"
            faults.append(Violation(f"{place}.imageContext.cropHintsParams.aspectRatios[{index}]", text))


def _check_output(output: OutputConfig | None, place: str, faults: _Faults) -> None:
    if output is None or output.gcs_destination is None or not output.gcs_destination.uri:
        faults.append(Violation(f"{place}.gcsDestination.uri", "missing; say where the answers go: file:///FOLDER/"))
    if output is not None and not 0 <= output.batch_size <= _MAX_BATCH_SIZE:
        text = f"must be 1 to {_MAX_BATCH_SIZE} (0 or absent: 20), got {output.batch_size}"
        faults.append(Violation(f"{place}.batchSize", text))


def _raise(faults: _Faults) -> None:
    if faults:
        raise FieldsError(f"{faults[0].field}: {faults[0].description}", violations=faults[:16])
