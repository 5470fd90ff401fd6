"""AudioSet's 521 classes as kinds of events that rules are written for.

Places are those of YAMNet's class map. Classes that say where a sound is heard ("Inside, small room") or what a
recording is like ("Noise", "Silence") belong to no group: they are reported only where they are asked for by name.
"""

from collections.abc import Sequence
from itertools import chain

__all__ = ["GROUPS", "SUSTAINED_S", "may_be_heard", "name_groups"]

Places = tuple[int | tuple[int, int], ...]  # single classes, and the first and last of a row of them

GROUPS: dict[str, Places] = {
    # people
    "speech": (0, 2, 3, 5, 12), "children playing": (1, 4, 10, 66), "shout": ((6, 9),), "scream": (11,),
    "laughter": ((13, 18),), "crying": (19, 21, 22), "baby cry": (20,), "singing": ((24, 32),), "snoring": (38,),
    "cough": (42, 43), "person sneeze": (44, 45), "footsteps": (46, 48), "applause": (58, 61, 62),
    "crowd": ((63, 65),),
    # animals
    "dog bark": ((69, 75), 117), "cat": (76, 77, 78, 80), "rooster": ((93, 96),), "bird": ((106, 116),),
    "insect": ((121, 126),), "animal": (67, 68, (81, 92), (97, 105), (118, 120), (127, 129), 131),
    # music, bells
    "music": ((132, 194), (203, 276)), "bell": ((195, 202),),
    # weather, water, fire
    "wind": (277, 279), "thunder": (280, 281), "rain": ((283, 285),), "sea waves": (288, 289),
    "water": (282, 286, 287, 291, (364, 366), 368, (438, 446)), "fire crackling": (292, 293),
    # traffic and engines
    "vehicle": (294, 295, 298, 299, 300, 301, (306, 311), 315, 320, 321), "car horn": (302, 303, 312),
    "siren": ((316, 319), 390, 391), "train": ((322, 328),), "aircraft": ((329, 332), 334), "helicopter": (333,),
    "engine": (337, 338, (342, 347)), "lawn mower": (340,), "chainsaw": (341,),
    # tools and machines
    "drilling": (339, 418, 419), "jackhammer": (414,), "tool": (412, 413, (415, 417)), "air conditioner": (406, 407),
    "vacuum cleaner": (367, 371),
    # houses
    "door": (348, 351, 352), "knock": (353,), "doorbell": (349, 350), "telephone": ((383, 386),),
    "clock tick": ((400, 402),), "typing": ((378, 380),), "beep": (313, 475), "whistle": (35, 396, 397),
    # alarms
    "alarm": (304, 382, 389, (392, 394)), "gun shot": ((421, 425),), "explosion": (420, 429, 430),
    "fireworks": (426, 427), "glass": (435, 437), "crash": (463, 464),
}  # fmt: skip

# Seconds over which the score of a sound that lasts is averaged.
SUSTAINED_S: dict[str, float] = dict.fromkeys(
    ("air conditioner", "aircraft", "applause", "crowd", "drilling", "engine", "helicopter", "jackhammer",
     "lawn mower", "music", "rain", "sea waves", "siren", "train", "vacuum cleaner", "vehicle", "water", "wind"),
    3.0,
)  # fmt: skip

# What may well be heard in a clip that is labelled otherwise: no false alarm there.
_OUT_OF_DOORS = (
    *("speech", "vehicle", "engine", "wind", "bird", "footsteps", "music", "crowd", "children playing", "insect"),
)
_MAY_BE_HEARD: dict[str, tuple[str, ...]] = {
    "air conditioner": ("engine", "vacuum cleaner", "aircraft", "water", "train"),
    "baby cry": ("crying", "scream", "speech", "laughter", "shout", "animal"),
    "car horn": ("vehicle", "engine", "train", "siren", "alarm"),
    "chainsaw": ("engine", "lawn mower", "tool", "drilling", "vehicle"),
    "children playing": (
        "speech", "shout", "scream", "laughter", "crowd", "singing", "crying", "baby cry", "applause", "music",
        "whistle", "animal", "footsteps",
    ),
    "clock tick": ("knock", "tool", "typing"),
    "dog bark": ("animal",),
    "drilling": ("tool", "engine", "jackhammer", "vacuum cleaner", "chainsaw", "air conditioner", "vehicle"),
    "engine": ("vehicle", "lawn mower", "aircraft", "train", "helicopter"),
    "fire crackling": (),
    "gun shot": ("explosion", "fireworks"),
    "helicopter": ("aircraft", "engine", "vehicle"),
    "jackhammer": ("tool", "drilling", "engine", "vehicle"),
    "music": ("singing", "speech", "crowd", "applause", "bell", "whistle"),
    "person sneeze": ("cough", "speech"),
    "rain": ("water", "thunder", "wind"),
    "rooster": ("bird", "animal"),
    "sea waves": ("water", "wind", "rain"),
    "siren": ("vehicle", "car horn", "alarm", "engine", "whistle"),
}  # fmt: skip


def may_be_heard(kind: str, *, out_of_doors: bool) -> frozenset[str]:
    """The groups that are no false alarm in a clip of this kind."""
    return frozenset((kind, *_MAY_BE_HEARD[kind], *(_OUT_OF_DOORS if out_of_doors else ())))


def name_groups(classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The groups with the names of their classes."""

    def members(places: Places) -> list[int]:
        return list(chain.from_iterable([p] if isinstance(p, int) else range(p[0], p[1] + 1) for p in places))

    return {kind: tuple(classes[place] for place in members(places)) for kind, places in GROUPS.items()}
