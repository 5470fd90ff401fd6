"""Alone, the shared batch normalisation is torch's; with others (tests/train/test_loop.py) that of the whole."""

import copy

import pytest
import torch
from torch import nn

from szem.nn.conv import ConvNorm
from szem.nn.frozen import FrozenConvNorm, freeze_norms
from szem.nn.shared_norm import SharedBatchNorm, convert_norms


@pytest.mark.parametrize("momentum", [0.1, None])
def test_alone_it_is_batch_normalisation(momentum: float | None) -> None:
    random = torch.Generator().manual_seed(0)
    theirs = nn.BatchNorm2d(4, momentum=momentum)
    ours = SharedBatchNorm(copy.deepcopy(theirs))
    for _ in range(2):
        x = 3 + 2 * torch.randn(3, 4, 5, 6, generator=random)
        grad = torch.randn(x.shape, generator=random)
        found, expected = [], []
        for norm, into in ((ours, found), (theirs, expected)):
            leaf = x.clone().requires_grad_()
            out = norm(leaf)
            into += [out.detach(), *torch.autograd.grad(out, (leaf, norm.weight, norm.bias), grad)]
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_frozen_layers_stay_and_names_too() -> None:
    net = nn.Sequential(nn.Sequential(ConvNorm(3, 4)), ConvNorm(4, 5))
    freeze_norms(net[0])
    names = list(net.state_dict())
    learning = {id(p) for p in net.parameters()}
    convert_norms(net)
    assert isinstance(net[0][0], FrozenConvNorm)
    assert isinstance(net[1].norm, SharedBatchNorm)
    assert list(net.state_dict()) == names
    assert {id(p) for p in net.parameters()} == learning
