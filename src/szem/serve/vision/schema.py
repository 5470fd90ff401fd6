"""The messages of Cloud Vision v1, requests and answers, as frozen dataclasses.

Field names and numbers are the protocol's. What szem does not use is still read, so that a program that sends it is
not refused. Source: googleapis, google/cloud/vision/v1/{image_annotator,geometry,text_annotation}.proto.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar

from szem.serve.messages import Image
from szem.serve.protojson import Json
from szem.serve.vision.schema_shapes import BoundingPoly, LatLng, NormalizedVertex, Position, Vertex
from szem.serve.vision.schema_text import TextAnnotation

__all__ = [
    "AnnotateFileRequest",
    "AnnotateFileResponse",
    "AnnotateImageRequest",
    "AnnotateImageResponse",
    "AsyncAnnotateFileRequest",
    "AsyncBatchAnnotateFilesRequest",
    "AsyncBatchAnnotateImagesRequest",
    "BatchAnnotateFilesRequest",
    "BatchAnnotateFilesResponse",
    "BatchAnnotateImagesRequest",
    "BatchAnnotateImagesResponse",
    "BoundingPoly",
    "Color",
    "ColorInfo",
    "CropHint",
    "CropHintsAnnotation",
    "DominantColorsAnnotation",
    "EntityAnnotation",
    "FaceAnnotation",
    "FaceLandmark",
    "FaceLandmarkType",
    "Feature",
    "FeatureType",
    "GcsDestination",
    "GcsSource",
    "ImageAnnotationContext",
    "ImageContext",
    "ImageProperties",
    "InputConfig",
    "Likelihood",
    "LocalizedObjectAnnotation",
    "NormalizedVertex",
    "OutputConfig",
    "Position",
    "SafeSearchAnnotation",
    "Status",
    "Vertex",
]


class FeatureType(IntEnum):
    """What may be asked of a picture."""

    TYPE_UNSPECIFIED = 0
    FACE_DETECTION = 1
    LANDMARK_DETECTION = 2
    LOGO_DETECTION = 3
    LABEL_DETECTION = 4
    TEXT_DETECTION = 5
    SAFE_SEARCH_DETECTION = 6
    IMAGE_PROPERTIES = 7
    CROP_HINTS = 9
    WEB_DETECTION = 10
    DOCUMENT_TEXT_DETECTION = 11
    PRODUCT_SEARCH = 12
    OBJECT_LOCALIZATION = 19
    SZEM_SEGMENTATION = 1001  # szem's own: what every pixel is; Google's numbers end far below


class Likelihood(IntEnum):
    """How likely something is, in words."""

    UNKNOWN = 0
    VERY_UNLIKELY = 1
    UNLIKELY = 2
    POSSIBLE = 3
    LIKELY = 4
    VERY_LIKELY = 5


class FaceLandmarkType(IntEnum):
    """Points of a face; left and right are the viewer's."""

    UNKNOWN_LANDMARK = 0
    LEFT_EYE = 1
    RIGHT_EYE = 2
    LEFT_OF_LEFT_EYEBROW = 3
    RIGHT_OF_LEFT_EYEBROW = 4
    LEFT_OF_RIGHT_EYEBROW = 5
    RIGHT_OF_RIGHT_EYEBROW = 6
    MIDPOINT_BETWEEN_EYES = 7
    NOSE_TIP = 8
    UPPER_LIP = 9
    LOWER_LIP = 10
    MOUTH_LEFT = 11
    MOUTH_RIGHT = 12
    MOUTH_CENTER = 13
    NOSE_BOTTOM_RIGHT = 14
    NOSE_BOTTOM_LEFT = 15
    NOSE_BOTTOM_CENTER = 16
    LEFT_EYE_TOP_BOUNDARY = 17
    LEFT_EYE_RIGHT_CORNER = 18
    LEFT_EYE_BOTTOM_BOUNDARY = 19
    LEFT_EYE_LEFT_CORNER = 20
    RIGHT_EYE_TOP_BOUNDARY = 21
    RIGHT_EYE_RIGHT_CORNER = 22
    RIGHT_EYE_BOTTOM_BOUNDARY = 23
    RIGHT_EYE_LEFT_CORNER = 24
    LEFT_EYEBROW_UPPER_MIDPOINT = 25
    RIGHT_EYEBROW_UPPER_MIDPOINT = 26
    LEFT_EAR_TRAGION = 27
    RIGHT_EAR_TRAGION = 28
    LEFT_EYE_PUPIL = 29
    RIGHT_EYE_PUPIL = 30
    FOREHEAD_GLABELLA = 31
    CHIN_GNATHION = 32
    CHIN_LEFT_GONION = 33
    CHIN_RIGHT_GONION = 34
    LEFT_CHEEK_CENTER = 35
    RIGHT_CHEEK_CENTER = 36


