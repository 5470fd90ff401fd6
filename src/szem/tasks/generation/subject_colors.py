"""What colours a flower, or a bird, has on a photograph, and where: found by cutting it out and naming its pixels.

The cut-out is that of the network for outlines and of what catches the eye, made sharp by GrabCut. Names are the
plain words of a sentence, not shades. What is not sure is not said. This file does not know how sentences are worded.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8, check_picture
from szem.data.flowers_birds.attributes import Attributes
from szem.data.flowers_birds.bird_facts import BIRD_KINDS
from szem.media.oklab import rgb_to_oklab
from szem.runtime.sessions import Session
from szem.tasks.appearance.color_names import COLOR_NAMES, nearest_name
from szem.tasks.appearance.saliency import salience_map
from szem.tasks.segmentation.instance_masks import iter_probabilities

__all__ = ["PLAIN", "cut_out", "see_bird", "see_flower"]

PLAIN = ("white", "yellow", "orange", "red", "pink", "purple", "blue", "green", "brown", "black", "grey")
"""The words for colours."""

# Plain word -> the names of `COLOR_NAMES` it covers, on a bird and on all else.
_COVERS: dict[str, str] = {
    "white": "white, off white, light grey, silver, cream, pale blue",
    "yellow": "yellow, pale yellow, gold, mustard, lime, ochre",
    "orange": "orange, orange red, peach, coral",
    "red": "red, dark red, maroon, brick, burgundy",
    "pink": "pink, hot pink, rose, dusty rose, magenta, salmon",
    "purple": "purple, violet, lavender, indigo, mauve, plum, dark purple",
    "blue": "blue, deep blue, navy, midnight, sky blue, steel blue, dusk blue, turquoise, cyan, teal, blue grey",
    "green": "green, dark green, bright green, light green, pale green, sage, moss, mint, emerald, olive, khaki, "
    "dark olive, dark teal",
    "brown": "brown, dark brown, light brown, chestnut, copper, rust, tan, sand, beige, taupe, espresso",
    "black": "black, near black, charcoal",
    "grey": "grey, dark grey, mid grey, slate, dark slate",
}
_SHADE = frozenset({"black", "grey", "green", "brown"})  # on petals rather shade, leaves and stems than petals
# Colours of leaves, water and sky, dropped from a bird's cut-out where its kind cannot have them.
_OUTSIDE = (
    "green", "dark green", "bright green", "light green", "pale green", "mint", "emerald", "blue", "deep blue",
    "sky blue", "pale blue", "steel blue", "dusk blue", "turquoise", "cyan", "teal",
)  # fmt: skip
_MINIMUM = 0.22  # fraction of the pixels below which a second colour is not reported
_CUT_SIDE = 72  # longest side of what is cut out
_CELL = 8  # width of a cell of the table of names


@dataclass(frozen=True, eq=False)
class _Fractions:
    """How often each plain colour comes in a part of a picture."""

    counts: NDArray[np.float64]  # as `PLAIN`

    def best(self, *, without: frozenset[str] = frozenset()) -> tuple[str, float, str, float]:
        """The most and the second most frequent, each with its share."""
        counts = np.where([word in without for word in PLAIN], 0, self.counts)
        total = float(counts.sum())
        if total < 1:
            return "", 0.0, "", 0.0
        first, second = np.argsort(-counts, kind="stable")[:2]
        return PLAIN[first], float(counts[first]) / total, PLAIN[second], float(counts[second]) / total


def cut_out(session: Session, picture: Picture8) -> NDArray[np.bool_]:
    """The pixels of the thing a picture shows large: (H, W).

    Args:
        session: A model for `outline`.
        picture: (H, W, 3) uint8 RGB, of any size.
    """
    height, width = check_picture(picture).shape[:2]
    shrink = _CUT_SIDE / max(height, width)
    if shrink < 1:
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        small = cut_out(session, np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8))
        soft = cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(soft > 0.5, np.bool_) if (soft > 0.5).any() else np.ones((height, width), bool)
    margin = 0.045 * np.array([width, height, -width, -height])
    box = (np.array([0, 0, width, height]) + margin).astype(np.float32)
    found = next(iter_probabilities(session, picture, box[None]))
    probability = np.zeros((height, width), np.float32)
    if found is not None:
        probability[found.rows, found.columns] = found.probability
    catching = np.asarray(cv2.resize(salience_map(picture), (width, height)), np.float32)
    prior = 0.6 * probability + 0.4 * catching
    labels = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    labels[prior > 0.5] = cv2.GC_PR_FGD
    labels[prior < 0.08] = cv2.GC_BGD
    labels[prior > 0.85] = cv2.GC_FGD
    if np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).mean() < 0.02:  # nothing stands out: the middle
        labels[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = cv2.GC_PR_FGD
    cv2.setRNGSeed(0)
    colors = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    try:
        cv2.grabCut(colors, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    except cv2.error:  # one kind of pixels only
        return probability > 0.5 if (probability > 0.5).any() else np.ones((height, width), bool)
    cut: NDArray[np.bool_] = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    rough = probability > 0.5
    # where it took a part for the whole, what the network found is nearer to the truth
    if cut.sum() < 0.4 * rough.sum() or cut.mean() < 0.03:
        cut = rough if rough.any() else np.ones((height, width), bool)
    return cut


def see_flower(session: Session, picture: Picture8, *, kind: str = "") -> Attributes:
    """Name the colours of a flower's petals, its centre, its rim and its ground.

    Args:
        session: A model for `outline`.
        picture: (H, W, 3) uint8 RGB.
        kind: Passed on.
    """
    cut = cut_out(session, picture)
    names = _names_of(picture)  # (H, W), places in PLAIN
    petals = _fractions(names, cut)
    main, fraction, second, second_fraction = petals.best(without=_SHADE)
    if fraction == 0 or petals.counts[PLAIN.index("green")] > 0.75 * petals.counts.sum():
        main, fraction, second, second_fraction = petals.best()
    middle, rim = _middle_and_rim(cut)
    centre = _centre(_fractions(names, middle), _fractions(names, cut & ~middle), main)
    edge, edge_fraction, _, _ = _fractions(names, rim).best(without=_SHADE)
    return Attributes(
        subject="flower",
        kind=kind,
        main=main,
        tone=_tone(picture, names, cut, main),
        second=second if second_fraction >= _MINIMUM else "",
        centre=centre,
        rim=edge if edge_fraction >= 0.55 and edge != main else "",
        ground=_ground(picture, names, cut),
        confidence=fraction,
    )


def see_bird(session: Session, picture: Picture8, *, kind: str = "") -> Attributes:
    """Name the colours of a bird, above and below: of those its kind can have, where that is known.

    Args and returns are those of `see_flower`; `centre` is the colour of the lower third, its belly, `rim` that of
    the upper third, its crown or back, each where it is not the main one.
    """
    cut = cut_out(session, picture)
    names = _names_of(picture)
    about = BIRD_KINDS.get(kind)
    ground = _ground(picture, names, cut)
    if about is not None:
        names, cut = _possible(picture, cut, about.colors)
    main, fraction, second, second_fraction = _fractions(names, cut).best()
    rows = np.flatnonzero(cut.any(axis=1))
    third = max(1, (int(rows[-1]) - int(rows[0]) + 1) // 3) if len(rows) else 1
    upper, lower = cut.copy(), cut.copy()
    if len(rows):
        upper[rows[0] + third :] = False
        lower[: rows[-1] + 1 - third] = False
    top, top_fraction, _, _ = _fractions(names, upper).best()
    belly, belly_fraction, _, _ = _fractions(names, lower).best()
    return Attributes(
        subject="bird",
        kind=kind,
        main=main,
        tone="",
        second=second if second_fraction >= 0.16 else "",
        centre=belly if belly_fraction >= 0.55 and belly != main else "",
        rim=top if top_fraction >= 0.55 and top != main else "",
        ground=ground,
        confidence=fraction,
    )


def _possible(
    picture: Picture8, cut: NDArray[np.bool_], colors: tuple[str, ...]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Pixels named by the colours that are possible; leaves and sky that were cut out with the bird are dropped."""
    fine = _indices(picture, _fine_table())
    outside = [list(COLOR_NAMES).index(name) for name in _OUTSIDE if _plain()[name] not in colors]
    kept = cut & ~np.isin(fine, outside)
    if kept.sum() < 0.1 * cut.sum():
        kept = cut
    return _indices(picture, _possible_table(colors)), kept


