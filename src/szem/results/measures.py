"""Numbers about how a picture was taken: sharp or not, light or dark, full of edges or empty; and words for them."""

from dataclasses import asdict, dataclass
from typing import Any

from szem.errors import RangeError, UnknownNameError

__all__ = ["EXPOSURE_WORDS", "SHARPNESS_WORDS", "Measures"]

SHARPNESS_WORDS = ("sharp", "soft", "blurred", "flat")
EXPOSURE_WORDS = ("balanced", "dark", "bright", "low contrast")


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Measured on the picture brought to one size, so pictures of all sizes can be compared."""

    word: str  # one of SHARPNESS_WORDS; "flat": nothing in it that could be sharp
    sharpness: float  # 0..1: 1 as sharp as pixels can be, 0.5 where "soft" meets "blurred"
    blur_px: float | None  # how far edges are smeared (standard deviation), at the measuring size; None when flat
    laplacian_variance: float  # of the light in 0..255: the classic measure; depends on what is shown
    tenengrad: float  # mean square of the Sobel gradient, light in 0..1; likewise
    edge_fraction: float  # 0..1: fraction of pixels that lie on an edge
    exposure: str  # one of EXPOSURE_WORDS
    brightness: float  # 0..1: mean light, as the eye sees steps
    contrast: float  # 0..1: standard deviation of the light; 0.5 is half black, half white
    clipped_dark: float  # 0..1: fraction of pixels that are black
    clipped_bright: float  # 0..1: fraction of pixels that are white

    def __post_init__(self) -> None:
        if self.word not in SHARPNESS_WORDS:
            raise UnknownNameError(f"no word {self.word!r} for sharpness; use one of {', '.join(SHARPNESS_WORDS)}")
        if self.exposure not in EXPOSURE_WORDS:
            raise UnknownNameError(f"no word {self.exposure!r} for exposure; use one of {', '.join(EXPOSURE_WORDS)}")
        for what in ("sharpness", "edge_fraction", "brightness", "contrast", "clipped_dark", "clipped_bright"):
            if not 0 <= getattr(self, what) <= 1:
                raise RangeError(f"{what} must be in 0..1, got {getattr(self, what)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and words under the names of the fields."""
        return {k: round(v, 5) if isinstance(v, float) else v for k, v in asdict(self).items()}
