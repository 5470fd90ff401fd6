"""Which parts of a network stay float when it is quantised: the choices, and which is taken."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from szem.nn.conv import ConvNorm  # noqa: E402
from szem.train import quantize_search  # noqa: E402
from szem.train.export import export_onnx  # noqa: E402
from szem.train.quantize_search import (  # noqa: E402
    ALLOWED_LOSS,
    Trial,
    describe_trials,
    float_choices,
    search_quantization,
)

pytestmark = [pytest.mark.train]
SAMPLES = [np.random.default_rng(n).normal(size=(1, 3, 16, 16)).astype(np.float32) for n in range(4)]


class Gated(torch.nn.Module):
    """Four convolutions in a row, and one that weighs the channels of the second."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.ModuleList([ConvNorm(3, 8), ConvNorm(8, 8), ConvNorm(8, 8)])
        self.gate, self.last = torch.nn.Conv2d(8, 8, 1), torch.nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.body[1](self.body[0](x))
        x = x * torch.nn.functional.hardsigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        return self.last(self.body[2](x))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(2)
    file = tmp_path_factory.mktemp("search") / "gated.onnx"
    examples = [torch.from_numpy(np.concatenate(SAMPLES[:2]))]
    export_onnx(Gated().eval(), file, examples=examples, inputs=["x"], outputs=["y"])
    return file


def test_the_choices_name_the_last_convolution_the_gates_and_the_end(network: Path) -> None:
    choices = float_choices(network)
    assert len(choices["last convolutions"]) == 1
    gates = set(choices["last convolutions and gates"]) - set(choices["last convolutions"])
    assert len(gates) == 1
    assert set(choices["last half and gates"]) > set(choices["last quarter and gates"])
    node = next(n for n in onnx.load(network).graph.node if n.output and n.output[0] in gates)
    assert node.op_type == "Conv"


def search(
    network: Path, target: Path, monkeypatch: pytest.MonkeyPatch, *, scores: list[float], times: list[float]
) -> tuple[Trial, ...]:
    """With made-up scores and times: what is taken must not depend on the machine."""
    remaining_times = iter(times)
    monkeypatch.setattr(quantize_search, "_milliseconds", lambda *_: next(remaining_times))
    remaining = iter(scores)
    return search_quantization(network, target, samples=SAMPLES, score=lambda _: next(remaining))


def test_the_fastest_choice_that_keeps_the_score_is_taken(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(float_choices(network))
    scores = [0.7, 0.5, *[0.699] * (count - 1)]  # the first is fast and bad
    times = [10.0, 2.0, 6.0, 5.0, *[7.0] * (count - 3)]
    target = tmp_path / "int8.onnx"
    trials = search(network, target, monkeypatch, scores=scores, times=times)
    assert [trial.is_taken for trial in trials].index(True) == 3
    assert sum(trial.is_taken for trial in trials) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["int8.onnx"]
    assert "QuantizeLinear" in {node.op_type for node in onnx.load(target).graph.node}
    assert describe_trials(trials).count("taken") == 1


@pytest.mark.parametrize("loss", [ALLOWED_LOSS / 2, ALLOWED_LOSS * 2])
def test_where_all_lose_too_much_weights_alone_are_in_8_bits_or_all_stays_float(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: float
) -> None:
    count, target = len(float_choices(network)), tmp_path / "int8.onnx"
    scores, times = [0.7, *[0.6] * count, 0.7 - loss], [5.0, *[1.0] * (count + 1)]
    trials = search(network, target, monkeypatch, scores=scores, times=times)
    is_kept = loss <= ALLOWED_LOSS
    assert [trial.is_taken for trial in trials].index(True) == (count + 1 if is_kept else 0)
    assert target.exists() == is_kept
    assert ("stays float" in describe_trials(trials).splitlines()[-1]) != is_kept
