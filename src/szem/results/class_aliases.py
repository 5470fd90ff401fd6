"""PASCAL VOC's names of classes that COCO calls otherwise."""

from collections.abc import Collection

__all__ = ["CLASS_ALIASES", "aliases_of", "coco_name"]

CLASS_ALIASES = {
    "aeroplane": "airplane",
    "motorbike": "motorcycle",
    "sofa": "couch",
    "diningtable": "dining table",
    "pottedplant": "potted plant",
    "tvmonitor": "tv",
}
"""VOC's name -> COCO's."""


def coco_name(name: str) -> str:
    """What COCO calls a class; a name that stands for no class of PASCAL VOC stays as it is.

    >>> coco_name("sofa"), coco_name("cat")
    ('couch', 'cat')
    """
    return CLASS_ALIASES.get(name, name)


def aliases_of(classes: Collection[str]) -> dict[str, str]:
    """Which other names stand for some of these classes: VOC's name -> COCO's.

    >>> aliases_of(("person", "tv"))
    {'tvmonitor': 'tv'}
    """
    return {other: name for other, name in CLASS_ALIASES.items() if name in classes and other not in classes}
