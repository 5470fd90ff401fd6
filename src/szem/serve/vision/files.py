"""Files of pages: PDF, TIFF and GIF, page by page."""

from collections.abc import AsyncIterator, Iterable, Sequence

from szem.errors import MediaError, RangeError, SzemError
from szem.media.pages import count_pages
from szem.serve.engine import Engine
from szem.serve.pictures import bad_image
from szem.serve.status import Code, FieldsError, Violation, error_to_status
from szem.serve.vision.annotate import Annotator, annotate_page_data, to_status
from szem.serve.vision.schema import (
    AnnotateFileRequest,
    AnnotateFileResponse,
    AnnotateImageResponse,
    AsyncAnnotateFileRequest,
    Feature,
    ImageAnnotationContext,
    ImageContext,
    InputConfig,
    Status,
)

__all__ = ["annotate_file", "annotate_pages", "load_file", "number_pages"]

MIME_TYPES = frozenset({"application/pdf", "image/tiff", "image/gif"})


async def annotate_file(annotator: Annotator, request: AnnotateFileRequest, *, place: str) -> AnnotateFileResponse:
    """Answer for some pages of one file; what is wrong with the file is reported inside the answer."""
    config = request.input_config or InputConfig()
    echoed = InputConfig(gcs_source=config.gcs_source, mime_type=config.mime_type)
    try:
        data, total = await load_file(annotator, request, place=place)
    except SzemError as error:
        return AnnotateFileResponse(input_config=echoed, error=to_status(error, place))
    numbers = number_pages(request.pages, total, most=annotator.dispatcher.settings.max_pages)
    answers = [answer async for answer in annotate_pages(annotator, request, data, numbers, total, place=place)]
    return AnnotateFileResponse(input_config=echoed, responses=tuple(answers), total_pages=total)


async def load_file(
    annotator: Annotator, request: AnnotateFileRequest | AsyncAnnotateFileRequest, *, place: str
) -> tuple[bytes, int]:
    """The bytes of a file and the number of its pages.

    Raises:
        SzemError: missing, not allowed, or not a PDF, TIFF or GIF.
    """
    config = request.input_config
    if config is None or not request.features:
        raise FieldsError("Request must specify inputConfig and features.")
    _check_type(config.mime_type, f"{place}.inputConfig.mimeType")
    where = f"{place}.inputConfig.content"
    data = config.content
    if not data:
        if config.gcs_source is None or not config.gcs_source.uri:
            raise FieldsError("Request must specify inputConfig.content or inputConfig.gcsSource.uri.")
        where = f"{place}.inputConfig.gcsSource.uri"
        data = await annotator.pictures.load(config.gcs_source.uri, where)
    try:
        return data, await annotator.dispatcher.work(count_file_pages, data)
    except MediaError as error:
        raise bad_image(error, where) from error


def number_pages(pages: Sequence[int], total: int, *, most: int) -> list[int]:
    """The pages asked for, as numbers from 1; the first ones if none are. A number outside is kept as it is.

    >>> number_pages([1, -1], 9, most=5), number_pages([], 3, most=5)
    ([1, 9], [1, 2, 3])
    """
    if not pages:
        return list(range(1, min(total, most) + 1))
    return [page if page > 0 else total + 1 + page if page >= -total else page for page in pages]


async def annotate_pages(
    annotator: Annotator,
    request: AnnotateFileRequest | AsyncAnnotateFileRequest,
    data: bytes,
    numbers: Iterable[int],
    total: int,
    *,
    place: str,
) -> AsyncIterator[AnnotateImageResponse]:
    """Answer for pages one after the other.

    Args:
        annotator: Answers for each page.
        request: What is asked of them.
        data: The file.
        numbers: Pages from 1.
        total: How many the file has.
        place: Where the request stands, for messages.
    """
    source = None if request.input_config is None else request.input_config.gcs_source
    uri = "" if source is None else source.uri
    context = request.image_context or ImageContext()
    for number in numbers:
        answer = await _annotate_page(annotator, data, number, total, request.features, context, place)
        about = ImageAnnotationContext(uri=uri, page_number=number)
        yield AnnotateImageResponse(**{**vars(answer), "context": about})


async def _annotate_page(
    annotator: Annotator,
    data: bytes,
    number: int,
    total: int,
    features: Sequence[Feature],
    context: ImageContext,
    place: str,
) -> AnnotateImageResponse:
    if not 1 <= number <= total:
        fault = RangeError(f"page {number} is not there; the file has {total}, pages run from 1 or back from -1")
        status = error_to_status(fault, field=f"{place}.pages")
        return AnnotateImageResponse(
            error=Status(code=int(Code.OUT_OF_RANGE), message=status["message"], details=tuple(status["details"]))
        )
    try:
        return annotator.count(
            await annotator.dispatcher.work(annotate_page_data, data, number, features, context, place)
        )
    except SzemError as error:
        return AnnotateImageResponse(error=to_status(error, place))


async def count_file_pages(engine: Engine, data: bytes) -> int:
    """How many pages a file has, in a worker."""
    return count_pages(data, limits=engine.limits)


def _check_type(mime_type: str, field: str) -> None:
    if mime_type in MIME_TYPES:
        return
    text = f"must be application/pdf, image/tiff or image/gif, got {mime_type[:60]!r}"
    raise FieldsError(f"{field}: {text}", violations=[Violation(field, text)])
