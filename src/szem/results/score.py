"""One measured number."""

from dataclasses import dataclass

__all__ = ["Measured"]


@dataclass(frozen=True)
class Measured:
    """One number and how many items it was measured on."""

    metric: str
    value: float
    n: int
