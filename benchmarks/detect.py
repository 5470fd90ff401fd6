"""Films through the whole of `szem detect`: frames a second from the file that is read to the file that is written.

Run:  python benchmarks/detect.py --video cars.mp4 [--model NAME] [--rounds 3] [--peer PYTHON]
      python benchmarks/detect.py --video cars.mp4 --against FOLDER   # the whole beside another detector, in turns
What is compared, on the same film and machine, in turns:
  whole     decoding, network, following, drawing, H.264 with sound, as `szem detect FILM` does it
  network   the network alone on frames that are ready, one after the other with all cores on each
  side      the same with as many frames side by side, on one core each, as the whole has: the most the cores can do
  one       one frame after the other through prepare, run and finish, with all cores on one frame
  peer      Ultralytics' own `predict(save=True, stream=True)` with a YOLOv8n of random weights, of 640 pixels
            (its default) and 320, exported to ONNX and to OpenVINO; only with --peer, the Python of an environment
            where ultralytics is installed. Speed only: no box of random weights passes the threshold, so it has
            nothing to draw.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from machine import describe_machine
from szem.media.video import inspect_video, read_video
from szem.media.video_pipeline import VideoPipeline, open_video_source
from szem.runtime.sessions import cores
from szem.tasks.video.detect_video import VideoAnalyzer, VideoDetector, open_video_detector

PEER = """
import sys, time, shutil, pathlib, torch
from ultralytics import YOLO
film, folder, form = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
rounds, side = int(sys.argv[4]), int(sys.argv[5])
torch.manual_seed(0)
weights = folder / "random.pt"
if not weights.exists():
    YOLO("yolov8n.yaml").save(str(weights))
exported = folder / {"onnx": "random.onnx", "openvino": "random_openvino_model"}[form]
if not exported.exists():
    YOLO(str(weights)).export(format=form, imgsz=side, verbose=False)
net = YOLO(str(exported), task="detect")
for turn in range(rounds + 1):
    began, count = time.perf_counter(), 0
    options = dict(stream=True, save=True, verbose=False, imgsz=side, project=str(folder), name="out", exist_ok=True)
    for result in net.predict(film, **options):
        count += 1
    if turn:
        print("RATE", count / (time.perf_counter() - began), flush=True)
