"""Pictures with boxes, and perhaps polygons: the readers of COCO JSON, Pascal VOC XML, YOLO text and LabelMe JSON.

All of them give one `BoxSet`: classes from 0, boxes as x0, y0, x1, y1 in pixels of the upright picture.
`data.boxed_folder` finds out which of them a folder needs.
"""

from szem.data.box_set import BoxedPicture, BoxSet, Polygons
from szem.data.coco import read_coco
from szem.data.labelme import read_labelme
from szem.data.voc import read_voc
from szem.data.yolo import read_yolo, read_yolo_yaml

__all__ = [
    "BoxSet",
    "BoxedPicture",
    "Polygons",
    "read_coco",
    "read_labelme",
    "read_voc",
    "read_yolo",
    "read_yolo_yaml",
]
