"""Write the SSD's network as ONNX, as its three makers do: sides left open, weights in float16."""

from pathlib import Path

import torch

from szem.models.ssd_mobilenet import SsdMobileNet
from szem.train.export import export_onnx
from szem.train.float16 import store_as_float16
from szem.train.open_sides import open_sides

__all__ = ["export_ssd"]


def export_ssd(net: SsdMobileNet, folder: Path) -> Path:
    """Write `model.onnx` into a folder, which is made if need be; the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.onnx"
    example = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    export_onnx(net, file, examples=[example], inputs=["picture"], outputs=["scores", "encodings"])
    open_sides(file, step_px=32)
    store_as_float16(file)
    return file
