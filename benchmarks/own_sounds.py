"""A listener of one's own beside a plain loop, with the same sounds and processor time.

Run:  python benchmarks/own_sounds.py --data MY_SOUNDS --test OTHER_SOUNDS [--seconds 100] [--peer-only]
szem trains for so many seconds; the plain loop then gets as much processor time (with --peer-only: so many seconds of
it).
The peer is the loop of most tutorials: log-mel bands, four convolutions with batch norm from random weights, windows
of one second cut at random, bands and moments masked, AdamW with a cosine, cross-entropy. A clip is named by the mean
of its windows. Printed: the fraction of the test clips that get their class, and the processor time, of both.
"""

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from machine import describe_machine
from szem.data.sounds import read_clip, read_labelled_sounds
from szem.errors import SzemError
from szem.media.spectrum import log_mel
from szem.runtime.store import Model
from szem.tasks.evaluate import evaluate
from szem.train.audio.clips import BANDS
from szem.train.loop import train
from szem.train.recipes import load_recipe
from szem.train.release import export_run

RATE_HZ, MOMENTS, BATCH = 16000, 96, 32


def bands_of(folder: Path) -> tuple[list[np.ndarray], list[str]]:
    """(moments, 64) of each clip that can be read, a second at least, and the classes."""
    bands, names = [], []
    for one in read_labelled_sounds(folder).sounds:
        try:
            sound = read_clip(one, rate_hz=RATE_HZ)
        except SzemError:
            continue
        bands.append(log_mel(np.pad(sound, (0, max(0, RATE_HZ - len(sound)))).astype(np.float32), BANDS))
        names.append(one.kind)
    return bands, names


def build_network(classes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in ((1, 32), (32, 64), (64, 128), (128, 256)):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(256, classes))


def random_window(bands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    first = int(rng.integers(0, max(1, len(bands) - MOMENTS + 1)))
    window = bands[first : first + MOMENTS].copy()
    at, pitch = int(rng.integers(0, MOMENTS - 16)), int(rng.integers(0, window.shape[1] - 8))
    window[at : at + int(rng.integers(0, 16))] = window.mean()
    window[:, pitch : pitch + int(rng.integers(0, 8))] = window.mean()
    return window


def plain_loop(data: Path, test: Path, seconds: float) -> float:
    bands, names = bands_of(data)
    classes = sorted(set(names))
    middle, spread = float(np.mean([b.mean() for b in bands])), float(np.mean([b.std() for b in bands]))

    def batch_of(windows: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy((np.stack(windows)[:, None] - middle) / spread).float()

    net = build_network(len(classes)).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    rng, began, step = np.random.default_rng(0), time.process_time(), 0
    while (spent := time.process_time() - began) < seconds:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * 0.5 * (1 + math.cos(math.pi * spent / seconds))
        chosen = rng.integers(0, len(bands), BATCH)
        given = batch_of([random_window(bands[i], rng) for i in chosen])
        loss = F.cross_entropy(net(given), torch.tensor([classes.index(names[i]) for i in chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
    net.eval()
    asked, truth = bands_of(test)
    right = []
    with torch.no_grad():
        for one, name in zip(asked, truth, strict=True):
            starts = range(0, len(one) - MOMENTS + 1, MOMENTS // 2)
            logits = net(batch_of([one[start : start + MOMENTS] for start in starts]))
            right.append(classes[int(logits.softmax(1).mean(0).argmax())] == name)
    print(f"plain loop: {step} steps")
    return float(np.mean(right))


def szem_run(data: Path, test: Path, seconds: float) -> tuple[float, float]:
    """The score, and the processor time of the training."""
    began = time.process_time()
    recipe = load_recipe("sounds", [f"data={json.dumps(str(data))}"])
    with tempfile.TemporaryDirectory() as home:
        outcome = train(recipe, Path(home) / "run", budget_s=seconds, quiet=True)
        spent = time.process_time() - began
        card = export_run(recipe, Path(home) / "run", Path(home) / "mine", command="szem train", recipe_name="sounds")
        print(f"szem: {outcome.steps} steps")
        return evaluate(Model(card, Path(home) / "mine"), test)[0].value, spent


def main() -> None:
    """Run both and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--peer-only", action="store_true")
    given = parser.parse_args()
    print(describe_machine())
    spent = given.seconds
    if not given.peer_only:
        score, spent = szem_run(given.data, given.test, given.seconds)
        print(f"szem: accuracy {score:.3f}, {spent:.0f} s of processor time")
    print(f"plain loop: accuracy {plain_loop(given.data, given.test, spent):.3f}, {spent:.0f} s of processor time")


if __name__ == "__main__":
    main()
