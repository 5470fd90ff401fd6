"""Numbers that say how good drawings are: Fréchet distance, inception score, R-precision, diversity. Numpy only.

They are taken on features, probabilities and places that others computed; this file knows no pictures and no
networks.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from szem.arrays import Array
from szem.errors import ShapeError

__all__ = ["diversity", "frechet_distance", "inception_score", "r_precision"]


def frechet_distance(a: Array, b: Array) -> float:
    """How far two sets of features (N, D) and (M, D) are apart, as if both were normal: 0 for the same.

    Source: D. C. Dowson, B. V. Landau, The Fréchet distance between multivariate normal distributions, 1982; as FID
        M. Heusel et al., 2017, arXiv:1706.08500, equation 6.
    Raises:
        ShapeError: not two such sets, or fewer than two in one.

    >>> rng = np.random.default_rng(0)
    >>> a = rng.standard_normal((4000, 3))
    >>> round(frechet_distance(a, a + 2), 2), round(frechet_distance(a, 3 * (a - a.mean(0)) + a.mean(0)), 1)
    (12.0, 12.0)
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ShapeError(f"two sets (N, D) of two or more are needed, got {a.shape} and {b.shape}")
    a, b = a.astype(np.float64), b.astype(np.float64)
    apart = a.mean(axis=0) - b.mean(axis=0)
    # tr sqrt(Ca Cb) is the sum of the singular values of the product of their square roots: with N rows each, a
    # centred set divided by sqrt(N - 1) is such a root
    left, right = (_root((x - x.mean(axis=0)) / np.sqrt(len(x) - 1)) for x in (a, b))
    shared = scipy.linalg.svdvals(left @ right.T).sum()
    spread = (left * left).sum() + (right * right).sum()
    return float(max(0.0, apart @ apart + spread - 2 * shared))


def _root(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same root with no more rows than columns."""
    rows, columns = centred.shape
    return np.asarray(np.linalg.qr(centred, mode="r")) if rows > columns else centred


def inception_score(probabilities: Array, *, parts: int = 10) -> tuple[float, float]:
    """exp of the mean divergence of a picture's classes from all pictures': mean and deviation over parts.

    Args:
        probabilities: (N, classes), each row adds up to 1, in an order by chance.
        parts: In how many the set is cut.
    Source: T. Salimans et al., Improved Techniques for Training GANs, 2016, arXiv:1606.03498, section 4.

    >>> inception_score(np.tile(np.eye(4), (10, 1)), parts=5)
    (4.0, 0.0)
    """
    if probabilities.ndim != 2 or len(probabilities) < parts:
        raise ShapeError(f"probabilities must be (N, classes) with N at least {parts}, got {probabilities.shape}")
    scores = []
    for part in np.array_split(probabilities.astype(np.float64), parts):
        mean = part.mean(axis=0, keepdims=True)
        terms = part * (np.log(np.maximum(part, 1e-12)) - np.log(np.maximum(mean, 1e-12)))
        scores.append(np.exp(terms.sum(axis=1).mean()))
    return round(float(np.mean(scores)), 10), round(float(np.std(scores)), 10)


def r_precision(
    pictures: NDArray[np.float32], sentences: NDArray[np.float32], *, among: int = 100, seed: int = 0
) -> float:
    """Fraction of pictures whose own sentence is the nearest among some, the others drawn by chance.

    Args:
        pictures: (N, D), of length 1.
        sentences: (N, D), of length 1, in the same order.
        among: How many sentences, the own one included; at most N.
        seed: Of the others.
    Source: T. Xu et al., AttnGAN, 2018, arXiv:1711.10485, section 4.1, with R = 1.

    >>> eye = np.eye(6, dtype=np.float32)
    >>> r_precision(eye, eye, among=4), r_precision(eye, np.roll(eye, 1, axis=0), among=6)
    (1.0, 0.0)
    """
    if pictures.shape != sentences.shape or pictures.ndim != 2 or not 1 < among <= len(pictures):
        raise ShapeError(f"needs two of (N, D) with N of {among} at least, got {pictures.shape}, {sentences.shape}")
    rng = np.random.default_rng(seed)
    fit = pictures @ sentences.T
    right = 0
    for index, row in enumerate(fit):
        others = rng.choice(len(fit) - 1, among - 1, replace=False)
        others = others + (others >= index)
        right += bool(row[index] > row[others].max())
    return right / len(fit)


def diversity(features: Array, groups: Array) -> float:
    """Mean distance (1 - cosine) between two features of the same group, over all groups.

    Args:
        features: (N, D).
        groups: (N,): which sentence each was drawn for.

    >>> diversity(np.array([[1.0, 0], [0, 1], [1, 0], [1, 0]]), np.array([0, 0, 1, 1]))
    0.5
    """
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    apart = []
    for group in np.unique(groups):
        inside = unit[groups == group]
        if len(inside) > 1:
            fit = inside @ inside.T
            apart.append(1 - (fit.sum() - np.trace(fit)) / (len(inside) * (len(inside) - 1)))
    return float(np.mean(apart)) if apart else 0.0
