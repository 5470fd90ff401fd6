"""Losses for labels per pixel."""

import torch
from torch import Tensor
from torch.nn import functional as F

from szem.data.pixels import IGNORED

__all__ = ["class_weights", "pixel_loss", "soft_jaccard"]


def class_weights(counts: Tensor, *, power: float) -> Tensor:
    """Weights that grow as classes get rarer: `frequency ** -power`, one on average over the pixels.

    >>> class_weights(torch.tensor([1.0, 4.0]), power=0.5).tolist()
    [1.666..., 0.833...]
    """
    fraction = counts.clamp_min(1) / counts.clamp_min(1).sum()
    weights = fraction**-power
    return weights / (weights * fraction).sum()


def soft_jaccard(scores: Tensor, labels: Tensor) -> Tensor:
    """1 − mean over the classes present of Σ p·t / Σ (p + t − p·t), p the probabilities, t the truth, over a batch.

    Args:
        scores: (B, C, H, W) before softmax.
        labels: (B, H, W) int64; `IGNORED` does not count.
    Source: M. A. Rahman, Y. Wang, Optimizing Intersection-Over-Union in Deep Neural Networks, 2016, equation 3.

    >>> labels = torch.tensor([[[0, 1]]])
    >>> round(float(soft_jaccard(20 * F.one_hot(labels, 2).permute(0, 3, 1, 2).float(), labels)), 4)
    0.0
    """
    counted = labels != IGNORED
    probabilities = scores.softmax(1).permute(0, 2, 3, 1)[counted].float()  # (n, C)
    truth = labels[counted]
    both = torch.zeros(scores.shape[1], device=scores.device).index_add(
        0, truth, probabilities.gather(1, truth[:, None])[:, 0]
    )
    counts = torch.bincount(truth, minlength=scores.shape[1]).to(probabilities.dtype)
    present = counts > 0
    return 1 - (both / (probabilities.sum(0) + counts - both).clamp_min(1e-6))[present].mean()


def pixel_loss(scores: Tensor, labels: Tensor, *, weights: Tensor | None = None, jaccard: float = 0.5) -> Tensor:
    """Cross-entropy per pixel with class weights, plus `jaccard` times the soft Jaccard loss.

    Args:
        scores: (B, C, H, W) before softmax.
        labels: (B, H, W) int64; `IGNORED` does not count.
        weights: (C,) or None.
        jaccard: Fraction of the region loss.
    """
    entropy = F.cross_entropy(scores, labels, weight=weights, ignore_index=IGNORED)
    return entropy + jaccard * soft_jaccard(scores, labels) if jaccard else entropy
