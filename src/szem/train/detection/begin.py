"""The weights that a detector's training begins with: those of a run, of a model folder, or of the shipped model."""

from collections.abc import Sequence
from pathlib import Path

from szem.errors import TrainError
from szem.models.ssd_mobilenet import SsdMobileNet
from szem.results.class_aliases import coco_name
from szem.runtime.cards import CARD_FILE, read_card
from szem.runtime.store import Model
from szem.tasks.models import default_model
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.shipped_weights import load_weights

__all__ = ["begin_with"]


def begin_with(net: SsdMobileNet, source: str, *, classes: Sequence[str]) -> None:
    """Fill a network with weights.

    Args:
        net: For `classes`; its scales are not folded.
        source: Folder of a run (its averaged weights, same classes), folder of a model with head `anchors`,
            "shipped", or "" for none. A model's classes may be others: what it has of `classes`, by COCO's or VOC's
            name, is taken on, the rest begins as new.
        classes: Names.
    Raises:
        TrainError: there are no such weights, or they do not fit.
    """
    if not source:
        return
    folder = Path(source)
    if source != "shipped" and (folder / CHECKPOINT).exists():
        try:
            net.load_state_dict(load_checkpoint(folder / CHECKPOINT)["average"])
        except RuntimeError as error:
            raise TrainError(
                f"{folder}: its weights do not fit ({error}); begin with a run of the same classes"
            ) from error
        return
    if source != "shipped" and not (folder / CARD_FILE).exists():
        raise TrainError(f"{folder}: neither a run nor a model; give a folder with {CHECKPOINT} or {CARD_FILE}")
    _take_on(net, default_model("detect") if source == "shipped" else Model(read_card(folder), folder), classes)


def _take_on(net: SsdMobileNet, model: Model, classes: Sequence[str]) -> None:
    whole = SsdMobileNet(classes=len(model.labels))
    whole.fold_scales()
    load_weights(whole, model.file())
    whole.unfold_scales()
    state, given = net.state_dict(), whole.state_dict()
    places = _places(classes, model.labels)
    for name, value in given.items():
        if name.startswith("naming.") and ".out." in name:
            # (A · classes, …): the classes of an anchor side by side
            old = value.view(-1, len(model.labels), *value.shape[1:])
            new = state[name].view(-1, len(classes), *value.shape[1:])
            for place, other in places:
                new[:, place] = old[:, other]
        else:
            state[name] = value
    net.load_state_dict(state)


def _places(classes: Sequence[str], known: Sequence[str]) -> list[tuple[int, int]]:
    """Of the classes that are known: place in `classes`, place in `known`."""
    where = {coco_name(name): place for place, name in enumerate(known)}
    names = [coco_name(name) for name in classes]
    return [(place, where[name]) for place, name in enumerate(names) if name in where]
