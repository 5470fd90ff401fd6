"""Write docs/conformance.md, and the tables of docs/api.md between its marks: Google's protocol against szem.

    python scripts/conformance.py          # writes both; `--check` only says whether they are current

Methods, messages and fields come from the compiled protocol (`szem/serve/vision/v1.binpb`), what szem has from its
schema, its features and its gRPC services. Only the notes are written here. tests/serve/vision/test_conformance.py
holds the pages current, and holds that each field called answered is filled in some answer.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from szem.serve.vision import schema, schema_shapes, schema_text
from szem.serve.vision.features import FEATURES, is_answered
from szem.serve.vision.grpc_server import ANNOTATOR, SERVICES
from szem.serve.vision.protos import PACKAGE, descriptors

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, API = DOCS / "conformance.md", DOCS / "api.md"
FILES = ("image_annotator", "geometry", "text_annotation", "web_detection", "product_search")
ANSWERED, DIFFERS, READ, ABSENT, REFUSED = "answered", "differs", "read, not used", "absent", "refused"

# Google's messages that have another name in szem's schema.
_NAMES = {
    "Page": "OcrPage",
    "Block": "OcrBlock",
    "Paragraph": "OcrParagraph",
    "Word": "OcrWord",
    "Symbol": "OcrSymbol",
    "FaceAnnotation.Landmark": "FaceLandmark",
}
# Answers that are written as JSON, not as messages of the schema.
_WRITTEN_AS_JSON = {
    "AsyncAnnotateFileResponse",
    "AsyncBatchAnnotateImagesResponse",
    "AsyncBatchAnnotateFilesResponse",
    "OperationMetadata",
}
_NO_PRODUCTS = "an offline server has no product sets"
_NO_WEB = "an offline server knows no web pages"
_NOT_MEASURED = "always UNKNOWN: not measured"

# Field -> (verdict, note), where the schema alone does not say it.
NOTES: dict[str, tuple[str, str]] = {
    "Feature.type": (DIFFERS, "see the table of features; 1001 is szem's own, over HTTP"),
    "Feature.max_results": (ANSWERED, "0 is 10"),
    "Feature.model": (DIFFERS, "builtin/stable, builtin/latest and builtin/weekly are the same network"),
    "ImageSource.gcs_image_uri": (DIFFERS, "gs://BUCKET/… under `--bucket`, file:///… under `--allow-read`"),
    "ImageSource.image_uri": (DIFFERS, "http(s) hosts under `--allow-host`; as gcs_image_uri otherwise"),
    "GcsSource.uri": (DIFFERS, "as ImageSource.gcs_image_uri"),
    "GcsDestination.uri": (DIFFERS, "gs://BUCKET/… under `--bucket`, file:///… under `--allow-write`"),
    "ImageContext.lat_long_rect": (READ, ""),
    "ImageContext.language_hints": (DIFFERS, "choose scripts: Latin, Chinese, Japanese; others are refused"),
    "ImageContext.product_search_params": (READ, _NO_PRODUCTS),
    "ImageContext.web_detection_params": (READ, "without effect in Google's API too"),
    "TextDetectionParams.advanced_ocr_options": (READ, ""),
    "EntityAnnotation.mid": (DIFFERS, "WordNet's id of a label; empty where it is in no catalogue"),
    "EntityAnnotation.confidence": (ABSENT, "deprecated; use score"),
    "EntityAnnotation.locations": (ABSENT, "of landmarks, which are not answered"),
    "EntityAnnotation.properties": (ABSENT, "of landmarks and logos, which are not answered"),
    "EntityAnnotation.topicality": (DIFFERS, "equals score"),
    "LocalizedObjectAnnotation.mid": (ABSENT, "the detector's classes are in no catalogue"),
    "LocalizedObjectAnnotation.language_code": (ABSENT, "names are English"),
    "LocalizedObjectAnnotation.name": (DIFFERS, "COCO's 80 classes, or those of your own model"),
    "FaceAnnotation.joy_likelihood": (ABSENT, _NOT_MEASURED),
    "FaceAnnotation.sorrow_likelihood": (ABSENT, _NOT_MEASURED),
    "FaceAnnotation.anger_likelihood": (ABSENT, _NOT_MEASURED),
    "FaceAnnotation.surprise_likelihood": (ABSENT, _NOT_MEASURED),
    "FaceAnnotation.headwear_likelihood": (ABSENT, _NOT_MEASURED),
    "FaceAnnotation.landmarks": (DIFFERS, "left and right are the viewer's; a closed eye has a pupil too"),
    "SafeSearchAnnotation.adult": (DIFFERS, "by open_nsfw, with the extra `szem[safe]`"),
    "SafeSearchAnnotation.spoof": (ABSENT, _NOT_MEASURED),
    "SafeSearchAnnotation.medical": (ABSENT, _NOT_MEASURED),
    "SafeSearchAnnotation.violence": (ABSENT, _NOT_MEASURED),
    "SafeSearchAnnotation.racy": (DIFFERS, "by the same score; UNLIKELY, POSSIBLE or LIKELY only"),
    "Block.block_type": (DIFFERS, "always TEXT"),
    "TextAnnotation.DetectedBreak.is_prefix": (ABSENT, "breaks follow their symbol"),
    "TextAnnotation.DetectedBreak.type": (DIFFERS, "SPACE, EOL_SURE_SPACE and LINE_BREAK"),
    "TextAnnotation.TextProperty.detected_languages": (DIFFERS, "of pages and blocks"),
    "Paragraph.property": (ABSENT, "languages are given for pages and blocks"),
    "Word.property": (ABSENT, "languages are given for pages and blocks"),
    "AnnotateImageResponse.landmark_annotations": (ABSENT, "an offline server has no catalogue of landmarks"),
    "AnnotateImageResponse.logo_annotations": (ABSENT, "an offline server has no catalogue of logos"),
    "AnnotateImageResponse.web_detection": (ABSENT, _NO_WEB),
    "AnnotateImageResponse.product_search_results": (ABSENT, _NO_PRODUCTS),
    "BatchAnnotateImagesRequest.parent": (DIFFERS, "checked for its form, not used"),
    "BatchAnnotateFilesRequest.parent": (DIFFERS, "checked for its form, not used"),
    "AsyncBatchAnnotateImagesRequest.parent": (DIFFERS, "the operation's name begins with it"),
    "AsyncBatchAnnotateFilesRequest.parent": (DIFFERS, "the operation's name begins with it"),
    "BatchAnnotateImagesRequest.labels": (DIFFERS, "checked for their form, not used"),
    "BatchAnnotateFilesRequest.labels": (DIFFERS, "checked for their form, not used"),
    "AsyncBatchAnnotateImagesRequest.labels": (DIFFERS, "checked for their form, not used"),
    "AsyncBatchAnnotateFilesRequest.labels": (DIFFERS, "checked for their form, not used"),
    "AnnotateFileRequest.pages": (ANSWERED, "at most 5; negative ones count from the end"),
    "InputConfig.mime_type": (ANSWERED, "application/pdf (extra `szem[pdf]`), image/tiff, image/gif"),
}
# Messages of which no field is used.
_WHOLE: dict[str, tuple[str, str]] = {
    "LatLongRect": (READ, ""),
    "LocationInfo": (ABSENT, "of landmarks"),
    "Property": (ABSENT, "of landmarks and logos"),
    "WebDetectionParams": (READ, ""),
    "WebDetection": (ABSENT, _NO_WEB),
    "ProductSearchParams": (READ, _NO_PRODUCTS),
    "ProductSearchResults": (ABSENT, _NO_PRODUCTS),
}
FEATURE_NOTES = {
    "FACE_DETECTION": (
        "see [faces](faces.md): `boundingPoly` (the head), `fdBoundingPoly` (the skin), all 36 "
        "landmarks, pupils too (left and right are the viewer's), with depth; roll is clockwise, pan towards "
        "the right of the picture, tilt upwards, in degrees; `blurredLikelihood` and `underExposedLikelihood`"
        " are measured, joy, sorrow, anger, surprise and headwear are `UNKNOWN`; highest score first, at most"
        " `maxResults` (10). `/v1/szem/faces` gives all points"
    ),
    "LANDMARK_DETECTION": "code 12: it needs a catalogue of landmarks",
    "LOGO_DETECTION": "code 12: it needs a catalogue of logos",
    "LABEL_DETECTION": (
        "the 1,000 classes of ImageNet, from a score of 0.1 on, and 86 words for several of them (cat for tabby, "
        "tiger cat, Persian cat) with their summed probability, from 0.3 on: [classify](classify.md#one-word-for-"
        "several-classes); `mid` is WordNet's id (`n02123045`), not a Freebase id; `topicality` equals `score`"
    ),
    "TEXT_DETECTION": (
        "with the extra `szem[text]`; see [text](text.md): `textAnnotations` (the whole text, then its words)"
        " and `fullTextAnnotation` (page, blocks, paragraphs, words, symbols; breaks SPACE, EOL_SURE_SPACE, "
        "LINE_BREAK); corners in the text's own orientation; words are parted by spaces only, so a comma "
        "belongs to its word; `languageHints` choose scripts (Latin; Chinese and Japanese when hinted at), "
        "others are refused"
    ),
    "SAFE_SEARCH_DETECTION": (
        "with the extra `szem[safe]`: see [below](#safe-search); `adult` and `racy` by one network, "
        "`spoof`, `medical` and `violence` are `UNKNOWN`"
    ),
    "IMAGE_PROPERTIES": "up to 10 colours, or `maxResults` (at most 24)",
    "CROP_HINTS": "one hint for each of up to 16 `aspectRatios`; without any, one of free shape",
    "WEB_DETECTION": "code 12: it needs the web",
    "DOCUMENT_TEXT_DETECTION": "as TEXT_DETECTION, with confidences",
    "PRODUCT_SEARCH": "code 12: it needs product sets",
    "OBJECT_LOCALIZATION": (
        "80 classes of objects, those of COCO, or those of your own model called `detect`; corners as "
        "fractions of the sides (`normalizedVertices`), best first, at most `maxResults` (10); `mid` is "
        "empty; scores are calibrated and are above the thresholds of the model's card. `/v1/szem/detect` "
        'takes `model`, `threshold` and `classes` too. With `model: "szem/outlines"` the first 64 have '
        "`szemMask`: `mask`, a grey PNG (255: the object) that covers `mask_xyxy`; Google's client ignores "
        "the field"
    ),
}
METHODS = {
    "BatchAnnotateImages": "`POST /v1/images:annotate`",
    "BatchAnnotateFiles": "`POST /v1/files:annotate`",
    "AsyncBatchAnnotateImages": "`POST /v1/images:asyncBatchAnnotate`",
    "AsyncBatchAnnotateFiles": "`POST /v1/files:asyncBatchAnnotate`",
    "ListOperations": "`GET /v1/operations` (pageSize, pageToken, filter=done=true)",
    "GetOperation": "`GET /v1/operations/ID`",
    "CancelOperation": "`POST /v1/operations/ID:cancel`",
    "DeleteOperation": "`DELETE /v1/operations/ID`",
    "WaitOperation": "poll GetOperation",
}


def messages_of(file: str) -> Iterator[tuple[str, Any]]:
    """Each message of a file of the protocol, inner ones too, under its name without the package."""
    found = descriptors().FindFileByName(f"google/cloud/vision/v1/{file}.proto")

    def walk(message: Any) -> Iterator[tuple[str, Any]]:
        if not message.GetOptions().map_entry:
            yield message.full_name.removeprefix(f"{PACKAGE}."), message
        for inner in message.nested_types:
            yield from walk(inner)

    for message in found.message_types_by_name.values():
        yield from walk(message)


def verdicts() -> dict[str, dict[str, tuple[str, str]]]:
    """Message -> field -> verdict and note, for every message of the annotator's files."""
    out: dict[str, dict[str, tuple[str, str]]] = {}
    for file in FILES:
        for name, message in messages_of(file):
            out[name] = {field.name: _verdict(name, field.name) for field in message.fields}
    unknown = [key for key in NOTES if key.rpartition(".")[2] not in out.get(key.rpartition(".")[0], {})]
    if unknown or not set(_WHOLE) <= set(out):
        raise SystemExit(f"notes of what the protocol has not: {unknown}")
    return out


