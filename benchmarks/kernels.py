"""Filtering pictures: szem beside OpenCV, SciPy, scikit-image and torch, over sizes, strides and dilations.

    python benchmarks/kernels.py [--quick] [--rounds 7] [--uint8] [--opencv] [--summary]

1024×1024 float32 (192 cells), or with --uint8 pictures of bytes and float32 results (128 cells, kernels up to 11×11);
--opencv leaves out the other peers. Reflected borders, each library in its natural way: OpenCV filters with the
zero-stuffed kernel and then drops pixels; SciPy the same; scikit-image has `correlate_sparse`, made for kernels with
zeros; torch has stride and dilation itself and gets its tensor ready made. All see the same picture in the same run,
one after the other in each round, and the best round counts; results must agree. Random kernels have full rank; the
Gaussian is separable, and OpenCV and SciPy then get their separable functions. SciPy and scikit-image are left out
where they would take seconds. Pinned to one core (taskset -c 0), processor time is measured and every library has one
thread: that is what to do on a machine that is not at rest.
"""

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy import ndimage
from skimage.filters import correlate_sparse

from machine import describe_machine
from szem.kernels import Kernel, convolve
from szem.kernels.compiled import instruction_set

SIDE = 1024
SLOW_MS = 60.0  # a competitor this slow is not run again and again
TOO_MANY = 130  # taps times channels above which SciPy and scikit-image are left out: they take seconds

Image = np.ndarray


@dataclass(frozen=True)
class Cell:
    """One question put to all libraries."""

    channels: int
    size: int
    stride: int
    dilation: int
    separable: bool

    def kernel(self) -> np.ndarray:
        """The weights, sum 1."""
        if self.separable:
            row = cv2.getGaussianKernel(self.size, self.size / 6, cv2.CV_32F)
            return (row @ row.T).astype(np.float32)
        rng = np.random.default_rng(self.size)
        weights = rng.normal(size=(self.size, self.size)).astype(np.float32)
        return weights / np.float32(self.size**2)


@dataclass(frozen=True)
class Row:
    """A cell and the best milliseconds of each library."""

    cell: Cell
    times: dict[str, float]

    @property
    def best_peer(self) -> str:
        """The fastest library that is not szem."""
        return min((name for name in self.times if name != "szem"), key=lambda name: self.times[name])

    @property
    def ratio(self) -> float:
        """How many times faster szem is than the fastest peer."""
        return self.times[self.best_peer] / self.times["szem"]


def cells(*, quick: bool, uint8: bool) -> Iterator[Cell]:
    """The whole grid, or a small one."""
    sizes: tuple[int, ...] = (3, 5, 7, 11) if uint8 else (3, 5, 7, 11, 15, 31)
    strides, dilations = (1, 2, 3), (1, 2, 4, 8, 16)
    if quick:
        sizes, strides, dilations = (3, 7), (1, 2), (1, 4)
    for channels in (1, 3):
        for dilation in dilations:
            for stride in strides:
                for size in sizes:
                    yield Cell(channels, size, stride, dilation, separable=False)
        for size in sizes:
            yield Cell(channels, size, 1, 1, separable=True)