# Requests -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One thing asked for."""

    type: FeatureType = FeatureType.TYPE_UNSPECIFIED
    max_results: int = 0
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class LatLongRect:
    """A rectangle on Earth; read, not used."""

    min_lat_lng: LatLng | None = None
    max_lat_lng: LatLng | None = None


@dataclass(frozen=True, kw_only=True)
class CropHintsParams:
    """Wanted width / height ratios."""

    aspect_ratios: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProductSearchParams:
    """Read, not used."""

    bounding_poly: BoundingPoly | None = None
    product_set: str = ""
    product_categories: tuple[str, ...] = ()
    filter: str = ""


@dataclass(frozen=True, kw_only=True)
class WebDetectionParams:
    """Read, not used."""

    include_geo_results: bool = False


@dataclass(frozen=True, kw_only=True)
class TextDetectionParams:
    """Whether TEXT_DETECTION gives confidences; the options are read, not used."""

    enable_text_detection_confidence_score: bool = False
    advanced_ocr_options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImageContext:
    """Hints about the picture."""

    lat_long_rect: LatLongRect | None = None
    language_hints: tuple[str, ...] = ()
    crop_hints_params: CropHintsParams | None = None
    product_search_params: ProductSearchParams | None = None
    web_detection_params: WebDetectionParams | None = None
    text_detection_params: TextDetectionParams | None = None


@dataclass(frozen=True, kw_only=True)
class AnnotateImageRequest:
    """One picture and what is asked of it."""

    image: Image | None = None
    features: tuple[Feature, ...] = ()
    image_context: ImageContext | None = None


@dataclass(frozen=True, kw_only=True)
class BatchAnnotateImagesRequest:
    """Body of images:annotate."""

    requests: tuple[AnnotateImageRequest, ...] = ()
    parent: str = ""
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class GcsSource:
    """Where a file lies: file:// or gs://."""

    uri: str = ""


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """A file of pages; `content` comes before `gcs_source`."""

    gcs_source: GcsSource | None = None
    content: bytes = b""
    mime_type: str = ""


@dataclass(frozen=True, kw_only=True)
class AnnotateFileRequest:
    """One file, what is asked of its pages, and which pages."""

    input_config: InputConfig | None = None
    features: tuple[Feature, ...] = ()
    image_context: ImageContext | None = None
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BatchAnnotateFilesRequest:
    """Body of files:annotate."""

    requests: tuple[AnnotateFileRequest, ...] = ()
    parent: str = ""
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class GcsDestination:
    """Prefix of the output files: file:// or gs://."""

    uri: str = ""


@dataclass(frozen=True, kw_only=True)
class OutputConfig:
    """Where answers go, and how many to a file (0: 20)."""

    gcs_destination: GcsDestination | None = None
    batch_size: int = 0


@dataclass(frozen=True, kw_only=True)
class AsyncBatchAnnotateImagesRequest:
    """Body of images:asyncBatchAnnotate."""

    requests: tuple[AnnotateImageRequest, ...] = ()
    output_config: OutputConfig | None = None
    parent: str = ""
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AsyncAnnotateFileRequest:
    """One file of an operation."""

    input_config: InputConfig | None = None
    features: tuple[Feature, ...] = ()
    image_context: ImageContext | None = None
    output_config: OutputConfig | None = None


@dataclass(frozen=True, kw_only=True)
class AsyncBatchAnnotateFilesRequest:
    """Body of files:asyncBatchAnnotate."""

    requests: tuple[AsyncAnnotateFileRequest, ...] = ()
    parent: str = ""
    labels: dict[str, str] = field(default_factory=dict)


