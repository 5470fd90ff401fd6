"""szem (Hungarian: "eye"): vision, audio and text models that run offline, and a course that shows how they work.

`import szem` is light: it loads no network and no heavy library. Each verb below loads what it needs when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from szem.tasks.registry import public_names

if TYPE_CHECKING:
    from szem.errors import SzemError as SzemError
    from szem.kernels.convolution import convolve as convolve
    from szem.kernels.edges import Edges as Edges
    from szem.kernels.edges import edges as edges
    from szem.kernels.kernel import Kernel as Kernel
    from szem.kernels.layers import output_size as output_size
    from szem.kernels.layers import receptive_field as receptive_field
    from szem.kernels.pooling import average_pool as average_pool
    from szem.kernels.pooling import max_pool as max_pool
    from szem.kernels.views import view as view
    from szem.media.pictures import read_picture as read_picture
    from szem.media.pictures import write_picture as write_picture
    from szem.results.boxes import Box as Box
    from szem.results.boxes import Boxes as Boxes
    from szem.results.caption import Caption as Caption
    from szem.results.caption import Sentence as Sentence
    from szem.results.caption import Tag as Tag
    from szem.results.caption import Word as Word
    from szem.results.colors import Colors as Colors
    from szem.results.colors import DominantColor as DominantColor
    from szem.results.crops import Crop as Crop
    from szem.results.crops import Crops as Crops
    from szem.results.events import Event as Event
    from szem.results.events import Events as Events
    from szem.results.explanation import Explanation as Explanation
    from szem.results.faces import Face as Face
    from szem.results.faces import Faces as Faces
    from szem.results.generated import GeneratedPicture as GeneratedPicture
    from szem.results.hits import Hit as Hit
    from szem.results.hits import Hits as Hits
    from szem.results.labels import Label as Label
    from szem.results.labels import Labels as Labels
    from szem.results.look import Look as Look
    from szem.results.masks import ClassArea as ClassArea
    from szem.results.masks import Masks as Masks
    from szem.results.measures import Measures as Measures
    from szem.results.outlines import Outline as Outline
    from szem.results.outlines import Outlines as Outlines
    from szem.results.text import Text as Text
    from szem.results.text import TextBlock as TextBlock
    from szem.results.text import TextLine as TextLine
    from szem.results.text import TextParagraph as TextParagraph
    from szem.results.text import TextSymbol as TextSymbol
    from szem.results.text import TextWord as TextWord
    from szem.results.tracks import Track as Track
    from szem.results.tracks import TrackedBoxes as TrackedBoxes
    from szem.results.tracks import Tracks as Tracks
    from szem.results.transcript import Transcript as Transcript
    from szem.results.transcript import TranscriptWord as TranscriptWord
    from szem.tasks.appearance.crop_hints import crop_hints as crop_hints
    from szem.tasks.appearance.dominant_colors import dominant_colors as dominant_colors
    from szem.tasks.appearance.sharpness import measure_picture as measure_picture
    from szem.tasks.audio.listen import Listener as Listener
    from szem.tasks.audio.listen import listen as listen
    from szem.tasks.captioning.caption import Captioner as Captioner
    from szem.tasks.captioning.caption import caption as caption
    from szem.tasks.classification.classify import Classifier as Classifier
    from szem.tasks.classification.classify import classify as classify
    from szem.tasks.detection.detect import Detector as Detector
    from szem.tasks.detection.detect import detect as detect
    from szem.tasks.explain.explain import Explorer as Explorer
    from szem.tasks.explain.explain import explain as explain
    from szem.tasks.faces.detect import FaceDetector as FaceDetector
    from szem.tasks.faces.detect import find_faces as find_faces
    from szem.tasks.generation.generate import Generator as Generator
    from szem.tasks.generation.generate import generate as generate
    from szem.tasks.lipreading.lipread import LipReader as LipReader
    from szem.tasks.lipreading.lipread import lipread as lipread
    from szem.tasks.look import Looker as Looker
    from szem.tasks.look import look as look
    from szem.tasks.search.search import search as search
    from szem.tasks.segmentation.instance_masks import Outliner as Outliner
    from szem.tasks.segmentation.instance_masks import outline as outline
    from szem.tasks.segmentation.segment import Segmenter as Segmenter
    from szem.tasks.segmentation.segment import segment as segment
    from szem.tasks.surveillance.watcher import Watcher as Watcher
    from szem.tasks.surveillance.watcher import watch as watch
    from szem.tasks.text.read import TextReader as TextReader
    from szem.tasks.text.read import read_text as read_text
    from szem.tasks.video.tracker import Tracker as Tracker

__version__ = "0.1.0"

# Public name -> the module that defines it. `__all__` and the lazy loader below both read this one table.
_HOME = {
    "receptive_field": "szem.kernels.layers",
    "output_size": "szem.kernels.layers",
    "average_pool": "szem.kernels.pooling",
    "max_pool": "szem.kernels.pooling",
    "edges": "szem.kernels.edges",
    "view": "szem.kernels.views",
    "convolve": "szem.kernels.convolution",
    "Kernel": "szem.kernels.kernel",
    "read_picture": "szem.media.pictures",
    "write_picture": "szem.media.pictures",
    "SzemError": "szem.errors",
    "Edges": "szem.kernels.edges",
}
# What each task offers stands in its row: its function, its result, what opens its model once for many inputs.
_HOME |= public_names()

__all__ = ["__version__", *_HOME]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'szem' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
