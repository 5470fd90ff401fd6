"""Pictures a second of the shipped `segment` models, and outlines beside OpenCV's GrabCut.

Run:  python benchmarks/segment.py [--data shared/data] [--peer PEER.onnx] [--quick]
The peer for speed is segmentation_models_pytorch's DeepLabV3+ on a MobileNetV2 with random weights, as ONNX. It wants
packages of its own, so it is exported once, in an environment where it is installed beside torch:
      python benchmarks/segment.py --export-peer PEER.onnx
Outlines need --data: objects in pictures never trained on.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from machine import describe_machine
from szem.data.outlines import OutlinedObject, read_outlined
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile
from szem.tasks.models import open_model
from szem.tasks.segmentation.evaluate import mask_iou, outline_one
from szem.tasks.segmentation.segment import segment_with

PEER_SIDES = (368, 480)  # rows and columns; it takes multiples of 16


def median_ms(run: Callable[[], object], seconds: float) -> float:
    for _ in range(2):
        run()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1e3


def speed(seconds: float, peer: Path | None) -> None:
    """Whole path, picture in, class map out, and the network alone."""
    rng = np.random.default_rng(0)
    for name in ("road", "things"):
        session = open_model(name, task="segment")
        wanted = session.model.card.picture
        picture = rng.integers(0, 256, (wanted.height_px, wanted.width_px, 3), np.uint8)
        took = median_ms(lambda session=session, picture=picture: segment_with(session, picture), seconds)
        file = OnnxFile(session.model.file())
        feed = {"picture": prepare_picture(picture, wanted)}
        alone = median_ms(lambda file=file, feed=feed: file.run(feed, ["scores"]), seconds)
        size = f"{wanted.width_px}×{wanted.height_px}"
        kind = session.model.card.precision
        print(f"{name:10} {size} {kind}: {took:6.1f} ms, {1e3 / took:5.1f} pictures/s; network alone {alone:6.1f} ms")
    if peer is not None:
        file, feed = OnnxFile(peer), {"x": rng.random((1, 3, *PEER_SIDES), np.float32)}
        took = median_ms(lambda: file.run(feed, ["y"]), seconds)
        print(
            f"peer: smp DeepLabV3+ MobileNetV2 480×368: {took:6.1f} ms, {1e3 / took:5.1f} pictures/s (network alone)"
        )


def export_peer(path: Path) -> None:
    """The peer's network with random weights."""
    import segmentation_models_pytorch as smp
    import torch

    net = smp.DeepLabV3Plus("mobilenet_v2", encoder_weights=None, classes=11).eval()
    x = torch.rand(1, 3, *PEER_SIDES)
    torch.onnx.export(net, (x,), path, input_names=["x"], output_names=["y"], dynamo=True, external_data=False)


def grabcut(item: OutlinedObject, rounds: int = 5) -> np.ndarray:
    """OpenCV's GrabCut, started from the box."""
    x0, y0, x1, y1 = np.rint(item.box_xyxy).astype(int)
    mask = np.zeros(item.mask.shape, np.uint8)
    ground, front = np.zeros((1, 65)), np.zeros((1, 65))
    box = (x0, y0, max(1, x1 - x0), max(1, y1 - y0))
    bgr = np.ascontiguousarray(item.picture[..., ::-1])
    try:
        cv2.grabCut(bgr, mask, box, ground, front, rounds, cv2.GC_INIT_WITH_RECT)
    except cv2.error:  # nothing of the cut lies outside the box: all it can say is the box
        mask[y0:y1, x0:x1] = cv2.GC_FGD
    return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)


def outlines(data: Path, every: int) -> None:
    items, _ = read_outlined(data, split="val")
    items = items[::every]
    session = open_model("outline", task="outline")
    ways = {"szem": lambda item: outline_one(session, item), "GrabCut": grabcut}
    for name, way in ways.items():
        way(items[0])
        began = time.perf_counter()
        masks = [way(item) for item in items]
        took = (time.perf_counter() - began) / len(items) * 1e3
        ious = [mask_iou(mask, item.mask) for mask, item in zip(masks, items, strict=True)]
        by = {
            s: np.mean([v for v, i in zip(ious, items, strict=True) if i.source == s])
            for s in {i.source for i in items}
        }
        reported = ", ".join(f"{source} {value:.3f}" for source, value in sorted(by.items()))
        print(f"{name:8} mean IoU {np.mean(ious):.3f} ({reported}), {took:6.1f} ms an object, {len(items)} objects")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--peer", type=Path, help="the peer as ONNX")
    parser.add_argument("--export-peer", type=Path, help="write the peer as ONNX, and end")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.export_peer:
        export_peer(options.export_peer)
        return
    print(describe_machine("onnxruntime", "opencv-python-headless"))
    speed(0.5 if options.quick else 5.0, options.peer)
    if options.data:
        outlines(options.data, 6 if options.quick else 1)


if __name__ == "__main__":
    main()
