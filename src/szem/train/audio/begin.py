"""The weights that a listener's training begins with, where they are the shipped model's."""

from collections.abc import Mapping

from torch import Tensor, nn

from szem.models.yamnet import Yamnet
from szem.runtime.store import find_model
from szem.train.shipped_weights import load_weights

__all__ = ["begin_shipped"]


def begin_shipped(net: Yamnet) -> tuple[Tensor, Tensor, Mapping[str, tuple[int, ...]]]:
    """Fill the network's convolutions with those of the shipped listener `sounds`.

    Args:
        net: Filled in place; its heads are left as they are.
    Returns:
        Weight (K, 1024) and bias (K,) of the shipped head, and for each of its kinds the place in it.
    Raises:
        TrainError: the shipped file is of another network.
    """
    model = find_model("sounds", task="listen")
    whole = Yamnet((len(model.labels),))
    load_weights(whole, model.file())
    state = {name: value for name, value in whole.state_dict().items() if not name.startswith("heads.")}
    net.load_state_dict(state, strict=False)
    head = whole.heads[0]
    assert isinstance(head, nn.Linear)
    return head.weight.detach(), head.bias.detach(), {name: (place,) for place, name in enumerate(model.labels)}
