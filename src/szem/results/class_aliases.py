"""PASCAL VOC's names of classes that COCO calls otherwise."""

__all__ = ["CLASS_ALIASES", "coco_name"]

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
