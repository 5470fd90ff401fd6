"""The kinds of events a listener reports, made of its network's labels.

A network of hundreds of labels (521 of AudioSet) is too fine to write rules for: "Police car (siren)", "Ambulance
(siren)" and "Siren" are all a siren. A card's `groups` say which labels make up which kind; the best label of a group
is its score. A label that is no group's name remains a kind of its own, reported only where it is asked for.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from szem.errors import CardError

__all__ = ["EventKinds", "same_kind"]


class EventKinds:
    """Groups first, then the labels that can be asked for by name.

    Args:
        labels: Of the network, in the order of its scores.
        groups: Kind -> labels; empty where each label is a kind.
    Raises:
        CardError: a group is empty, or names a label that the network does not have.

    >>> kinds = EventKinds(("Siren", "Ambulance (siren)", "Bark"), {"siren": ("Siren", "Ambulance (siren)")})
    >>> kinds.names, kinds.grouped
    (('siren', 'Ambulance (siren)', 'Bark'), 1)
    >>> scores, best = kinds.of(np.array([[0.1, 0.7, 0.2]], np.float32))
    >>> scores.tolist()[0] == [np.float32(0.7), np.float32(0.7), np.float32(0.2)], kinds.label(best[0, 0])
    (True, 'Ambulance (siren)')
    """

    def __init__(self, labels: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None:
        self._labels = tuple(labels)
        place = {name: i for i, name in enumerate(labels)}
        for name, members in groups.items():
            unknown = [member for member in members if member not in place]
            if unknown or not members:
                raise CardError(
                    f"group {name!r} has no label {', '.join(map(repr, unknown)) or 'at all'}; correct it"
                )
        taken = {name.lower() for name in groups}
        single = [name for name in labels if name.lower() not in taken]
        self.grouped = (
            len(groups) if groups else len(labels)
        )  # of `names`: those reported unless others are asked for
        self.names = (*groups, *single)
        self._members = [np.array([place[member] for member in members]) for members in groups.values()]
        self._single = np.array([place[name] for name in single], np.int64)
        self._group_of = {member: name for name, members in groups.items() for member in members}

    def of(self, scores: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores of labels to scores of kinds.

        Args:
            scores: (N, labels).
        Returns:
            (N, kinds) scores, and (N, kinds) which label each is from.
        """
        if not self._members:
            return scores, np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
        best = [members[scores[:, members].argmax(axis=1)] for members in self._members]
        single = np.broadcast_to(self._single, (len(scores), len(self._single)))
        which = np.concatenate([np.stack(best, axis=1), single], axis=1)
        return np.take_along_axis(scores, which, axis=1), which

    def label(self, place: int) -> str:
        """The name of a label; nothing where each label is a kind."""
        return self._labels[place] if self._members else ""

    def group_of(self, name: str) -> str:
        """The group that a label belongs to, or nothing."""
        return self._group_of.get(name, "")


_SAME = {"engineidling": "engine", "streetmusic": "music"}


def same_kind(label: str, names: Sequence[str]) -> str:
    """What a data set's label is called among the kinds of a model: itself, or the wider kind it belongs to.

    Returns:
        One of the names, or nothing.

    >>> same_kind("street_music", ("music", "siren")), same_kind("hail", ("siren",))
    ('music', '')
    """
    known = {_plain(name): name for name in reversed(names)}
    plain = _plain(label)
    return known.get(plain) or known.get(_SAME.get(plain, ""), "")


def _plain(kind: str) -> str:
    return "".join(kind.replace("_", " ").split()).lower()
