"""Small networks of torch, exported to ONNX: what the tests of graphs and of `szem explain` read."""

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

SIDE = 32


class Plain(nn.Sequential):
    """Convolutions, batch normalisation, both poolings, a classifier."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 12, 3, padding=1, bias=False),
            nn.LeakyReLU(0.1),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 16, (3, 5), padding=(1, 2)),
            nn.ReLU6(),
            nn.AvgPool2d(3, stride=1, padding=1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, 7),
        )


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.a = nn.Conv2d(8, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 12, 1, stride=2)
        self.c = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = torch.relu(x + self.b(torch.relu(self.a(x))))
        x = torch.relu(self.down(x) + self.c(x))
        return self.head(x.mean((2, 3)))


class Inception(nn.Module):
    """1×1, 3×3, 5×5 and pooling side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 7, stride=2, padding=3)
        self.one = nn.Conv2d(16, 6, 1)
        self.three = nn.Sequential(nn.Conv2d(16, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, padding=1))
        self.five = nn.Sequential(nn.Conv2d(16, 2, 1), nn.ReLU(), nn.Conv2d(2, 4, 5, padding=2))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(16, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        return torch.relu(torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1))


class Depthwise(nn.Module):
    """Depthwise separable with swish and a gate (squeeze and excite)."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Conv2d(3, 12, 1)
        self.depth = nn.Conv2d(12, 12, 5, stride=2, padding=2, groups=12)
        self.squeeze = nn.Conv2d(12, 3, 1)
        self.excite = nn.Conv2d(3, 12, 1)
        self.project = nn.Conv2d(12, 8, 1, groups=4)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.silu(self.expand(x))
        x = nn.functional.hardswish(self.depth(x))
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        return self.project(x * gate)


class Atrous(nn.Module):
    """An atrous pyramid: rates 1, 2, 4 side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.rates = nn.ModuleList(nn.Conv2d(6, 4, 3, padding=r, dilation=r) for r in (1, 2, 4))
        self.join = nn.Conv2d(12, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.elu(self.stem(x))
        return self.join(torch.cat([torch.relu(rate(x)) for rate in self.rates], 1))


class Transposed(nn.Module):
    """Down and up again: transposed convolutions, resizing, a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.up1 = nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(12, 4, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = torch.relu(self.down1(x))
        b = torch.relu(self.down2(a))
        up = torch.relu(self.up1(b))
        y = torch.relu(self.up2(torch.cat([up, a], 1)))
        y = nn.functional.interpolate(y, scale_factor=2, mode="nearest")
        return torch.tanh(self.last(y))


class Shuffle(nn.Module):
    """Grouped convolutions with a channel shuffle between, pixel shuffle, reflected padding, cropping."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.b = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.c = nn.Conv2d(8, 8, 1, groups=2)
        self.act = nn.PReLU(8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.b(torch.relu(self.a(x))))
        n, c, h, w = 1, 8, SIDE, SIDE
        x = x.reshape(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        x = self.c(x)[:, :, 3:-3, 5:-1]
        return nn.functional.pixel_shuffle(x, 2)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": Plain,
    "residual": Residual,
    "inception": Inception,
    "depthwise": Depthwise,
    "atrous": Atrous,
    "transposed": Transposed,
    "shuffle": Shuffle,
}


def build_network(name: str) -> nn.Module:
    """A network with seeded weights; batch normalisation is given something to do."""
    torch.manual_seed(3)
    net = NETWORKS[name]().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            with torch.no_grad():
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
    return net


def export(net: nn.Module, path: Path, *, side: int = SIDE, keep_normalisation: bool = False) -> Path:
    """Export to ONNX, quietly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (torch.zeros(1, 3, side, side),),
            str(path),
            dynamo=False,
            opset_version=17,
            training=torch.onnx.TrainingMode.PRESERVE if keep_normalisation else torch.onnx.TrainingMode.EVAL,
            do_constant_folding=not keep_normalisation,
        )
    return path