# Answers ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Status:
    """google.rpc.Status: the fault of one picture."""

    code: int = 0
    message: str = ""
    details: tuple[Json, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EntityAnnotation:
    """A label, or a piece of text."""

    mid: str = ""
    locale: str = ""
    description: str = ""
    score: float = 0.0
    confidence: float = 0.0
    topicality: float = 0.0
    bounding_poly: BoundingPoly | None = None


@dataclass(frozen=True, kw_only=True)
class FaceLandmark:
    """A named point of a face; smaller z is nearer, 0 is the eyes' depth."""

    type: FaceLandmarkType = FaceLandmarkType.UNKNOWN_LANDMARK
    position: Position | None = None


@dataclass(frozen=True, kw_only=True)
class FaceAnnotation:
    """A face. What is not measured stays UNKNOWN."""

    bounding_poly: BoundingPoly | None = None  # the head
    fd_bounding_poly: BoundingPoly | None = None  # the skin
    landmarks: tuple[FaceLandmark, ...] = ()
    roll_angle: float = 0.0  # degrees, clockwise
    pan_angle: float = 0.0  # towards the right of the picture
    tilt_angle: float = 0.0  # upwards
    detection_confidence: float = 0.0
    landmarking_confidence: float = 0.0
    joy_likelihood: Likelihood = Likelihood.UNKNOWN
    sorrow_likelihood: Likelihood = Likelihood.UNKNOWN
    anger_likelihood: Likelihood = Likelihood.UNKNOWN
    surprise_likelihood: Likelihood = Likelihood.UNKNOWN
    under_exposed_likelihood: Likelihood = Likelihood.UNKNOWN
    blurred_likelihood: Likelihood = Likelihood.UNKNOWN
    headwear_likelihood: Likelihood = Likelihood.UNKNOWN


@dataclass(frozen=True, kw_only=True)
class LocalizedObjectAnnotation:
    """A thing and its box."""

    mid: str = ""
    language_code: str = ""
    name: str = ""
    score: float = 0.0
    bounding_poly: BoundingPoly | None = None
    szem_mask: Json | None = None  # only where the model szem/outlines was asked for; Google's client passes it over


@dataclass(frozen=True, kw_only=True)
class SafeSearchAnnotation:
    """What not everybody should see. Only `adult` is measured."""

    adult: Likelihood = Likelihood.UNKNOWN
    spoof: Likelihood = Likelihood.UNKNOWN
    medical: Likelihood = Likelihood.UNKNOWN
    violence: Likelihood = Likelihood.UNKNOWN
    racy: Likelihood = Likelihood.UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Color:
    """A colour, each part 0..255."""

    _dense: ClassVar[bool] = True
    red: float = 0.0
    green: float = 0.0
    blue: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ColorInfo:
    """A colour, how much it matters, and the share of pixels that have it."""

    color: Color | None = None
    score: float = 0.0
    pixel_fraction: float = 0.0


@dataclass(frozen=True, kw_only=True)
class DominantColorsAnnotation:
    """Colours, the most important first."""

    colors: tuple[ColorInfo, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImageProperties:
    """Properties of the whole picture."""

    dominant_colors: DominantColorsAnnotation | None = None


@dataclass(frozen=True, kw_only=True)
class CropHint:
    """A good crop."""

    bounding_poly: BoundingPoly | None = None
    confidence: float = 0.0
    importance_fraction: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CropHintsAnnotation:
    """One crop for each ratio asked for."""

    crop_hints: tuple[CropHint, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImageAnnotationContext:
    """Which page of which file an answer is about."""

    uri: str = ""
    page_number: int = 0


@dataclass(frozen=True, kw_only=True)
class AnnotateImageResponse:
    """The answer for one picture. Whatever is filled in is right, also beside an error."""

    face_annotations: tuple[FaceAnnotation, ...] = ()
    label_annotations: tuple[EntityAnnotation, ...] = ()
    text_annotations: tuple[EntityAnnotation, ...] = ()  # the whole text, then its words
    full_text_annotation: TextAnnotation | None = None
    localized_object_annotations: tuple[LocalizedObjectAnnotation, ...] = ()
    safe_search_annotation: SafeSearchAnnotation | None = None
    image_properties_annotation: ImageProperties | None = None
    crop_hints_annotation: CropHintsAnnotation | None = None
    szem_segmentation: Json | None = (
        None  # only where SZEM_SEGMENTATION was asked for; Google's client passes it over
    )
    error: Status | None = None
    context: ImageAnnotationContext | None = None


@dataclass(frozen=True, kw_only=True)
class BatchAnnotateImagesResponse:
    """Answers in the order of the requests."""

    responses: tuple[AnnotateImageResponse, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AnnotateFileResponse:
    """Answers for the pages of one file."""

    input_config: InputConfig | None = None
    responses: tuple[AnnotateImageResponse, ...] = ()
    total_pages: int = 0
    error: Status | None = None


@dataclass(frozen=True, kw_only=True)
class BatchAnnotateFilesResponse:
    """Answers in the order of the files."""

    responses: tuple[AnnotateFileResponse, ...] = ()
