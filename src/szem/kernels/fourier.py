"""Large kernels by Fourier: tiles of the picture are multiplied with the kernel's spectrum (overlap-save).

Two tiles travel as the real and imaginary part of one complex tile: a real kernel keeps them apart, and one complex
transform costs less than two real ones. Strides and dilations are taken apart into lanes first (lattice.py), so a
tile holds only pixels that belong together, and the tap classes of a stride are summed before the one inverse.

Source: overlap-save, T. G. Stockham, High-speed convolution and correlation, 1966; lanes as in lattice.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, product

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.kernels.borders import Border, take
from szem.kernels.lattice import Axis, DenseSubproblem
from szem.kernels.parallel import run_all

__all__ = ["TILES", "Fourier"]

# Sides of tiles that OpenCV transforms fast, with the nanoseconds that one real value costs there and back,
# multiplication included (measured as costs.py says).
TILES = {
    16: 4.4, 24: 4.4, 32: 4.0, 48: 4.8, 64: 2.4, 72: 4.3, 80: 3.8, 96: 3.8, 128: 2.6, 144: 3.8, 160: 3.7, 192: 3.7,
    256: 2.8, 288: 4.1, 320: 3.7, 384: 4.0, 512: 4.1, 576: 4.7, 640: 4.8, 768: 6.0, 1024: 7.0, 1536: 7.4, 2048: 8.0,
    4096: 9.0, 8192: 10.0,
}  # fmt: skip

_Floats = NDArray[np.float32]
_Spectra = dict[tuple[int, int], NDArray[np.complex64]]


@dataclass(frozen=True)
class _Tile:
    """One rectangle of outputs of one plane: which outputs, and the channel."""

    columns: range
    channel: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Fourier:
    """All that a run by Fourier needs to know.

    Args:
        y, x: The two axes.
        weights: (kh, kw), to be correlated with.
        border: What lies outside.
        tile: Sides of a tile, at least as long as the taps of a lane.
        threads: How many may work.
    """

    y: Axis
    x: Axis
    weights: NDArray[np.float64]
    border: Border
    tile: tuple[int, int]
    threads: int

    def run(self, image: Array) -> _Floats:
        """Filter (H, W, C) uint8 or float32 to (outputs of y, outputs of x, C) float32."""
        out = np.empty((self.y.outputs, self.x.outputs, image.shape[2]), np.float32)
        spectra = self._spectra()
        tasks = []
        for residue in range(min(self.y.residues, self.y.outputs)):
            outputs = self.y.outputs_of(residue)
            for rows in _cut(outputs, self.tile[0] - _longest(self.y) + 1):
                tasks.append(partial(self._tile_row, image, out, residue, rows, spectra))
        run_all(tasks, threads=self.threads)
        return out

    def _spectra(self) -> _Spectra:
        """The conjugate spectrum of each tap class, scaled so that the inverse needs no scaling."""
        ny, nx = self.tile
        spectra: _Spectra = {}
        for a in self.y.subproblems():
            for b in self.x.subproblems():
                taps = self.weights[a.tap :: a.tap_step, b.tap :: b.tap_step]
                spectrum = np.conj(np.fft.fft2(taps, s=self.tile)) / (ny * nx)
                spectra[a.tap, b.tap] = spectrum.astype(np.complex64)
        return spectra

    def _tile_row(self, image: Array, out: _Floats, residue: int, rows: range, spectra: _Spectra) -> None:
        """All tiles that share their rows of outputs."""
        x = self.x
        columns = range(-x.before, x.stride * (x.outputs - 1) + x.span - x.before)
        subproblems_y, subproblems_x = self.y.subproblems(residue), x.subproblems()
        patches = [
            take(image, self.y.inputs_of(subproblem, rows), columns, self.border) for subproblem in subproblems_y
        ]
        ny, nx = self.tile
        work, total = np.empty((ny, nx, 2), np.float32), np.empty((ny, nx, 2), np.float32)
        height = len(rows)
        for pair in _pairs(self._tiles(image.shape[2])):
            for index, (a, b) in enumerate(product(range(len(subproblems_y)), subproblems_x)):
                into = work if index else total
                _load(into, patches[a], pair, x, b)
                cv2.dft(into, dst=into)
                spectrum = _complex(into)
                np.multiply(spectrum, spectra[subproblems_y[a].tap, b.tap], out=spectrum)
                if index:
                    cv2.add(total, work, dst=total)
            cv2.dft(total, dst=total, flags=cv2.DFT_INVERSE)
            for part, tile in enumerate(pair):
                place = slice(tile.columns.start, tile.columns.stop, tile.columns.step)
                out[rows.start : rows.stop : rows.step, place, tile.channel] = total[
                    :height, : len(tile.columns), part
                ]

    def _tiles(self, channels: int) -> Iterator[_Tile]:
        for residue in range(min(self.x.residues, self.x.outputs)):
            for columns in _cut(self.x.outputs_of(residue), self.tile[1] - _longest(self.x) + 1):
                for channel in range(channels):
                    yield _Tile(columns, channel)


def _load(buffer: _Floats, patch: _Floats, pair: Sequence[_Tile], x: Axis, subproblem: DenseSubproblem) -> None:
    """Put the pixels of one or two tiles into the buffer, zeros elsewhere."""
    height = len(patch)
    buffer[height:] = 0
    if len(pair) == 1:
        buffer[..., 1] = 0
    for part, tile in enumerate(pair):
        at = x.inputs_of(subproblem, tile.columns)
        left = at.start + x.before
        columns = slice(left, left + at.step * (len(at) - 1) + 1, at.step)
        buffer[:height, : len(at), part] = patch[:, columns, tile.channel]
        buffer[:height, len(at) :, part] = 0


def _complex(pairs: _Floats) -> NDArray[np.complex64]:
    return pairs.view(np.complex64)[..., 0]


def _longest(axis: Axis) -> int:
    return max(subproblem.taps for subproblem in axis.subproblems())


def _cut(outputs: range, length: int) -> Iterator[range]:
    for low in range(0, len(outputs), length):
        yield outputs[low : low + length]


def _pairs(tiles: Iterator[_Tile]) -> Iterator[list[_Tile]]:
    while pair := list(islice(tiles, 2)):
        yield pair
