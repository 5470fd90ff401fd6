"""nn/affine_conv.py: a convolution with a scale and a shift per channel, padded as TensorFlow's SAME."""

import numpy as np
import pytest
import torch

from szem.nn.affine_conv import AffineConv


@pytest.mark.parametrize(
    ("side", "kernel", "stride"), [(6, 3, 1), (6, 3, 2), (5, 3, 2), (7, 5, 2), (8, 5, 2), (1, 3, 2)]
)
def test_same_padding_is_tensorflows(side: int, kernel: int, stride: int) -> None:
    layer = AffineConv(1, 1, kernel=kernel, stride=stride)
    x = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        out = layer(x)[0, 0].numpy()
    places = -(-side // stride)
    missing = max((places - 1) * stride + kernel - side, 0)
    padded = np.pad(x[0, 0].numpy(), (missing // 2, missing - missing // 2))
    kernel_values = layer.weight.detach()[0, 0].numpy()
    naive = [
        [(padded[r * stride :, c * stride :][:kernel, :kernel] * kernel_values).sum() for c in range(places)]
        for r in range(places)
    ]
    np.testing.assert_allclose(out, naive, atol=1e-5)


def test_scale_and_shift_are_one_number_a_channel() -> None:
    layer = AffineConv(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(2)[:, :, None, None])
        assert layer.scale is not None
        layer.scale.copy_(torch.tensor([2.0, 3.0]))
        layer.bias.copy_(torch.tensor([0.5, -1.0]))
        out = layer(torch.ones(1, 2, 1, 1))
    assert out.flatten().tolist() == [2.5, 2.0]


def test_parted_weights_of_every_channel_have_length_one() -> None:
    layer = AffineConv(8, 4, kernel=3)
    layer.fold()
    assert layer.scale is None
    layer.unfold()
    assert layer.weight.detach().flatten(1).norm(dim=1).tolist() == pytest.approx([1.0] * 4, abs=1e-5)