"""


def whole(video: Path, detector: VideoDetector, out: Path, *, draw: bool = True, preset: str = "ultrafast") -> float:
    """Frames a second of the whole."""
    began = time.perf_counter()
    watcher = VideoAnalyzer(detector, draw=draw)
    with VideoPipeline(
        open_video_source(video, sound=True), watcher.steps, out if draw else None, preset=preset
    ) as maker:
        for _ in maker:
            pass
    return maker.done / (time.perf_counter() - began)


def network(video: Path, detector: VideoDetector, count: int) -> float:
    """Frames a second of the network alone, as many side by side as the sight has workers."""
    frame = next(read_video(video))
    inner = detector.finder.inner_size(frame.size[1], frame.size[0]) or frame.size[::-1]
    batches = [
        detector.finder.prepare(f.scaled(inner[1], inner[0]))
        for f, _ in zip(read_video(video), range(8), strict=False)
    ]
    with ThreadPoolExecutor(detector.workers) as pool:
        list(pool.map(detector.finder.run, batches))
        began = time.perf_counter()
        list(pool.map(detector.finder.run, (batches[k % len(batches)] for k in range(count))))
        return count / (time.perf_counter() - began)


def one_by_one(video: Path, model: str | None, count: int) -> float:
    """Frames a second with all cores on one frame: what a single picture, or a live line, takes."""
    detector = open_video_detector(model, workers=1, threads=None)
    pictures = [f.picture for f, _ in zip(read_video(video), range(16), strict=False)]
    finder = detector.finder
    finder.finish(finder.run(finder.prepare(pictures[0])), pictures[0].shape[:2])
    began = time.perf_counter()
    for k in range(count):
        picture = pictures[k % len(pictures)]
        finder.finish(finder.run(finder.prepare(picture)), picture.shape[:2])
    return count / (time.perf_counter() - began)


def peer(python: str, video: Path, form: str, side_px: int, folder: Path, rounds: int) -> list[float]:
    """Frames a second of the peer, one a round."""
    folder.mkdir(exist_ok=True)
    command = [python, "-c", PEER, str(video), str(folder), form, str(rounds), str(side_px)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rates = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("RATE")]
    if not rates:
        print(f"the peer ({form}) failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return rates


def beside(video: Path, models: list[str | None], rounds: int, out: Path) -> None:
    """The whole with one detector and another, in turns; processor time depends less on what else is running."""
    detectors = [open_video_detector(model) for model in models]
    rates: list[list[float]] = [[] for _ in models]
    spent: list[list[float]] = [[] for _ in models]
    frames = inspect_video(video).frames or 1
    for turn in range(rounds + 1):
        for place, detector in enumerate(detectors):
            began = time.process_time()
            rate = whole(video, detector, out)
            if turn:  # the first is to warm up
                rates[place].append(rate)
                spent[place].append(1000 * (time.process_time() - began) / frames)
    for model, rate, milliseconds in zip(models, rates, spent, strict=True):
        reported(f"whole, {Path(model).name if model else 'shipped'}", rate)
        print(f"  {np.median(milliseconds):.1f} ms of processor time a frame")
    pairs = [ours / other for ours, other in zip(*rates, strict=True)]
    print(f"first over second, by pairs: {np.median(pairs):.2f} ({', '.join(f'{pair:.2f}' for pair in pairs)})")
    print(f"processor time: {np.median([a / b for a, b in zip(*spent, strict=True)]):.2f} of the second's")


def reported(name: str, rates: list[float]) -> float:
    middle = float(np.median(rates))
    print(f"{name:22} {middle:6.1f} frames/s   ({', '.join(f'{rate:.1f}' for rate in rates)})", flush=True)
    return middle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--model", default=None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--preset", default="ultrafast")
    parser.add_argument("--against", help="folder of another detector")
    parser.add_argument("--peer", help="Python of an environment with ultralytics")
    args = parser.parse_args()
    info = inspect_video(args.video)
    print(describe_machine("szem", "onnxruntime", "av", "opencv-python-headless"))
    print(f"{args.video.name}: {info.width_px}×{info.height_px}, {info.frames} frames, {info.duration_s:.1f} s")
    if args.against:
        with tempfile.TemporaryDirectory() as name:
            print(f"load {os.getloadavg()[0]:.1f} on {cores()} cores")
            beside(args.video, [args.model, args.against], args.rounds, Path(name) / "a.mp4")
            print(f"load {os.getloadavg()[0]:.1f}")
        return
    detector = open_video_detector(args.model)
    alone = open_video_detector(args.model, workers=1, threads=None)
    print(f"model {args.model or 'shipped'}, {detector.workers} frames side by side on {cores()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rates: dict[str, list[float]] = {}
        whole(args.video, detector, folder / "warm.mp4", preset=args.preset)
        for _ in range(args.rounds):
            rates.setdefault("network", []).append(network(args.video, alone, 200))
            rates.setdefault("side", []).append(network(args.video, detector, 200))
            rates.setdefault("whole", []).append(whole(args.video, detector, folder / "a.mp4", preset=args.preset))
            rates.setdefault("whole, boxes only", []).append(
                whole(args.video, detector, folder / "b.mp4", draw=False)
            )
            rates.setdefault("one", []).append(one_by_one(args.video, args.model, 100))
        middle = {key: reported(key, values) for key, values in rates.items()}
        for name, about in (("network", "one by one"), ("side", "side by side")):
            more = middle[name] / middle["whole"] - 1
            print(f"overhead of the whole over the network alone, {about}: {more:.1%}")
        for form, side in (("openvino", 640), ("onnx", 640), ("openvino", 320)) if args.peer else ():
            found = peer(args.peer, args.video, form, side, folder / str(side), max(1, args.rounds - 1))
            if found:
                rate = reported(f"Ultralytics, {form} {side}", found)
                print(f"  szem is {middle['whole'] / rate:.2f} times as fast")


if __name__ == "__main__":
    main()
