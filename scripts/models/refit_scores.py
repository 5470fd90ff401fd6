"""Let the score heads of a fine-tuned SSD say of some classes again what the network said before.

Fine-tuning with labels of 20 classes makes a detector forget some of the other 60: their heads no longer fit the
features. The heads end in a linear map; so the map that gives the earlier logits from the new features is a weighted
least-squares problem with one solution, and needs no labels. Cells where the earlier network is undecided weigh most,
as the logistic loss would have it. On drawn pictures that hold no object (`ssd_drawings`) the classes are to be
absent, whatever the earlier network says: it takes coins for clocks. Used by `blend_detector --refit`.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from szem.arrays import Picture8
from szem.data.boxes import BoxedPicture
from szem.media.pictures import read_picture
from szem.models.ssd_mobilenet import ANCHORS, SsdMobileNet
from szem.train.detection.augment import picture_to_input

__all__ = ["refit_scores", "solve_rows"]

_FLOOR = 1e-3  # weight of a cell where the earlier network is decided
_ABSENT = -5.0  # logit at most, on a picture that holds no object
_RIDGE = 3e-3  # of the mean square of the features: how much the rows are held where they are


@torch.no_grad()
def refit_scores(
    net: SsdMobileNet,
    before: SsdMobileNet,
    pictures: Sequence[BoxedPicture],
    places: Sequence[int],
    *,
    side_px: int,
    empty: Sequence[Picture8] = (),
) -> None:
    """Change the rows of some classes in place.

    Args:
        net: Whose heads are changed; its scales are folded.
        before: What says how the classes were scored; likewise.
        pictures: Stretched to the network's input; those the network learned from.
        places: Of the classes.
        side_px: Of the square input.
        empty: Pictures (H, W, 3) that hold no object.
    """
    seen: list[Tensor] = []
    hooks = [
        head.depthwise.register_forward_hook(lambda _module, _given, out: seen.append(F.relu6(out)))  # type: ignore[union-attr, operator]
        for head in net.naming
    ]
    chosen = torch.tensor(list(places))
    grams: list[NDArray[np.float64]] = []
    sides: list[NDArray[np.float64]] = []
    for number in range(len(pictures) + len(empty)):
        is_empty = number >= len(pictures)
        picture = empty[number - len(pictures)] if is_empty else read_picture(pictures[number].path)
        square = np.asarray(cv2.resize(picture, (side_px, side_px)), np.uint8)
        x = torch.from_numpy(picture_to_input(square))
        seen.clear()
        now, wanted, start = net.forward_raw(x)[0][0], before.forward_raw(x)[0][0], 0
        for level, (maps, anchors) in enumerate(zip(seen, ANCHORS, strict=True)):
            cells = maps.shape[2] * maps.shape[3]
            part = slice(start, start + cells * anchors)
            start += cells * anchors
            logits = wanted[part].view(cells, anchors, -1)[..., chosen]
            chance = logits.sigmoid()
            if is_empty:
                logits = logits.clamp(max=_ABSENT)
            missing = (logits - now[part].view(cells, anchors, -1)[..., chosen]).reshape(cells, -1)
            weight = (chance * (1 - chance)).reshape(cells, -1).amax(1) + _FLOOR
            features = torch.cat([maps[0].flatten(1).T, torch.ones(cells, 1)], 1)
            weighted = (features * weight[:, None]).T
            gram, side = (weighted @ features).double().numpy(), (weighted @ missing).double().numpy()
            if len(grams) <= level:
                grams.append(gram)
                sides.append(side)
            else:
                grams[level] += gram
                sides[level] += side
    for hook in hooks:
        hook.remove()
    for head, anchors, gram, side in zip(net.naming, ANCHORS, grams, sides, strict=True):
        change = torch.from_numpy(solve_rows(gram, side).T.reshape(anchors, len(places), -1)).float()
        out = head.out
        assert isinstance(out, nn.Conv2d)
        assert out.bias is not None
        out.weight.view(anchors, net.classes, -1)[:, chosen] += change[..., :-1]
        out.bias.view(anchors, net.classes)[:, chosen] += change[..., -1]


def solve_rows(gram: NDArray[np.float64], side: NDArray[np.float64], *, ridge: float = _RIDGE) -> NDArray[np.float64]:
    """The change of the weights, (C + 1, outputs), that least squares asks for, held back by a ridge.

    >>> solve_rows(np.diag([4.0, 4.0]), np.array([[4.0], [0.0]]), ridge=0).ravel().tolist()
    [1.0, 0.0]
    """
    held = ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
    return np.linalg.solve(gram + held, side)
