"""What can happen before a camera, and the numbers that say from when on it counts.

This file does not know how any of it is found.
"""

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["KINDS", "WatchSettings"]

_DAY_S = 86_400.0

KINDS = {  # kind of event -> what it means
    "enters": "an object comes into a zone, or into sight where there are no zones",
    "leaves": "an object goes out of a zone, or out of sight",
    "crosses": "an object crosses a line",
    "loiters": "a person stays in a zone, or in sight, for a long time",
    "fast approach": "an object comes towards the camera or a zone quickly",
    "crowd": "many people at a time in a zone, or in sight",
    "left behind": "an object lies still that was not there before, and nobody is with it",
    "removed": "an object that belonged to the scene is gone",
    "camera covered": "something before the lens hides the scene",
    "camera moved": "the camera looks elsewhere",
    "camera frozen": "the same picture again and again",
    "camera dark": "too dark to see",
    "camera blurred": "out of focus",
}


class WatchSettings(BaseModel):
    """When something counts; every number may be left out."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    # Left behind, removed
    left_after_s: float = Field(default=4.0, gt=0, le=_DAY_S)  # an object has lain still for so long
    owner_away_s: float = Field(default=1.5, ge=0, le=_DAY_S)  # and whoever brought it has been away for so long
    owner_near: float = Field(default=1.0, gt=0, le=100)  # away: further than so many of the owner's heights
    absorb_after_s: float = Field(default=120.0, gt=0, le=7 * _DAY_S)  # then it belongs to the scene
    min_area_fraction: float = Field(default=0.0008, gt=0, lt=1)  # of the picture
    max_area_fraction: float = Field(default=0.12, gt=0, le=1)
    # People and things
    present_s: float = Field(default=0.4, ge=0, le=3600)  # an object is in sight for so long before it enters
    loiter_after_s: float = Field(default=20.0, gt=0, le=_DAY_S)
    crowd_people: int = Field(default=5, ge=2, le=10_000)
    crowd_after_s: float = Field(default=1.0, ge=0, le=3600)
    approach_growth: float = Field(
        default=0.5, gt=0, le=100
    )  # towards the camera: grows by this power of e each second
    approach_speed: float = Field(default=2.0, gt=0, le=1000)  # towards a zone: own heights each second
    # The camera
    camera_after_s: float = Field(default=2.0, gt=0, le=_DAY_S)  # covered, dark, blurred, moved: for so long
    frozen_after_s: float = Field(default=5.0, gt=0, le=_DAY_S)
    # Effort
    looks_hz: float = Field(default=5.0, gt=0, le=240)  # how often the detector looks while something moves
    idle_looks_hz: float = Field(default=1.0, ge=0, le=240)  # and while nothing does
    background_hz: float = Field(default=10.0, gt=0, le=240)  # how often the background is compared
    labels: tuple[str, ...] = (
        "person", "bicycle", "car", "motorcycle", "bus", "truck", "train", "dog", "cat", "horse",
    )  # fmt: skip
    score: float = Field(default=0.3, ge=0, le=1)  # events below are not reported

    @model_validator(mode="after")
    def _sizes_rise(self) -> "WatchSettings":
        if self.min_area_fraction >= self.max_area_fraction:
            raise ValueError(f"min_area_fraction ({self.min_area_fraction}) must be below max_area_fraction")
        return self
