"""What a detector learns: which places answer for which object, and the loss of their answers.

A place answers for an object if it lies inside and its answer already fits best, by score and by overlap; how well it
fits is the score it should give. This file does not know about networks or data.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["LossTargets", "Unlabelled", "assign", "detect_loss", "generalised_iou", "pair_ious"]

_ANSWERS = 10  # places an object
_SCORE_POWER, _OVERLAP_POWER = 0.5, 6.0  # of the fit
_BOX_WEIGHT = 2.5  # of the box loss beside the score loss
_EMPTY_WEIGHT, _FOCUS = 0.75, 2.0  # of places that hold nothing
_SOFT_COUNTED = 0.1  # scores from here on count in full where a teacher gives the targets, lower ones in proportion


@dataclass(frozen=True)
class LossTargets:
    """What each place should say."""

    scores: Tensor  # (B, P, C) 0..1, 0 where nothing is
    boxes_xyxy: Tensor  # (B, P, 4) of the object a place answers for
    answers: Tensor  # (B, P) bool: whether it answers for one
    counted: Tensor  # (B, P, C) bool: False where a score is neither a target nor punished


def pair_ious(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """Intersection over union of boxes that can be broadcast against each other: (…, 4) and (…, 4) to (…).

    >>> pair_ious(torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 0, 3, 2]))
    tensor(0.3333)
    """
    sides = (torch.minimum(a_xyxy[..., 2:], b_xyxy[..., 2:]) - torch.maximum(a_xyxy[..., :2], b_xyxy[..., :2])).clamp(
        min=0
    )
    both = sides[..., 0] * sides[..., 1]
    return both / (_area(a_xyxy) + _area(b_xyxy) - both).clamp(min=1e-6)


def generalised_iou(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """Intersection over union less the share of the hull that neither covers: (N, 4) twice to (N,), −1..1.

    Source: H. Rezatofighi et al., Generalized Intersection over Union, 2019, arXiv:1902.09630, algorithm 1.
    """
    hull = torch.maximum(a_xyxy[..., 2:], b_xyxy[..., 2:]) - torch.minimum(a_xyxy[..., :2], b_xyxy[..., :2])
    whole = (hull[..., 0] * hull[..., 1]).clamp(min=1e-6)
    iou = pair_ious(a_xyxy, b_xyxy)
    covered = (_area(a_xyxy) + _area(b_xyxy)) / (1 + iou)  # the union
    return iou - (whole - covered) / whole


@torch.no_grad()
def assign(
    scores: Tensor,
    boxes_xyxy: Tensor,
    points: Tensor,
    truth_xyxy: Tensor,
    labels: Tensor,
    is_hard: Tensor,
    *,
    reach_px: Tensor | None = None,
) -> LossTargets:
    """Let the places that fit best answer for each object.

    Args:
        scores: (B, P, C) 0..1, as the network gives them now.
        boxes_xyxy: (B, P, 4), likewise.
        points: (P, 2) middles of the places.
        truth_xyxy: (B, M, 4) objects, filled up to M.
        labels: (B, M) int64; −1 where there is none.
        is_hard: (B, M) bool: places inside are not punished for this class, nor a target.
        reach_px: (P,) a place may also answer for an object whose middle is so near in x and y; without it, only for
            what it lies inside of.
    Source: C. Feng et al., TOOD, 2021, arXiv:2108.07755, section 3.3 (task alignment).
    """
    B, P, C = scores.shape
    places = torch.arange(B, device=scores.device)[:, None]
    middle = (truth_xyxy[..., :2] + truth_xyxy[..., 2:])[:, :, None] / 2  # (B, M, 1, 2)
    half = (truth_xyxy[..., 2:] - truth_xyxy[..., :2])[:, :, None] / 2
    if reach_px is not None:
        half = torch.maximum(half, reach_px[:, None])  # (B, M, P, 2)
    there = labels >= 0
    inside = ((points - middle).abs() < half).all(-1) & there[..., None]  # (B, M, P)
    ious = pair_ious(boxes_xyxy[:, None], truth_xyxy[:, :, None])  # (B, M, P)
    given = scores.transpose(1, 2)[places, labels.clamp(min=0)]  # (B, M, P)
    fit = given.clamp(min=1e-9) ** _SCORE_POWER * ious.clamp(min=1e-4) ** _OVERLAP_POWER
    open_ = inside & ~is_hard[..., None]
    fit = fit.masked_fill(~open_, 0)
    best = fit.topk(min(_ANSWERS, P), dim=2)
    chosen = torch.zeros_like(open_).scatter(2, best.indices, best.values > 0)
    # a place answers for one object: the one it overlaps most
    rivals = ious.masked_fill(~chosen, -1)
    owner = rivals.argmax(1)  # (B, P)
    answers = rivals.amax(1) >= 0
    chosen &= torch.arange(truth_xyxy.shape[1], device=scores.device)[:, None] == owner[:, None]
    fit = fit.masked_fill(~chosen, 0)
    top_fit = fit.amax(2, keepdim=True).clamp(min=1e-12)
    top_iou = ious.masked_fill(~chosen, 0).amax(2, keepdim=True)
    wanted = (fit / top_fit * top_iou).amax(1)  # (B, P)
    which = labels.gather(1, owner).clamp(min=0)
    targets = torch.zeros_like(scores).scatter(2, which[..., None], (wanted * answers)[..., None])
    blurred = (inside & is_hard[..., None]).float()  # (B, M, P)
    one_hot = F.one_hot(labels.clamp(min=0), C).to(blurred.dtype)  # (B, M, C)
    counted = torch.einsum("bmp,bmc->bpc", blurred, one_hot) == 0
    return LossTargets(
        targets, truth_xyxy.gather(1, owner[..., None].expand(-1, -1, 4)), answers, counted | (targets > 0)
    )


@dataclass(frozen=True)
class Unlabelled:
    """Where labels are missing, and what another network says there."""

    is_complete: Tensor  # (B, P, C) bool: whether an object of this class would have a label there
    scores: Tensor | None = None  # (B, P, C) 0..1 of a teacher; None: what is not complete is no target


def detect_loss(
    raw_scores: Tensor,
    boxes_xyxy: Tensor,
    points: Tensor,
    truth_xyxy: Tensor,
    labels: Tensor,
    is_hard: Tensor,
    *,
    reach_px: Tensor | None = None,
    unlabelled: Unlabelled | None = None,
) -> Tensor:
    """Varifocal loss of the scores plus generalised-IoU loss of the boxes, per object answered for.

    Args:
        raw_scores: (B, P, C) before the sigmoid.
        boxes_xyxy: (B, P, 4) in pixels.
        points: (P, 2).
        truth_xyxy: (B, M, 4).
        labels: (B, M) int64, −1 where there is none.
        is_hard: (B, M) bool.
        reach_px: As of `assign`.
        unlabelled: Classes without labels somewhere; there the teacher's scores are the target, which count in
            proportion to the higher of both scores, so that the many empty places do not drown the rest.
    Source: H. Zhang et al., VarifocalNet, 2021, arXiv:2008.13367, equation 2.
    """
    probabilities = raw_scores.detach().sigmoid()
    targets = assign(probabilities, boxes_xyxy.detach(), points, truth_xyxy, labels, is_hard, reach_px=reach_px)
    wanted = targets.scores
    weight = torch.where(wanted > 0, wanted, _EMPTY_WEIGHT * probabilities**_FOCUS)
    soft_total = raw_scores.new_tensor(0.0)
    if unlabelled is not None:
        open_ = ~unlabelled.is_complete & (wanted == 0)
        if unlabelled.scores is None:
            weight = weight.masked_fill(open_, 0)
        else:
            wanted = torch.where(open_, unlabelled.scores, wanted)
            top = torch.maximum(unlabelled.scores, probabilities)
            weight = torch.where(open_, (top / _SOFT_COUNTED).clamp(max=1), weight)
            soft_total = (unlabelled.scores * (open_ & (unlabelled.scores > _SOFT_COUNTED))).sum()
    weight = weight * targets.counted
    naming = F.binary_cross_entropy_with_logits(raw_scores, wanted, weight=weight, reduction="sum")
    strength = targets.scores.sum(2)[targets.answers]
    fits = generalised_iou(boxes_xyxy[targets.answers], targets.boxes_xyxy[targets.answers])
    measuring = _BOX_WEIGHT * ((1 - fits) * strength).sum()
    return (naming + measuring) / (strength.sum() + soft_total).clamp(min=1)


def _area(boxes_xyxy: Tensor) -> Tensor:
    sides = boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]
    return sides[..., 0] * sides[..., 1]