def competitors(cell: Cell, image: Image, *, opencv_only: bool) -> dict[str, Callable[[], Image]]:
    """Name -> what does the work; each gives (rows, columns[, channels])."""
    weights, s, d = cell.kernel(), cell.stride, cell.dilation
    kernel = Kernel(weights)
    wide = Kernel(weights).dilate(d).weights.astype(np.float32)
    planes = (
        torch.from_numpy(image.reshape(SIDE, SIDE, -1)).permute(2, 0, 1)[:, None].float().contiguous()
    )  # (C, 1, H, W)
    taps = torch.from_numpy(weights)[None, None]
    reach = (cell.size // 2) * d

    def by_torch() -> Image:
        padded = torch.nn.functional.pad(planes, (reach,) * 4, mode="reflect")
        out = torch.nn.functional.conv2d(padded, taps, stride=s, dilation=d)
        return out[:, 0].permute(1, 2, 0).numpy()

    def by_opencv() -> Image:
        out = cv2.filter2D(image, cv2.CV_32F, wide, borderType=cv2.BORDER_REFLECT_101)
        return out if s == 1 else out[::s, ::s].copy()

    def each_channel(work: Callable[[Image], Image]) -> Image:
        if image.ndim == 2:
            return work(as_float)
        return np.stack([work(np.ascontiguousarray(as_float[..., c])) for c in range(image.shape[2])], axis=2)

    as_float = image.astype(np.float32)  # SciPy and scikit-image would answer in bytes

    run: dict[str, Callable[[], Image]] = {
        "szem": lambda: convolve(image, kernel, stride_px=s, dilation=d, mode="correlation"),
        "OpenCV": by_opencv,
        "torch": by_torch,
    }
    if cell.separable:
        line = cv2.getGaussianKernel(cell.size, cell.size / 6, cv2.CV_32F)
        flat = line.ravel()
        run["OpenCV"] = lambda: cv2.sepFilter2D(image, cv2.CV_32F, line, line, borderType=cv2.BORDER_REFLECT_101)
        run["SciPy"] = lambda: each_channel(
            lambda plane: ndimage.correlate1d(
                ndimage.correlate1d(plane, flat, 0, mode="mirror"), flat, 1, mode="mirror"
            )
        )
    elif cell.size**2 * cell.channels <= TOO_MANY:
        run["SciPy"] = lambda: each_channel(lambda plane: ndimage.correlate(plane, wide, mode="mirror")[::s, ::s])
        if cell.size % 2:
            run["scikit-image"] = lambda: each_channel(
                lambda plane: correlate_sparse(plane, wide, mode="mirror")[::s, ::s]
            )
    return {name: run[name] for name in ("szem", "OpenCV")} if opencv_only else run


def measure(cell: Cell, image: Image, *, rounds: int, opencv_only: bool) -> Row:
    """Run all, in turn; the best of the rounds."""
    run = competitors(cell, image, opencv_only=opencv_only)
    answers = {name: np.asarray(work()).reshape(-1) for name, work in run.items()}  # also warms up
    for name, answer in answers.items():
        largest = 255 if image.dtype == np.uint8 else 1
        if not np.allclose(answer, answers["OpenCV"], rtol=1e-3, atol=1e-3 * largest):
            raise SystemExit(f"{name} disagrees on {cell}")
    times = dict.fromkeys(run, math.inf)
    for _ in range(rounds):
        for name, work in run.items():
            if times[name] > SLOW_MS and times[name] < math.inf and name != "szem":
                continue
            began = clock()
            work()
            times[name] = min(times[name], (clock() - began) * 1e3)
    return Row(cell, times)


def clock() -> float:
    """Seconds: of this thread's processor time where one core is used, so that a busy machine disturbs less."""
    return time.perf_counter() if cv2.getNumThreads() > 1 else time.thread_time()


def geometric_mean(values: list[float]) -> float:
    """The mean for ratios."""
    return math.exp(sum(math.log(v) for v in values) / len(values))


def summary(rows: list[Row]) -> list[str]:
    """The goals and what was reached."""
    dense = {(r.cell.channels, r.cell.size): r.times["szem"] for r in rows if is_dense(r.cell)}
    atrous = [r for r in rows if r.cell.dilation > 1]
    cost = [r.times["szem"] / dense[r.cell.channels, r.cell.size] for r in atrous if r.cell.stride == 1]
    slower = [r for r in rows if r.ratio < 0.95]
    beside_opencv = [r.times["OpenCV"] / r.times["szem"] for r in rows]
    lines = [
        (
            f"All {len(rows)} cells beside OpenCV: geometric mean {geometric_mean(beside_opencv):.2f}×, "
            f"{sum(ratio < 0.95 for ratio in beside_opencv)} cells below 0.95, the lowest {min(beside_opencv):.2f}."
        ),
        (
            f"All {len(rows)} cells: geometric mean {geometric_mean([r.ratio for r in rows]):.2f}× the fastest peer; "
            f"{len(slower)} cells below 0.95 (goal 0), the lowest {min(r.ratio for r in rows):.2f}."
        ),
        (
            f"Atrous, {len(atrous)} cells: geometric mean {geometric_mean([r.ratio for r in atrous]):.2f}× "
            "the fastest peer (goal 3)."
        ),
        (
            f"An atrous kernel beside the dense one with as many taps: {geometric_mean(cost):.2f}× on average, "
            f"at most {max(cost):.2f}× (goal 1.5)."
        ),
    ]
    for r in sorted(slower, key=lambda r: r.ratio)[:12]:
        lines.append(f"- below 0.95: {label(r.cell)}: {r.ratio:.2f} of {r.best_peer}")
    return lines


def is_dense(cell: Cell) -> bool:
    """Whether a cell is what atrous ones are compared with."""
    return cell.dilation == cell.stride == 1 and not cell.separable


def label(cell: Cell) -> str:
    """A cell in words."""
    what = "Gaussian" if cell.separable else "random"
    colour = "RGB" if cell.channels == 3 else "grey"
    return f"{colour} {cell.size}×{cell.size} {what}, stride {cell.stride}, dilation {cell.dilation}"


def table(rows: list[Row]) -> list[str]:
    """Markdown, a row a cell; milliseconds."""
    names = ["szem", "OpenCV", "torch", "SciPy", "scikit-image"]
    lines = [f"| picture, kernel | {' | '.join(names)} | × fastest peer |", "|---|" + "---:|" * (len(names) + 1)]
    for r in rows:
        times = " | ".join(f"{r.times[n]:.2f}" if n in r.times else "–" for n in names)
        lines.append(f"| {label(r.cell)} | {times} | {r.ratio:.2f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small grid")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--uint8", action="store_true", help="pictures of bytes")
    parser.add_argument("--opencv", action="store_true", help="OpenCV alone beside szem")
    parser.add_argument("--summary", action="store_true", help="print no line for each cell")
    parser.add_argument("--markdown", type=Path, help="also write the result there")
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    shapes = {1: (SIDE, SIDE), 3: (SIDE, SIDE, 3)}
    pictures: dict[int, Image] = {c: rng.random(shape, dtype=np.float32) for c, shape in shapes.items()}
    if chosen.uint8:
        pictures = {c: rng.integers(0, 256, shape, dtype=np.uint8) for c, shape in shapes.items()}
    if len(os.sched_getaffinity(0)) == 1:
        cv2.setNumThreads(1)  # pinned to one core: OpenCV and szem would still start a thread for each
        torch.set_num_threads(1)
    machine = describe_machine("opencv-python-headless", "torch", "scipy", "scikit-image", "numpy")
    machine += f"; kernels' core: {instruction_set()}; load {os.getloadavg()[0]:.1f}"
    print(machine, flush=True)
    rows = []
    for cell in cells(quick=chosen.quick, uint8=chosen.uint8):
        rows.append(measure(cell, pictures[cell.channels], rounds=chosen.rounds, opencv_only=chosen.opencv))
        if not chosen.summary:
            print(f"{label(cell):50} {rows[-1].ratio:6.2f}× {rows[-1].best_peer}", flush=True)
    lines = summary(rows)
    print("\n".join(lines))
    if chosen.markdown:
        text = "\n".join(
            [f"Machine: {machine}.", "", *lines, "", "Milliseconds, best of the rounds:", "", *table(rows), ""]
        )
        chosen.markdown.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
