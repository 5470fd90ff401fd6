"""Give the feature maps of shipped networks names on their cards, for the search that reads them.

Command:  python -m scripts.models.open_features

A tensor that the network computes anyway becomes an output of its ONNX file; checksum and size on the card follow.
"""

from pathlib import Path

import onnx

from szem.runtime.cards import hash_file, read_card, write_card
from szem.runtime.store import shipped_folder

__all__ = ["open_features"]

# Model -> role -> (tensor, shape)
FEATURES: dict[str, dict[str, tuple[str, tuple[str | int, ...]]]] = {
    "caption": {
        "maps": ("hardtanh_42_DequantizeLinear_Output", ("N", 1280, 9, 9)),
        "places": ("layer_norm_1", ("N", 81, 256)),
    },
    "efficientnet-lite0": {"features": ("mean", ("N", 1280))},
}


def open_features(folder: Path) -> None:
    """Add the outputs to the models of a folder; those that are there stay."""
    for name, roles in FEATURES.items():
        card = read_card(folder / name)
        file = folder / name / card.file
        model = onnx.load(file)
        there = {output.name for output in model.graph.output}
        for tensor, shape in roles.values():
            if tensor not in there:
                info = onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, shape)
                model.graph.output.append(info)
        onnx.save(model, file)
        outputs = {**card.outputs, **{role: tensor for role, (tensor, _) in roles.items()}}
        changes = {"outputs": outputs, "sha256": hash_file(file), "size_bytes": file.stat().st_size}
        write_card(folder / name, card.model_copy(update=changes))


if __name__ == "__main__":
    open_features(shipped_folder())
