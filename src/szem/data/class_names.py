"""Classes under other names: what `--classes a=b` says."""

from collections.abc import Iterable, Sequence

from szem.errors import RangeError, UnknownNameError

__all__ = ["class_pairs", "refuse_unknown_classes"]


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


def refuse_unknown_classes(names: Iterable[str], classes: Sequence[str]) -> None:
    """Refuse names of classes that the data does not have.

    Raises:
        UnknownNameError: there is one.
    """
    unknown = [name for name in names if name not in classes]
    if unknown:
        raise UnknownNameError(f"no class called {', '.join(unknown)}; the data has {', '.join(classes)}")
