"""Short codes of pictures for what their sentences do not say: shape, pose, light.

A code is what is left of a picture's features when the part that a sentence foretells is taken out, in the directions
in which pictures differ most, each scaled to unit size. So codes are spread about as normal chance is: what learns to
draw from sentences and codes can be given sentences and chance. This file does not know networks.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from szem.arrays import Array

__all__ = ["find_codes"]

_RIDGE = 10.0
_MOST = 3.0  # codes are cut off here


def find_codes(features: Array, stored: Array, *, width: int, seed: int = 0) -> NDArray[np.float32]:
    """Codes for pictures.

    Args:
        features: (N, V, D): of each picture in some views.
        stored: (N, S): places of sentences of the pictures.
        width: Length of a code, less than N.
        seed: Of the search for directions.
    Returns:
        (N, V, width): mean 0 and size 1 over the pictures, not to be foretold from `stored` by a linear map.
    Source: the part that an instance adds to its condition: A. Casanova et al., Instance-Conditioned GAN, 2021,
        arXiv:2109.05070; directions by N. Halko et al., Finding Structure with Randomness, 2011.

    >>> rng = np.random.default_rng(0)
    >>> stored, free = rng.standard_normal((200, 3)), rng.standard_normal((200, 2))
    >>> codes = find_codes(np.concatenate((stored, free), axis=1)[:, None], stored, width=2)
    >>> round(float(np.abs(codes[:, 0].T @ stored).max() / 200), 1), round(float(codes.std()), 1)
    (0.0, 1.0)
    """
    count, views, _ = features.shape
    known = torch.from_numpy(np.asarray(stored, np.float32))
    known = torch.cat((known - known.mean(0), torch.ones(count, 1)), dim=1)  # (N, S + 1)
    mean = torch.from_numpy(features.astype(np.float32).mean(axis=1))  # (N, D)
    gram = known.T @ known + _RIDGE / count * torch.eye(known.shape[1])
    way = torch.linalg.solve(gram, known.T @ mean)  # (S + 1, D)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _, _, directions = torch.svd_lowrank(mean - known @ way, q=width, niter=3)  # (D, width)
    foretold = known @ (way @ directions)  # (N, width)
    codes = torch.stack(
        [torch.from_numpy(features[:, v].astype(np.float32)) @ directions - foretold for v in range(views)], dim=1
    )
    flat = codes.reshape(-1, width)
    codes = (codes - flat.mean(0)) / flat.std(0).clamp_min(1e-6)
    return np.asarray(codes.clamp(-_MOST, _MOST).numpy(), np.float32)