def _names_of(picture: Picture8) -> NDArray[np.uint8]:
    return _indices(picture, _table())


def _indices(picture: Picture8, table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # a little smoothing: single pixels of a compressed picture have colours nobody sees
    smooth = cv2.GaussianBlur(picture, (0, 0), 0.8)
    r, g, b = np.moveaxis(smooth // _CELL, 2, 0).astype(np.intp)
    return table[r, g, b]


@lru_cache(maxsize=1)
def _plain() -> dict[str, str]:
    """Name of a colour -> plain word."""
    plain = {name: word for word, names in _COVERS.items() for name in names.split(", ")}
    assert plain.keys() == COLOR_NAMES.keys(), plain.keys() ^ COLOR_NAMES.keys()
    return plain


@lru_cache(maxsize=1)
def _fine_table() -> NDArray[np.uint8]:
    """The place in `COLOR_NAMES` for each cell of RGB."""
    return _nearest(list(COLOR_NAMES))


@lru_cache(maxsize=1)
def _table() -> NDArray[np.uint8]:
    """The place in `PLAIN` for each cell of RGB."""
    return np.array([PLAIN.index(_plain()[name]) for name in COLOR_NAMES], np.uint8)[_fine_table()]


@lru_cache(maxsize=64)
def _possible_table(colors: tuple[str, ...]) -> NDArray[np.uint8]:
    """As `_table`, with some plain words only."""
    names = [name for name in COLOR_NAMES if _plain()[name] in colors]
    return np.array([PLAIN.index(_plain()[name]) for name in names], np.uint8)[_nearest(names)]


def _nearest(names: list[str]) -> NDArray[np.uint8]:
    """Which of some names of colours is nearest, for each cell of RGB."""
    steps = np.arange(_CELL // 2, 256, _CELL, dtype=np.uint8)
    cells = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    return nearest_name(cells, names).astype(np.uint8)


def _fractions(names: NDArray[np.uint8], where: NDArray[np.bool_]) -> _Fractions:
    return _Fractions(np.bincount(names[where], minlength=len(PLAIN)).astype(np.float64))


def _centre(middle: _Fractions, petals: _Fractions, main: str) -> str:
    """The colour that fills the middle, or that comes there much more often than elsewhere."""
    word, fraction, _, _ = middle.best(without=frozenset({"grey"}))
    if fraction >= 0.45 and word != main:
        return word
    here = middle.counts / max(1.0, float(middle.counts.sum()))
    there = petals.counts / max(1.0, float(petals.counts.sum()))
    is_named = np.array([word not in ("grey", main) for word in PLAIN])
    lift = np.where(is_named & (here >= 0.25) & (here > 2.5 * there), here, 0)
    return PLAIN[int(lift.argmax())] if lift.any() else ""


def _middle_and_rim(cut: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """A disc round the middle of the largest piece, and the outermost fifth of the piece."""
    count, pieces, stats, middles = cv2.connectedComponentsWithStats(cut.astype(np.uint8))
    if count < 2:
        return cut, cut
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    piece = pieces == best
    area = float(stats[best, cv2.CC_STAT_AREA])
    x, y = middles[best]
    rows, cols = np.indices(cut.shape)
    disc = (cols - x) ** 2 + (rows - y) ** 2 <= 0.03 * area
    depth = cv2.distanceTransform(np.pad(piece, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    inside = depth[piece]
    # the two outermost pixels are mixed with the ground
    ring = piece & (depth > 2) & (depth <= max(3.0, float(np.quantile(inside, 0.35))))
    return disc & piece, ring if ring.any() else piece


def _tone(picture: Picture8, names: NDArray[np.uint8], cut: NDArray[np.bool_], main: str) -> str:
    where = cut & (names == PLAIN.index(main))
    if main == "white" and where.any():
        return "cream" if float(np.median(rgb_to_oklab(picture[where])[:, 2])) > 0.035 else ""
    if main not in ("red", "pink", "purple", "blue", "yellow"):
        return ""
    light = float(np.median(rgb_to_oklab(picture[where])[:, 0])) if where.any() else 0.6
    low, high = {"red": (0.42, 0.9), "yellow": (0.0, 0.92), "blue": (0.45, 0.68)}.get(main, (0.45, 0.78))
    return "light" if light > high else "dark" if light < low else ""


def _ground(picture: Picture8, names: NDArray[np.uint8], cut: NDArray[np.bool_]) -> str:
    """green, dark, blue, brown, light or nothing."""
    if cut.mean() > 0.8:
        return ""
    away = ~cut
    light = float(np.median(rgb_to_oklab(picture[away])[:, 0]))
    if light < 0.3:
        return "dark"
    word, fraction, _, _ = _fractions(names, away).best()
    if fraction < 0.5:
        return ""
    return {"white": "light", "grey": "grey", "black": "dark"}.get(word, word)
