"""A classifier of one's own beside a plain fine-tuning loop, with the same pictures, weights and time.

Run:  python benchmarks/own_classes.py --data MY_PICTURES --test OTHER_PICTURES [--seconds 100] [--peer-only]
The peer is the loop of most tutorials (timm's and torchvision's among them): ImageNet's EfficientNet-Lite0, all
layers learning, AdamW with a cosine, random resized crops and flips, cross-entropy. Printed: the fraction of the test
pictures that get their class, and the processor time, of both.
"""

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from machine import describe_machine
from szem.data.folders import read_folders
from szem.errors import SzemError
from szem.media.pictures import read_picture
from szem.models.efficientnet_lite import build_efficientnet_lite
from szem.runtime.store import Model
from szem.tasks.evaluate import evaluate
from szem.train.loop import train
from szem.train.recipes import load_recipe
from szem.train.release import export_run
from szem.train.segmentation.base import pictures_to_input

SIDE, BATCH = 224, 16


def pictures_of(folder: Path) -> tuple[list[np.ndarray], list[int], tuple[str, ...]]:
    found = read_folders(folder)
    pictures, labels = [], []
    for file, label in zip(found.files, found.labels, strict=True):
        try:
            pictures.append(read_picture(file))
            labels.append(label)
        except SzemError:
            continue
    return pictures, labels, found.classes


def random_crop(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = picture.shape[:2]
    area, ratio = rng.uniform(0.35, 1) * height * width, math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
    w, h = min(width, round(math.sqrt(area * ratio))), min(height, round(math.sqrt(area / ratio)))
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    crop = cv2.resize(picture[y : y + h, x : x + w], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return crop[:, ::-1] if rng.random() < 0.5 else crop


def middle(picture: np.ndarray) -> np.ndarray:
    scale = SIDE / 0.875 / min(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, left = (small.shape[0] - SIDE) // 2, (small.shape[1] - SIDE) // 2
    return small[top : top + SIDE, left : left + SIDE]


def plain_loop(data: Path, test: Path, seconds: float) -> float:
    pictures, labels, classes = pictures_of(data)
    net = build_efficientnet_lite("lite0", classes=len(classes), pretrained=True).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
    rng, began, step = np.random.default_rng(0), time.monotonic(), 0
    while (spent := time.monotonic() - began) < seconds:
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * 0.5 * (1 + math.cos(math.pi * spent / seconds))
        chosen = rng.integers(0, len(pictures), BATCH)
        batch = pictures_to_input(np.stack([random_crop(pictures[i], rng) for i in chosen]))
        loss = F.cross_entropy(net(batch), torch.tensor([labels[i] for i in chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
    net.eval()
    asked, truth, names = pictures_of(test)
    with torch.no_grad():
        given = [int(net(pictures_to_input(middle(p)[None])).argmax(1)) for p in asked]
    print(f"plain loop: {step} steps")
    return float(np.mean([classes[a] == names[b] for a, b in zip(given, truth, strict=True)]))


def szem_run(data: Path, test: Path, seconds: float) -> float:
    recipe = load_recipe("classify", [f"data={json.dumps(str(data))}"])
    with tempfile.TemporaryDirectory() as home:
        outcome = train(recipe, Path(home) / "run", budget_s=seconds, quiet=True)
        card = export_run(
            recipe, Path(home) / "run", Path(home) / "mine", command="szem train", recipe_name="classify"
        )
        print(f"szem: {outcome.steps} steps")
        return evaluate(Model(card, Path(home) / "mine"), test)[0].value


def main() -> None:
    """Run both and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--peer-only", action="store_true")
    given = parser.parse_args()
    print(describe_machine())
    for name, measure in (("plain loop", plain_loop), ("szem", szem_run)):
        if name == "szem" and given.peer_only:
            continue
        began = time.process_time()
        score = measure(given.data, given.test, given.seconds)
        print(f"{name}: top-1 {score:.3f}, {time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
