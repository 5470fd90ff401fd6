"""The public names are pinned: adding or dropping one is a decision, made here and in the CHANGELOG."""

import ast
from pathlib import Path

import pytest

import szem

PUBLIC = {
    "Box",
    "Boxes",
    "Caption",
    "Captioner",
    "ClassArea",
    "Classifier",
    "Colors",
    "Crop",
    "Crops",
    "Detector",
    "DominantColor",
    "Edges",
    "Event",
    "Events",
    "Explanation",
    "Explorer",
    "Face",
    "FaceDetector",
    "Faces",
    "GeneratedPicture",
    "Generator",
    "Hit",
    "Hits",
    "Kernel",
    "Label",
    "Labels",
    "LipReader",
    "Listener",
    "Look",
    "Looker",
    "Masks",
    "Measures",
    "Outline",
    "Outliner",
    "Outlines",
    "Segmenter",
    "Sentence",
    "SzemError",
    "Tag",
    "Text",
    "TextBlock",
    "TextLine",
    "TextParagraph",
    "TextReader",
    "TextSymbol",
    "TextWord",
    "Track",
    "TrackedBoxes",
    "Tracker",
    "Tracks",
    "Transcript",
    "TranscriptWord",
    "Watcher",
    "Word",
    "__version__",
    "average_pool",
    "caption",
    "classify",
    "convolve",
    "crop_hints",
    "detect",
    "dominant_colors",
    "edges",
    "explain",
    "find_faces",
    "generate",
    "lipread",
    "listen",
    "look",
    "max_pool",
    "measure_picture",
    "outline",
    "output_size",
    "read_picture",
    "read_text",
    "receptive_field",
    "search",
    "segment",
    "view",
    "watch",
    "write_picture",
}


def test_public_names_are_pinned() -> None:
    assert set(szem.__all__) == PUBLIC


def test_every_public_name_resolves() -> None:
    for name in szem.__all__:
        assert getattr(szem, name) is not None


def test_type_checkers_see_every_public_name() -> None:
    tree = ast.parse(Path(szem.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname for node in ast.walk(block) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(szem.__all__) - {"__version__"}


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(AttributeError, match="read_picture"):
        szem.nonsense  # noqa: B018
