"""One of every result, and beside it the same made anew."""

from pathlib import Path
from typing import Any

import numpy as np

from szem.kernels import Kernel, Layer, edges, receptive_field
from szem.results.boxes import Boxes
from szem.results.caption import Caption, Sentence, Tag, Word
from szem.results.colors import Colors, DominantColor
from szem.results.crops import Crop, Crops
from szem.results.events import Event, Events
from szem.results.explanation import Explanation, LayerRow, NeuronSum, SumStep
from szem.results.faces import Faces
from szem.results.generated import GeneratedPicture, WordInfluence
from szem.results.hits import Hit, Hits
from szem.results.labels import ClassMap, Label, Labels
from szem.results.look import Look
from szem.results.masks import Masks
from szem.results.measures import Measures
from szem.results.mouth import MouthTrack
from szem.results.outlined_boxes import OutlinedBoxes
from szem.results.outlines import Outlines
from szem.results.score import Confusion, Measurement, Reliability
from szem.results.text import Text, TextBlock, TextLine, TextParagraph, TextSymbol, TextWord
from szem.results.tracks import Track, TrackedBoxes, Tracks
from szem.results.transcript import Transcript, TranscriptWord

WIDTH, HEIGHT = 64, 48


def boxes() -> Boxes:
    return Boxes(
        boxes_xyxy=np.array([[1, 2, 30, 40], [5, 5, 9, 9], [20, 8, 60, 40]], np.float32),
        scores=np.array([0.9, 0.6, 0.4], np.float32),
        indices=np.array([0, 1, 0]),
        classes=("cat", "person"),
        width=WIDTH,
        height=HEIGHT,
        model="toy",
    )


def text() -> Text:
    def read(letters: str, x: int) -> TextWord:
        corners = [np.float32([[a, 4], [a + 3, 4], [a + 3, 9], [a, 9]]) for a in range(x, x + 3 * len(letters), 3)]
        return TextWord(tuple(map(TextSymbol, letters, corners, [0.9] * len(letters))), "space")

    paragraph = TextParagraph((TextLine((read("ab", 2), read("cd", 12))),))
    return Text(blocks=(TextBlock((paragraph,)),), width=WIDTH, height=HEIGHT, model="toy")


def masks() -> Masks:
    class_map = np.zeros((HEIGHT, WIDTH), np.uint8)
    class_map[10:30] = 1
    return Masks(class_map=class_map, classes=("road", "sky"), model="toy", confidence=(0.9, 0.8))


def outlines() -> Outlines:
    found = np.zeros((2, HEIGHT, WIDTH), bool)
    found[0, 2:40, 1:30] = found[1, 8:40, 20:60] = True
    return Outlines(
        boxes_xyxy=boxes().boxes_xyxy[[0, 2]],
        masks=found,
        confidence=np.array([0.9, 0.8], np.float32),
        model="toy",
        labels=("cat", "cat"),
    )


def faces() -> Faces:
    rng = np.random.default_rng(0)
    return Faces(
        boxes_xyxy=np.array([[1, 2, 30, 40], [20, 8, 60, 40]], np.float32),
        scores=np.array([0.9, 0.8]),
        presence=np.array([0.9, 0.8]),
        points_xy=rng.uniform(0, 48, (2, 68, 2)),
        mesh_xyz=rng.uniform(0, 48, (2, 468, 3)),
        angles_deg=np.array([[1, 2, 3], [4, 5, 6]]),
        width=WIDTH,
        height=HEIGHT,
        model="toy",
    )


def caption() -> Caption:
    attention = np.full((2, 2), 0.25, np.float32)
    best = Sentence((Word("a", 0.5, attention, (("the", 0.2),)), Word("cat", 0.8)), 0.3, Word(".", 0.9))
    tags = (Tag(name="cat", confidence=0.9, box=(0.1, 0.1, 0.8, 0.9), color="black"),)
    return Caption((best, Sentence((Word("cats", 0.1),), 0.1)), confidence=0.7, model="toy", tags=tags)


def event() -> Event:
    return Event(
        kind="dog bark", start_s=1.0, end_s=2.0, score=0.9, channels={"sound": 0.9}, contributions={"sound": 1.5}
    )


def layer() -> LayerRow:
    return LayerRow(
        index=0, name="conv", kind="convolution", op="Conv", activation="Relu", block="stem", inputs=(-1,),
        kernel=(3, 3), stride=(2, 2), dilation=(1, 1), groups=1, output_shape=(8, 16, 16), parameters=224,
        parameters_unshared=57_344, multiplications=55_296, field_px=(3, 3), field_stride_px=(2.0, 2.0),
        centre_px=(0.5, 0.5), sees_all=False,
    )  # fmt: skip


def neuron() -> NeuronSum:
    values = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    return NeuronSum(
        layer="conv", map=0, row=1, column=1, rule="weighted sum", inputs=values, weights=values,
        inside=values[0] > 0, first=(0, 0, 0), spacing=(1, 1), steps=(SumStep("products", 204.0),), value=204.0,
        measured=204.0, quantum=0.0, field_xyxy=None, input_xyxy=None,
    )  # fmt: skip


def track() -> Track:
    return Track(
        id=1,
        label="cat",
        frames=np.array([0, 1]),
        times_s=np.array([0.0, 0.04]),
        boxes_xyxy=np.array([[1, 2, 30, 40]] * 2, np.float32),
        scores=np.array([0.9, 0.8], np.float32),
    )


