"""Stride and dilation on one axis, taken apart into dense problems.

Output `i` is the sum over taps `m` of `weight[m] * x[s*i + d*m - before]`. With `g = gcd(s, d)`, `D = d / g` and
`S = s / g`, write `i = r + D*t` and `m = c + S*u`: then the position is `(s*r + d*c - before) + L*(t + u)`, where
`L = lcm(s, d)`. So the outputs of one residue `r` (there are D) are a sum over the tap classes `c` (there are S) of
plain dense filters over every L-th pixel, with every S-th tap. No zero between atrous taps is multiplied, and
nothing is computed that a stride would drop.

Source: polyphase decomposition, P. P. Vaidyanathan, Multirate digital filters, 1990; the same residues appear in
M. Holschneider et al., A real-time algorithm for signal analysis with the help of the
wavelet transform (à trous), 1989.
"""

from dataclasses import dataclass, replace
from math import gcd

__all__ = ["Axis", "DenseSubproblem"]


@dataclass(frozen=True)
class DenseSubproblem:
    """One dense problem: the outputs of a residue, from the taps of a class."""

    residue: int
    tap: int  # the first tap of the class
    tap_step: int
    taps: int


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis of a convolution (as correlation with its first tap as origin).

    Args:
        size: Pixels of the picture.
        outputs: Pixels of the result.
        taps: Weights of the kernel.
        before: Position of the first tap for output 0, counted back from pixel 0.
        stride: Pixels between outputs.
        dilation: Pixels between taps.
    """

    size: int
    outputs: int
    taps: int
    before: int
    stride: int = 1
    dilation: int = 1

    @property
    def span(self) -> int:
        """Pixels from the first tap to the last, both counted."""
        return (self.taps - 1) * self.dilation + 1

    @property
    def step(self) -> int:
        """L: pixels between neighbours inside a lane."""
        return self.stride * self.residues

    @property
    def residues(self) -> int:
        """D: how many interleaved sets of outputs."""
        return self.dilation // gcd(self.stride, self.dilation)

    @property
    def classes(self) -> int:
        """S, or fewer where there are fewer taps: how many sets of taps."""
        return min(self.taps, self.stride // gcd(self.stride, self.dilation))

    @property
    def dense(self) -> "Axis":
        """The same axis without its stride; its outputs hold ours at every stride-th place."""
        return replace(self, outputs=self.stride * (self.outputs - 1) + 1, stride=1)

    def subproblems(self, residue: int = 0) -> list[DenseSubproblem]:
        """The dense problems whose sum is a residue's outputs, the longest first."""
        step = self.stride // gcd(self.stride, self.dilation)
        return [
            DenseSubproblem(residue, tap, step, len(range(tap, self.taps, step)))
            for tap in range(min(self.taps, step))
        ]

    def outputs_of(self, residue: int) -> range:
        """The outputs of a residue."""
        return range(residue, self.outputs, self.residues)

    def inputs_of(self, subproblem: DenseSubproblem, outputs: range) -> range:
        """The pixels a lane reads for some of its residue's outputs: as many as outputs, and taps - 1 more."""
        start = self.stride * outputs.start + self.dilation * subproblem.tap - self.before
        return range(start, start + self.step * (len(outputs) + subproblem.taps - 1), self.step)
