"""One measured number."""

from dataclasses import dataclass

__all__ = ["Measurement"]


@dataclass(frozen=True)
class Measurement:
    """One number and how many items it was measured on."""

    metric: str
    value: float
    n: int