def mouth() -> MouthTrack:
    return MouthTrack(
        crops=np.zeros((2, 4, 6), np.uint8),
        valid=np.array([True, False]),
        times_s=np.array([0.0, 0.04]),
        boxes_xyxy=np.zeros((2, 4), np.float32),
        corners_xy=np.zeros((2, 4, 2), np.float32),
        points_xy=np.zeros((2, 20, 2), np.float32),
        eyes_px=np.ones(2, np.float32),
        faces=np.array([1, 1]),
        width=WIDTH,
        height=HEIGHT,
    )


def labels() -> Labels:
    found = ClassMap(np.eye(3, dtype=np.float32), (0.0, 0.0, 64.0, 48.0))
    return Labels((Label("cat", 7, 0.9), Label("dog", 3, 0.05), Label("cup", 1, 0.01)), "toy", {7: found})


def colors() -> Colors:
    return Colors((DominantColor(rgb=(255, 0, 0), name="red", score=0.7, pixel_fraction=0.5),))


def crop() -> Crop:
    return Crop(box_xyxy=(0, 0, 16, 9), aspect_ratio=16 / 9, confidence=1, importance_fraction=1)


def word() -> TranscriptWord:
    return TranscriptWord("bin", 0.4, 0.8, 0.9)


def generated() -> GeneratedPicture:
    pictures = tuple(np.full((8, 8, 3), shade, np.uint8) for shade in (10, 20, 30))
    return GeneratedPicture("a red rose", pictures, pictures, 7, 1.0, "toy")


MAKERS: dict[str, Any] = {
    "Box": lambda: boxes()[0],
    "Boxes": boxes,
    "Caption": caption,
    "Sentence": lambda: caption()[0],
    "Tag": lambda: caption().tags[0],
    "Word": lambda: caption()[0][0],
    "ClassArea": lambda: masks().areas[0],
    "ClassMap": lambda: labels().maps[7],
    "Colors": colors,
    "Crop": crop,
    "Crops": lambda: Crops((crop(), crop())),
    "DominantColor": lambda: colors()[0],
    "Edges": lambda: edges(np.arange(12, dtype=np.float32).reshape(3, 4)),
    "Event": event,
    "Events": lambda: Events(items=(event(), event()), duration_s=3.0, model="toy", notes=("silence",)),
    "Confusion": lambda: Confusion(("cat", "dog"), ("cat", "dog"), np.array([[3, 1], [0, 4]])),
    "Explanation": lambda: Explanation(
        network="toy",
        picture_size=(48, 64),
        input_size=(32, 32),
        crop_xyxy=(0.0, 0.0, 64.0, 48.0),
        rows=(layer(),),
        answer=((7, "cat", 0.9),),
        activations={"conv": np.ones((8, 16, 16), np.float32)},
    ),
    "Face": lambda: faces()[0],
    "Faces": faces,
    "GeneratedPicture": generated,
    "Hit": lambda: Hit(Path("a.jpg"), 0.4),
    "Hits": lambda: Hits((Hit(Path("a.jpg"), 0.4), Hit(Path("b.jpg"), 0.3)), text="a dog", model="toy", searched=9),
    "Kernel": lambda: Kernel([[1, 2, 1]], "mine"),
    "Label": lambda: labels()[0],
    "Labels": labels,
    "LayerRow": layer,
    "Look": lambda: Look(width=WIDTH, height=HEIGHT, results={"boxes": boxes()}, sections=(), drawn=("boxes",)),
    "Masks": masks,
    "Measurement": lambda: Measurement("top-1", 0.7, 1000),
    "Measures": lambda: Measures(
        word="sharp",
        sharpness=1,
        blur_px=0.5,
        laplacian_variance=9.0,
        tenengrad=0.1,
        edge_fraction=0.1,
        exposure="balanced",
        brightness=0.5,
        contrast=0.2,
        clipped_dark=0,
        clipped_bright=0,
    ),
    "MouthTrack": mouth,
    "NeuronSum": neuron,
    "Outline": lambda: outlines()[0],
    "OutlinedBoxes": lambda: OutlinedBoxes(boxes=boxes(), masks=masks()),
    "Outlines": outlines,
    "ReceptiveField": lambda: receptive_field([Layer(3), Layer(3, stride_px=2)]),
    "Reliability": lambda: Reliability(np.array([0.2, 0.9], np.float32), np.array([False, True])),
    "SumStep": lambda: SumStep("bias", 0.5),
    "Text": text,
    "TextBlock": lambda: text().blocks[0],
    "TextLine": lambda: text().lines[0],
    "TextParagraph": lambda: text().blocks[0].paragraphs[0],
    "TextSymbol": lambda: text().words[0].symbols[0],
    "TextWord": lambda: text().words[0],
    "Track": track,
    "TrackedBoxes": lambda: TrackedBoxes(boxes=boxes(), ids=np.array([1, 2, 3]), seen=np.ones(3, bool)),
    "Tracks": lambda: Tracks(items=(track(),), model="toy"),
    "Transcript": lambda: Transcript((word(),), confidence=0.8, used="lips", model="toy"),
    "TranscriptWord": word,
    "WordInfluence": lambda: WordInfluence(
        "red", 1, 0.2, 0.5, np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32)
    ),
}