def _verdict(message: str, field: str) -> tuple[str, str]:
    outer = message if message in _WHOLE else message.split(".")[0]
    if outer in _WHOLE:
        return _WHOLE[outer]
    if f"{message}.{field}" in NOTES:
        return NOTES[f"{message}.{field}"]
    if message in _WRITTEN_AS_JSON:
        return ANSWERED, ""
    kind = kind_of(message)
    known = kind is not None and field in {one.name for one in fields(kind)}
    if not known:
        raise SystemExit(f"{message}.{field} is not in the schema: say why in NOTES")
    return ANSWERED, ""


def kind_of(message: str) -> Any:
    """The dataclass of the schema that stands for one of Google's messages."""
    name = _NAMES.get(message, message.rpartition(".")[2])
    found = (getattr(module, name, None) for module in (schema, schema_shapes, schema_text))
    return next((kind for kind in found if is_dataclass(kind)), None)


def methods() -> list[tuple[str, str, str]]:
    """Service.method, verdict, note: of each service of the protocol."""
    rows = []
    names = (ANNOTATOR, "google.longrunning.Operations", f"{PACKAGE}.ProductSearch")
    for service in names:
        for method in descriptors().FindServiceByName(service).methods:
            known = method.name in SERVICES.get(service, ())
            note = METHODS.get(method.name, "" if service == ANNOTATOR else _NO_PRODUCTS)
            rows.append((f"{service.rpartition('.')[2]}.{method.name}", ANSWERED if known else REFUSED, note))
    return rows


