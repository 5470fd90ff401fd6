"""From a trained lip reader to a model: watching, listening, joining and spelling as ONNX files with one card.

`watch.onnx`: mouth crops to a vector a frame. `listen.onnx`: bands of sound to a vector a frame. `join.onnx`: both to
words at each moment and to the memory that `spell.onnx` looks at for each letter. So a video is watched once however
often its sound is changed. Each file is refused where torch and ONNX Runtime differ.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from szem.data.words import FIRST_WORD
from szem.models.captioner import CaptionDecoder
from szem.models.lip_reader import LipReaderNetwork
from szem.runtime.cards import Card, ClipInput, SoundInput, TrainingData, read_card, write_card
from szem.runtime.store import Model
from szem.tasks.lipreading.networks import CROP_SIZE, RATE_HZ, SOUND_HZ
from szem.train.lipreading.augment import plain_view
from szem.train.lipreading.calibrate import calibrate
from szem.train.lipreading.clips import LipClip
from szem.train.release import NetworkFile, Release

__all__ = ["lip_release"]

_CHECKED_ON = (
    TrainingData(
        name="those sentences backwards, shuffled and as still faces in noise, to fit the check",
        terms="CC BY 4.0",
        use="tuning",
    ),
    TrainingData(
        name="MIRACL-VC1, the first four speakers, every sixteenth take, to fit the check",
        terms="research",
        use="tuning",
    ),
    TrainingData(
        name="UrbanSound8K and ESC-10, every fortieth sound, to fit the check",
        terms="CC BY-NC and CC BY",
        use="tuning",
    ),
)
_CHECK_OF = (
    "The check's few numbers, no weight of the networks, were also fitted on MIRACL-VC1 (A. Rekik, A. Ben-Hamadou, "
    "W. Mahdi, 2014; given for research), UrbanSound8K (J. Salamon, C. Jacoby, J. P. Bello, 2014, CC BY-NC 3.0) and "
    "ESC-10 (K. J. Piczak, 2015, CC BY)."
)


class _Watch(nn.Module):
    def __init__(self, reader: LipReaderNetwork) -> None:
        super().__init__()
        self.watcher = reader.watcher

    def forward(self, crops: Tensor) -> Tensor:
        seen: Tensor = self.watcher(crops.float())
        return seen


class _Join(nn.Module):
    """The joiner, what the speller keeps of the moments, and probabilities for scores."""

    def __init__(self, reader: LipReaderNetwork) -> None:
        super().__init__()
        self.joiner, self.speller = reader.joiner, reader.speller

    def forward(self, seen: Tensor, heard: Tensor, is_seen: Tensor, is_heard: Tensor) -> tuple[Tensor, Tensor]:
        memory, words = self.joiner(seen, heard, is_seen, is_heard)
        return words.log_softmax(-1), self.speller.memory(memory)


class _Step(nn.Module):
    def __init__(self, speller: CaptionDecoder) -> None:
        super().__init__()
        self.speller = speller

    def forward(self, letters: Tensor, memory: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.speller.step(letters, memory, state)


def lip_release(
    network: LipReaderNetwork,
    *,
    vocabulary: tuple[str, ...],
    clips: Sequence[LipClip],
    held_out: Sequence[LipClip],
    others: Path | None,
) -> Release:
    """Describe a lip reader.

    Args:
        network: Trained.
        vocabulary: Its words.
        clips: Clips that were trained on: examples for the export, voices for babble.
        held_out: Clips that were not, for the calibration.
        others: Folder with lipwords/ and sounds/ that the reader shall not read; None knows fewer.
    """
    network.eval()
    views = [plain_view(clip) for clip in clips[:2]]
    frames = min(len(view.crops) for view in views)
    crops = torch.from_numpy(np.stack([view.crops[:frames] for view in views]))
    mel = torch.from_numpy(np.stack([view.mel[: 4 * frames] for view in views]))
    watch, join, step = _Watch(network).eval(), _Join(network).eval(), _Step(network.speller).eval()
    with torch.no_grad():
        seen, heard = watch(crops), network.listener(mel)
        both = {"seen": seen, "heard": heard, "is_seen": torch.ones(2), "is_heard": torch.ones(2)}
        _, memory = join(*both.values())
        letters = torch.randint(FIRST_WORD, 30, (2, 3))
        state = network.speller.start(memory, 3)
        # The example has two letters behind it: torch's exporter takes an axis of length 0 or 1 for a fixed one.
        for _ in range(2):
            _, _, state = network.speller.step(letters, memory, state)
    # B clips, T frames, M rows of bands (four a frame), R sentences followed at a time, t letters so far.
    axes: list[dict[int, str]] = [{0: "B", 1: "T"}, {0: "B", 1: "T"}, {0: "B"}, {0: "B"}]
    files = (
        _file("watch", watch, {"crops": crops}, ["seen"], [{0: "B", 1: "T"}]),
        _file("listen", network.listener, {"mel": mel}, ["heard"], [{0: "B", 1: "M"}]),
        _file("join", join, both, ["words", "memory"], axes),
        _file(
            "spell",
            step,
            {"letters": letters, "memory": memory, "state": state},
            ["scores", "looked", "following"],
            [{0: "B", 1: "R"}, {0: "B", 3: "T"}, {0: "B", 1: "R", 4: "t"}],
        ),
    )

    def finish(folder: Path) -> Card:
        card = read_card(folder)
        # With the files as they are shipped: a confidence is one of them, not of the weights in training.
        constants = calibrate(Model(card, folder), held_out, voices=clips, others=others)
        card = card.model_copy(update={"constants": constants})
        write_card(folder, card)
        return card

    return Release(
        task="lipread",
        head="moments",
        summary="Reads the sentences of the GRID corpus from lips, sound or both: watch, listen, attend and spell.",
        network=nn.ModuleList([network.watcher, network.listener, network.joiner, network.speller]),
        outputs={"seen": "seen"},
        input=ClipInput(
            kind="clip",
            width_px=CROP_SIZE[1],
            height_px=CROP_SIZE[0],
            rate_hz=RATE_HZ,
            sound=SoundInput(kind="sound", rate_hz=SOUND_HZ, bands=64),
        ),
        files=files,
        labels=vocabulary,
        training_data=(
            TrainingData(name="GRID corpus, speaker s1, split train", terms="CC BY 4.0"),
            TrainingData(name=f"{len(held_out)} sentences of that split", terms="CC BY 4.0", use="tuning"),
            *(_CHECKED_ON if others else ()),
        ),
        licence="Apache-2.0",
        attributions=(
            (
                "Trained on the GRID audiovisual sentence corpus, M. Cooke, J. Barker, S. Cunningham, X. Shao, 2006, "
                "CC BY 4.0."
            ),
            *((_CHECK_OF,) if others else ()),
        ),
        limits=(
            (
                "Knows 51 words and the order in which the GRID corpus says them; anything else is answered with 'no "
                "reading', or should be."
            ),
            "Has seen one speaker. Of other speakers it reads lips badly, and sound less well.",
            "Reads 25 frames a second of a face that looks into the camera, the eyes at least 20 pixels apart.",
        ),
        finish=finish,
    )


def _file(
    role: str, network: nn.Module, given: dict[str, Tensor], outputs: list[str], axes: list[dict[int, str]]
) -> NetworkFile:
    return NetworkFile(
        role=role, network=network, examples=given, outputs=outputs, dynamic=axes, has_open_outputs=True
    )
