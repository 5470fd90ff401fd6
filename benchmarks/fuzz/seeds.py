"""Small whole files of every kind that szem reads, and how they are mutated. All are made here."""

import io
import json
import random
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import onnx
from onnx import helper, numpy_helper
from PIL import Image

__all__ = ["WEIGHTS", "Seed", "make_corpus", "mutated"]

WEIGHTS = {"picture": 8, "annotation": 5, "sound": 3, "video": 2, "onnx": 2}
"""How often each kind comes."""

_NUMBERS = [
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\1",
    b"1e400",
    b"-1",
    b"nan",
]


@dataclass(frozen=True)
class Seed:
    """A whole file."""

    kind: str  # a key of WEIGHTS
    name: str
    data: bytes


def make_corpus(home: Path) -> list[Seed]:
    """All seeds.

    Args:
        home: A folder for files on the way.
    """
    return [*_pictures(), *_sounds(home), *_videos(home), *_networks(), *_annotations()]


def mutated(corpus: Sequence[Seed], seed: int, number: int) -> Seed:
    """One mutated file; the same for the same seed and number."""
    rng = random.Random(f"{seed}/{number}")
    kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    whole = rng.choice([one for one in corpus if one.kind == kind])
    data = bytearray(whole.data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(max(1, len(data)))
        way = rng.randrange(7)
        if way < 2:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif way == 2:
            data[at : at + 4] = rng.choice(_NUMBERS)
        elif way == 3:
            del data[at : at + rng.randint(1, 40)]
        elif way == 4:
            data[at:at] = data[at : at + rng.randint(1, 60)]
        elif way == 5:
            other = rng.choice(corpus).data
            data[at:at] = other[: rng.randint(1, 60)]
        elif rng.random() < 0.3:
            del data[at:]
    return Seed(kind, whole.name, bytes(data))


def _pictures() -> list[Seed]:
    y, x = np.mgrid[0:16, 0:24]
    image = Image.fromarray(np.stack([x * 10, y * 15, x + y], 2).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    seeds = []
    for form, options in (
        ("JPEG", {"exif": exif}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("GIF", {"save_all": True, "append_images": [image.rotate(90)]}),
        ("BMP", {}),
        ("WEBP", {}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("ICO", {}),
        ("PPM", {}),
        ("AVIF", {}),
    ):
        out = io.BytesIO()
        image.save(out, form, **options)
        seeds.append(Seed("picture", form.lower(), out.getvalue()))
    return seeds


def _sounds(home: Path) -> list[Seed]:
    tone = (0.4 * np.sin(np.arange(3200) / 5)).astype(np.float32)
    seeds = []
    for channels in (1, 2, 9):
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(np.repeat((tone * 32767).astype("<i2")[:, None], channels, 1).tobytes())
        seeds.append(Seed("sound", f"wav{channels}", out.getvalue()))
    for codec, suffix in (("flac", "flac"), ("aac", "m4a"), ("libopus", "ogg"), ("libmp3lame", "mp3")):
        path = home / f"a.{suffix}"
        with av.open(str(path), "w") as out:
            stream = out.add_stream(codec, rate=48000 if codec == "libopus" else 16000, layout="mono")
            frame = av.AudioFrame.from_ndarray((tone * 32767).astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate = 16000
            resampler = av.AudioResampler(
                format=stream.format, rate=stream.rate, frame_size=stream.frame_size or None
            )
            for ready in [*resampler.resample(frame), *resampler.resample(None)]:
                out.mux(stream.encode(ready))
            out.mux(stream.encode(None))
        seeds.append(Seed("sound", suffix, path.read_bytes()))
    return seeds


def _videos(home: Path) -> list[Seed]:
    seeds = []
    for codec, suffix in (
        ("libx264", "mp4"),
        ("mjpeg", "avi"),
        ("mpeg4", "mkv"),
        ("libvpx", "webm"),
        ("libx264", "ts"),
    ):
        path = home / f"v.{suffix}"
        with av.open(str(path), "w") as out:
            stream = out.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 48, 32, "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for index in range(4):
                picture = np.full((32, 48, 3), 50 * index, np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            out.mux(stream.encode(None))
        seeds.append(Seed("video", suffix, path.read_bytes()))
    return seeds


def _networks() -> list[Seed]:
    weight = numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["scores"]),
    ]
    taken = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3, 8, 8])
    given = helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["N", 3])
    graph = helper.make_graph(nodes, "toy", [taken], [given], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    seeds = [Seed("onnx", "plain", model.SerializeToString())]
    outside = model.graph.initializer[0]
    outside.ClearField("raw_data")
    outside.data_location = onnx.TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="weights.bin")
    return [*seeds, Seed("onnx", "outside", model.SerializeToString())]


def _annotations() -> list[Seed]:
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 50}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [10, 10, 20, 30], "segmentation": [[1, 1, 9, 1, 9, 9]]}
        ],
        "categories": [{"id": 7, "name": "nut"}],
    }
    shape = {"label": "nut", "points": [[10, 10], [50, 40]], "shape_type": "rectangle"}
    labelme = {"shapes": [shape], "imagePath": "a.png", "imageWidth": 100, "imageHeight": 50}
    box = "<bndbox><xmin>11</xmin><ymin>11</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"
    voc = (
        "<annotation><filename>a.png</filename><size><width>100</width><height>50</height></size>"
        f"<object><name>nut</name><difficult>0</difficult>{box}</object></annotation>"
    )
    yolo = "0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n"
    yaml = "path: .\ntrain: images\nnames:\n  0: bolt\n  1: nut\n"
    texts = {
        "instances.json": json.dumps(coco),
        "a.json": json.dumps(labelme),
        "a.xml": voc,
        "labels/a.txt": yolo,
        "data.yaml": yaml,
    }
    return [Seed("annotation", name, text.encode()) for name, text in texts.items()]
