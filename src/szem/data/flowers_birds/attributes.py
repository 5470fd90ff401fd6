"""What is known of a photograph of a flower or a bird, before it is put into words."""

from dataclasses import dataclass

__all__ = ["Attributes"]


@dataclass(frozen=True)
class Attributes:
    """Colours by part; an empty word where nothing sure can be said."""

    subject: str  # flower or bird
    kind: str  # its name, from the data set
    main: str  # of the petals, or of the bird
    tone: str = ""  # light or dark; cream, of white
    second: str = ""  # a second colour of the petals, or of the bird
    centre: str = ""  # of the flower's middle, or of the bird's lower parts, where it is not the main one
    rim: str = ""  # of the petals' outer parts, or of the bird's upper parts, where it is not the main one
    ground: str = ""  # green, dark, blue, light …
    confidence: float = 1.0  # fraction of the petals, or of the bird, that has the main colour
