"""Messages that both dialects take: Google's under `/v1` and szem's own under `/v1/szem`."""

from dataclasses import dataclass

__all__ = ["Image", "ImageSource"]


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """Where a picture lies; `image_uri` comes before `gcs_image_uri`."""

    gcs_image_uri: str = ""
    image_uri: str = ""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture; `content` comes before `source`."""

    content: bytes = b""
    source: ImageSource | None = None
