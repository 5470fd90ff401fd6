"""Classes under other names: what `--classes a=b` says."""

from collections.abc import Iterable

from szem.errors import RangeError

__all__ = ["class_pairs"]


def class_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """The data's name of a class -> the name it gets, "" to leave it out.

    Raises:
        RangeError: not pairs.

    >>> class_pairs(["sofa=couch", " lamp="])
    {'sofa': 'couch', 'lamp': ''}
    """
    found = {}
    for part in filter(None, (one.strip() for one in pairs)):
        name, is_pair, new = part.partition("=")
        if not is_pair or not name.strip():
            raise RangeError(f"--classes takes pairs, the data's name = the wanted one, got {part!r}; write a=b,c=d")
        found[name.strip()] = new.strip()
    return found
