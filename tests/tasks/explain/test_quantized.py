"""Quantised networks, in both of ONNX Runtime's forms: maps and sums are shown as the real numbers they stand for."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime import quantization

from szem.media.samples import read_sample
from szem.tasks.explain.explain import Explorer
from szem.tasks.explain.neuron import explain_neuron

File = Callable[[str], Path]


class _Pictures(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, explorer: Explorer) -> None:
        self._left: Iterator[dict[str, Any]] = iter(
            [{explorer.layout.name: explorer.prepare(read_sample(n)).values} for n in ("cat", "coffee", "rocket")]
        )

    def get_next(self) -> Any:
        return next(self._left, None)


@pytest.fixture(scope="module", params=["QDQ", "QOperator"])
def pair(
    request: pytest.FixtureRequest, network_file: File, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Explorer, Explorer]:
    """A residual network as float and as int8."""
    exact = Explorer(network_file("residual"), threads=1)
    target = tmp_path_factory.mktemp("int8") / "int8.onnx"
    quantization.quantize_static(
        str(network_file("residual")),
        str(target),
        _Pictures(exact),
        quant_format=quantization.QuantFormat[request.param],
        per_channel=True,
        reduce_range=True,  # without VNNI, processors cut sums of pairs of full 8-bit products short
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    return exact, Explorer(target, threads=1)


def test_maps_of_int8_are_close_to_those_of_float(pair: tuple[Explorer, Explorer]) -> None:
    exact, coarse = pair
    values = exact.prepare(read_sample("cat")).values
    for name in ("stem", "a", "c"):
        a = exact.maps(values, [exact.layer(name)])[exact.layer(name).row.name]
        b = coarse.maps(values, [coarse.layer(name)])[coarse.layer(name).row.name]
        assert b.dtype == np.float32
        assert float(np.abs(np.maximum(a, 0) - np.maximum(b, 0)).max()) < 0.06 * float(np.abs(a).max())


def test_int8_layers_have_the_same_geometry_and_parameters(pair: tuple[Explorer, Explorer]) -> None:
    exact, coarse = pair
    for name in ("stem", "a", "down", "c", "head"):
        a, b = exact.layer(name).row, coarse.layer(name).row
        assert (a.kernel, a.stride, a.output_shape, a.parameters, a.multiplications, a.field_px) == (
            b.kernel,
            b.stride,
            b.output_shape,
            b.parameters,
            b.multiplications,
            b.field_px,
        )


def test_sums_of_int8_end_in_rounding_and_equal_the_runtimes(pair: tuple[Explorer, Explorer]) -> None:
    coarse = pair[1]
    prepared = coarse.prepare(read_sample("coffee"))
    rng = np.random.default_rng(2)
    checked = 0
    for row in coarse.rows:
        if row.kind not in ("convolution", "pointwise", "dense"):
            continue
        for _ in range(8):
            m, y, x = (int(rng.integers(n)) for n in row.output_shape)
            neuron = explain_neuron(coarse, prepared, row.index, map=m, row=y, column=x)
            assert neuron.rule == "weighted sum"
            assert neuron.value == pytest.approx(neuron.measured, abs=1e-4)
            if neuron.quantum:
                assert neuron.steps[-1].name == "round"
                assert neuron.value / neuron.quantum == pytest.approx(round(neuron.value / neuron.quantum), abs=1e-3)
            checked += 1
    assert checked >= 40
