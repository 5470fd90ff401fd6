"""What an ONNX file gives."""

from dataclasses import dataclass

__all__ = ["Output"]


@dataclass(frozen=True)
class Output:
    """An output of an ONNX file: its name and its shape, None where a side is open."""

    name: str
    shape: tuple[int | None, ...]
    is_integer: bool = False  # holds whole numbers: classes, counts
