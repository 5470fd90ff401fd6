"""The weights that a listener's training begins with, where they are those of a model that listens."""

from collections.abc import Mapping

from torch import Tensor, nn

from szem.models.yamnet import Yamnet
from szem.runtime.store import Model, find_model
from szem.train.shipped_weights import load_weights

__all__ = ["begin_listener", "find_listener"]


def find_listener(name: str) -> Model:
    """The model that listens of this name: `yamnet`, `sounds`, or one of the user's own.

    Raises:
        UnknownNameError: there is none.
    """
    return find_model("sounds" if name == "shipped" else name, task="listen")  # the name that earlier runs say


def begin_listener(net: Yamnet, name: str) -> tuple[Tensor, Tensor, Mapping[str, tuple[int, ...]]]:
    """Fill the network's convolutions with those of a model that listens.

    Args:
        net: Filled in place; its heads are left as they are.
        name: Of the model, see `find_listener`.
    Returns:
        Weight (K, 1024) and bias (K,) of the model's head, and for each of its kinds, single or a group, the places
        in it.
    Raises:
        TrainError: the model's file is of another network.
        UnknownNameError: there is no such model.
    """
    model = find_listener(name)
    whole = Yamnet((len(model.labels),))
    load_weights(whole, model.file())
    state = {name: value for name, value in whole.state_dict().items() if not name.startswith("heads.")}
    net.load_state_dict(state, strict=False)
    head = whole.heads[0]
    assert isinstance(head, nn.Linear)
    places = {label: place for place, label in enumerate(model.labels)}
    rows_of: dict[str, tuple[int, ...]] = {label.lower(): (place,) for label, place in places.items()}
    rows_of |= {group: tuple(places[one] for one in members) for group, members in model.card.groups.items()}
    return head.weight.detach(), head.bias.detach(), rows_of
