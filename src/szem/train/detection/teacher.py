"""What a finished detector says of maps that another one is trained on: the targets where labels are missing.

It runs through ONNX Runtime, which takes a third of torch's time. This file does not know about losses or data.
"""

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from szem.models.ssd_mobilenet import CACHED_STRIDE_PX, SsdMobileNet
from szem.runtime.sessions import OnnxFile
from szem.train.export import export_onnx
from szem.train.open_sides import open_sides

__all__ = ["Teacher"]


class Teacher:
    """A detector whose first blocks are those of the network in training.

    Args:
        network: It; its scales are folded.
        threads: Of ONNX Runtime.
    """

    def __init__(self, network: SsdMobileNet, *, threads: int) -> None:
        network.fold_scales()
        example = torch.randn(2, 40, 8, 12, generator=torch.Generator().manual_seed(0))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "teacher.onnx"
            export_onnx(_FromMaps(network), file, examples=[example], inputs=["maps"], outputs=["scores"])
            open_sides(file, step_px=32 // CACHED_STRIDE_PX)
            self._file = OnnxFile(file, threads=threads)

    def __call__(self, maps: Tensor) -> Tensor:
        """(B, 40, h, w) float32 maps at stride 8 to (B, P, C) scores 0..1."""
        return torch.from_numpy(self._file.run({"maps": maps.numpy()}, ["scores"])[0])


class _FromMaps(nn.Module):
    def __init__(self, network: SsdMobileNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, maps: Tensor) -> Tensor:
        scores, _ = self.network.from_maps(maps)
        return scores.sigmoid()
