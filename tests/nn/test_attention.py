"""nn/attention.py: both kinds mix what they look at; weights add up; naive sums give the same."""

import math

import pytest
import torch

from szem.errors import ShapeError
from szem.nn.attention import AdditiveAttention, MultiHeadAttention


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_heads_give_what_a_naive_loop_gives() -> None:
    torch.manual_seed(0)
    net = MultiHeadAttention(6, heads=2).eval()
    x, source = drawn(1, 2, 6), drawn(1, 4, 6, seed=1)
    q = net.query(x)[0].detach()
    k, v = (part.detach() for part in net.key_value(source)[0].chunk(2, dim=-1))
    mixed = torch.zeros(2, 6)
    for head in range(2):
        part = slice(3 * head, 3 * head + 3)
        for t in range(2):
            fits = torch.tensor([float(q[t, part] @ k[s, part]) / math.sqrt(3) for s in range(4)])
            mixed[t, part] = sum(w * v[s, part] for s, w in enumerate(fits.softmax(0)))
    out = net(x, *net.memory(source))
    torch.testing.assert_close(out[0], net.out(mixed))
    looked, weights = net.look(x, *net.memory(source))
    torch.testing.assert_close(looked, out)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 2, 2))


def test_what_the_mask_hides_changes_nothing() -> None:
    net = MultiHeadAttention(4, heads=2).eval()
    x, source = drawn(1, 3, 4), drawn(1, 5, 4, seed=1)
    mask = torch.tensor([True, True, False, True, False])[None, None, None].expand(1, 1, 3, 5)
    changed = source.clone()
    changed[:, [2, 4]] += 100
    torch.testing.assert_close(net(x, *net.memory(source), mask), net(x, *net.memory(changed), mask))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ShapeError, match="width must be a multiple of heads, got 6 and 4"):
        MultiHeadAttention(6, heads=4)


def test_additive_weights_follow_the_fit_and_sum_to_one() -> None:
    net = AdditiveAttention(query=2, source=2, width=2)
    with torch.no_grad():
        for layer, weight in ((net.query, torch.zeros(2, 2)), (net.key, torch.eye(2)), (net.fit, torch.ones(1, 2))):
            layer.weight.copy_(weight)
        net.query.bias.zero_()
    source = torch.tensor([[[0.0, 0.0], [5.0, 5.0]]])
    mixed, weights = net(torch.zeros(1, 2), source)
    best = 1 / (1 + math.exp(-2 * math.tanh(5)))  # fits are 0 and 2 tanh(5)
    assert weights[0].tolist() == pytest.approx([1 - best, best])
    assert mixed[0].tolist() == pytest.approx([5 * best, 5 * best])


@pytest.mark.parametrize("kind", ["heads", "additive"])
def test_gradients_reach_every_parameter(kind: str) -> None:
    torch.manual_seed(0)
    if kind == "heads":
        net: torch.nn.Module = MultiHeadAttention(4, heads=2)
        out = net(drawn(2, 3, 4), *net.memory(drawn(2, 5, 4, seed=1)))  # type: ignore[operator]
    else:
        net = AdditiveAttention(query=4, source=6, width=5)
        out = net(drawn(2, 4), drawn(2, 5, 6, seed=1))[0]
    (out * drawn(*out.shape, seed=2)).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
