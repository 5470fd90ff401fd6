"""What the guard's detector can see, by its card alone: nothing is loaded."""

from szem.runtime.store import default_model, find_model, list_models

__all__ = ["all_labels", "known_labels"]


def known_labels(model: str = "") -> tuple[str, ...]:
    """The classes of things that can be seen; none where no model is installed.

    Args:
        model: A model's name or folder; the shipped one if left out.
    Raises:
        As `szem.runtime.store.find_model`.
    """
    if model:
        return find_model(model, task="detect").labels
    return default_model("detect").labels if list_models(task="detect") else ()


def all_labels() -> tuple[str, ...]:
    """The classes of all installed detectors: for rules of a guard that may look with any of them."""
    return tuple(dict.fromkeys(label for model in list_models(task="detect") for label in model.labels))
