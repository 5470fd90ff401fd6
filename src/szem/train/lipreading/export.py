"""From a trained lip reader to a model: watching, listening, joining and spelling as ONNX files with one card.

`watch.onnx`: mouth crops to a vector a frame. `listen.onnx`: bands of sound to a vector a frame. `join.onnx`: both to
words at each moment and to the memory that `spell.onnx` looks at for each letter. So a film is watched once however
often its sound is changed. Each file is refused where torch and ONNX Runtime differ.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from szem.data.words import FIRST_WORD
from szem.errors import ModelError
from szem.models.captioner import CaptionDecoder
from szem.models.lip_reader import LipReaderNetwork
from szem.runtime.cards import Card, ClipInput, Made, Part, SoundInput, TrainingData, hash_file, write_card
from szem.runtime.store import Model
from szem.tasks.lipreading.networks import CROP_SIZE, RATE_HZ, SOUND_HZ
from szem.train.export import export_onnx, largest_difference
from szem.train.float16 import store_as_float16
from szem.train.lipreading.augment import plain_view

if TYPE_CHECKING:
    from szem.train.lipreading.recipe_lipread import LipreadRecipe

__all__ = ["write_lip_model"]

_TOLERANCE = 0.02  # of the outputs' largest value, stored as float16
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
    """The joiner, what the speller keeps of the moments, and chances for scores."""

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


def write_lip_model(
    recipe: "LipreadRecipe", network: LipReaderNetwork, folder: Path, *, made: Made, precision: str = "float16"
) -> Card:
    """Write the model's folder.

    Args:
        recipe: Whose words and clips these are.
        network: Trained.
        folder: Where to; its name becomes the model's.
        made: For the card.
        precision: Stored as float16, whatever is asked for; computed in float32.
    Raises:
        ModelError: ONNX Runtime and torch disagree.
    """
    if precision not in ("float16", "int8"):
        raise ModelError(f"a lip reader is stored as float16, got precision {precision!r}; leave it out")
    network.eval()
    folder.mkdir(parents=True, exist_ok=True)
    views = [plain_view(clip) for clip in recipe.teaching[:2]]
    frames = min(len(view.crops) for view in views)
    crops = torch.from_numpy(np.stack([view.crops[:frames] for view in views]))
    mel = torch.from_numpy(np.stack([view.mel[: 4 * frames] for view in views]))
    watch, join, step = _Watch(network), _Join(network), _Step(network.speller)
    with torch.no_grad():
        seen, heard = watch(crops), network.listener(mel)
        both = [seen, heard, torch.ones(2), torch.ones(2)]
        _, memory = join(*both)
        letters = torch.randint(FIRST_WORD, 30, (2, 3))
        state = network.speller.start(memory, 3)
        for _ in range(2):
            _, _, state = network.speller.step(letters, memory, state)
    files = {name: folder / f"{name}.onnx" for name in ("watch", "listen", "join", "spell")}
    _export(watch, files["watch"], {"crops": crops}, ["seen"], [{0: "B", 1: "T"}])
    _export(network.listener, files["listen"], {"mel": mel}, ["heard"], [{0: "B", 1: "M"}])
    names = ("seen", "heard", "is_seen", "is_heard")
    axes: list[dict[int, str]] = [{0: "B", 1: "T"}, {0: "B", 1: "T"}, {0: "B"}, {0: "B"}]
    _export(join, files["join"], dict(zip(names, both, strict=True)), ["words", "memory"], axes)
    _export(
        step,
        files["spell"],
        {"letters": letters, "memory": memory, "state": state},
        ["scores", "looked", "following"],
        [{0: "B", 1: "R"}, {0: "B", 3: "T"}, {0: "B", 1: "R", 4: "t"}],
    )
    card = Card(
        name=folder.name,
        task="lipread",
        version="1",
        summary="Reads the sentences of the GRID corpus from lips, sound or both: watch, listen, attend and spell.",
        file=files["watch"].name,
        sha256=hash_file(files["watch"]),
        size_bytes=files["watch"].stat().st_size,
        parts={
            role: Part(file=file.name, sha256=hash_file(file), size_bytes=file.stat().st_size)
            for role, file in files.items()
            if role != "watch"
        },
        parameters=sum(p.numel() for p in network.parameters()) - sum(p.numel() for p in network.sounds.parameters()),
        precision="float16",
        input=ClipInput(
            kind="clip",
            width_px=CROP_SIZE[1],
            height_px=CROP_SIZE[0],
            rate_hz=RATE_HZ,
            sound=SoundInput(kind="sound", rate_hz=SOUND_HZ, bands=64),
        ),
        head="moments",
        outputs={"seen": "seen"},
        labels=recipe.vocabulary,
        made=made,
        training_data=(
            TrainingData(name="GRID corpus, speaker s1, split train", terms="CC BY 4.0"),
            TrainingData(name=f"{len(recipe.held)} sentences of that split", terms="CC BY 4.0", use="tuning"),
            *(_CHECKED_ON if recipe.settings.others else ()),
        ),
        licence="Apache-2.0",
        attributions=(
            (
                "Trained on the GRID audiovisual sentence corpus, M. Cooke, J. Barker, S. Cunningham, X. Shao, 2006, "
                "CC BY 4.0."
            ),
            *((_CHECK_OF,) if recipe.settings.others else ()),
        ),
        limits=(
            (
                "Knows 51 words and the order in which the GRID corpus says them; anything else is answered with 'no "
                "reading', or should be."
            ),
            "Has seen one speaker. Of other speakers it reads lips badly, and sound less well.",
            "Reads 25 frames a second of a face that looks into the camera, the eyes at least 20 pixels apart.",
        ),
    )
    write_card(folder, card)
    from szem.train.lipreading.calibrate import calibrate

    card = card.model_copy(update={"constants": calibrate(recipe, Model(card, folder))})
    write_card(folder, card)
    return card


def _export(
    net: nn.Module, file: Path, given: dict[str, Tensor], outputs: list[str], axes: list[dict[int, str]]
) -> None:
    examples, inputs = list(given.values()), list(given)
    export_onnx(net, file, examples=examples, inputs=inputs, outputs=outputs, dynamic=axes)
    _open_outputs(file)
    store_as_float16(file)
    worst = largest_difference(net, file, examples, inputs=inputs, outputs=outputs)
    if not worst <= _TOLERANCE:
        raise ModelError(f"{file}: stored as float16 the outputs differ by {worst:.2%}, {_TOLERANCE:.0%} is allowed")


def _open_outputs(file: Path) -> None:
    """Forget the sides of outputs, of which the export believes some to be as long as in its example."""
    model = onnx.load(file)
    del model.graph.value_info[:]
    for output in model.graph.output:
        for place, side in enumerate(output.type.tensor_type.shape.dim):
            side.ClearField("dim_value")
            side.dim_param = f"{output.name}_{place}"
    onnx.save(model, file)