def features() -> list[tuple[str, str, str]]:
    """Feature type, verdict, note."""
    kinds = descriptors().FindEnumTypeByName(f"{PACKAGE}.Feature.Type").values
    known = {int(kind): is_answered(kind) for kind in FEATURES}
    rows = []
    for value in kinds:
        if value.number:
            verdict = ANSWERED if known.get(value.number) else REFUSED
            rows.append((value.name, verdict, FEATURE_NOTES[value.name]))
    return rows


def page() -> str:
    """docs/conformance.md."""
    rows = verdicts()
    counts = Counter(verdict for message in rows.values() for verdict, _ in message.values())
    total = ", ".join(f"{counts[word]} {word}" for word in (ANSWERED, DIFFERS, READ, ABSENT))
    lines = [
        "# Conformance: Google Cloud Vision v1 against szem",
        "",
        "Made by `python scripts/conformance.py` from the published protocol; a test holds it current, and that each",
        "field called answered or different is filled in some answer. What the words mean:",
        "",
        f"- **{ANSWERED}**: as Google's documentation says. **{DIFFERS}**: used or given, the difference is named.",
        f"- **{READ}**: taken and passed over. **{ABSENT}**: never in an answer. **{REFUSED}**: an error says why.",
        "",
        f"Fields of the annotator's messages: {total}.",
        "",
        "## Methods",
        "",
        *_table(("method", "szem", "over REST, or why not"), methods()),
        "",
        "## Features",
        "",
        *_table(("feature", "szem", ""), features()),
    ]
    for name, found in sorted(rows.items()):
        if found:
            lines += ["", f"## {name}", ""]
            lines += _table(("field", "szem", ""), [(f, *verdict) for f, verdict in found.items()])
    return "\n".join(lines) + "\n"


def _table(head: tuple[str, str, str], rows: list[tuple[str, str, str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |".replace("|  |", "| |"), "|---|---|---|"]
    return lines + [f"| {a} | {b} | {c} |".replace("|  |", "| |") for a, b, c in rows]


def api_page(text: str) -> str:
    """docs/api.md with its tables made anew."""
    for mark, head, rows in (("features", "feature", features()), ("methods", "method", methods()[:8])):
        begin, end = f"<!-- {mark}: made by scripts/conformance.py -->", f"<!-- end of {mark} -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"docs/api.md lacks the marks of {mark}")
        text = "\n".join([before + begin, *_table((head, "szem", ""), rows), end]) + after
    return text


if __name__ == "__main__":
    made = {PAGE: page(), API: api_page(API.read_text(encoding="utf-8"))}
    stale = [
        file.name for file, text in made.items() if not file.is_file() or file.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv and stale:
        raise SystemExit(f"not current: {', '.join(stale)}; run python scripts/conformance.py")
    for file, text in made.items():
        file.write_text(text, encoding="utf-8")
