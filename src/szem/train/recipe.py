"""What a recipe is: settings, data, network, loss, score. The loop knows only this.

A recipe is one short file in `recipes/`. Its settings are a frozen dataclass with a comment per field; a field `loop`
holds what every recipe needs. Command-line overrides go by field: `lr` of the loop is `loop.lr`.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from szem.errors import UnknownNameError

__all__ = ["Batch", "Loop", "Recipe", "former_settings", "override", "settings_to_dict"]

Batch = dict[str, Tensor]
"""Named tensors whose first axis is the sample."""


@dataclass(frozen=True, kw_only=True)
class Loop:
    """What the loop does, the same for every recipe."""

    steps: int  # updates of the weights in a whole training
    batch: int  # samples of one update, over all processes
    lr: float = 1e-3  # highest learning rate; recipes may scale it per group of parameters
    warmup: float = 0.05  # fraction of the training in which the rate grows
    weight_decay: float = 0.02  # of AdamW, on weights with two axes or more
    clip_norm: float = 5.0  # longest gradient; 0 does not clip
    accumulate: int = 1  # pieces one batch is computed in, to save memory
    ema: float = 0.998  # how slowly the averaged weights, which are the result, follow
    precision: str = "auto"  # auto, float32, bfloat16
    seed: int = 0  # of everything that is random
    scores: int = 4  # how often the score is taken, the end included
    checkpoint_s: float = 60.0  # seconds between checkpoints
    # Scores in a row below the best one, after which the training ends with the best; 0: never.
    patience: int = field(default=0, metadata={"former": 0})


class Recipe(Protocol):
    """Everything the loop asks for. `progress` runs from 0 to 1 over the training."""

    @property
    def settings(self) -> Any:
        """A frozen dataclass with a field `loop: Loop`."""

    def build_network(self) -> nn.Module:
        """The network before training."""

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """What learns, in groups with the factor of their learning rate."""

    def batch(self, samples: Sequence[int], progress: float) -> Batch:
        """The samples of these numbers; the same numbers give the same batch, always."""

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """One number, the mean over the samples."""

    def score(self, network: nn.Module) -> dict[str, float]:
        """Scores on what is held out from training to watch it; the first is the main one."""


def override(settings: Any, assignments: Sequence[str]) -> Any:
    """Settings with some fields changed: `("loop.lr=0.001", "backbone=lite1")`.

    Values are JSON; what is not, is text.

    Raises:
        UnknownNameError: no such field, or not the form FIELD=VALUE.

    >>> override(Loop(steps=5, batch=2), ["steps=7"]).steps
    7
    """
    for text in assignments:
        path, is_there, raw = text.partition("=")
        if not is_there:
            raise UnknownNameError(f"{text!r}: a setting is written FIELD=VALUE, for example loop.lr=0.001")
        settings = _replaced(settings, path.strip().split("."), _value(raw), text)
    return settings


def former_settings(settings: Any) -> dict[str, Any]:
    """What was done before a setting was there: its metadata `former`; only fields that have one.

    >>> former_settings(Loop(steps=1, batch=1))
    {'patience': 0}
    """
    out: dict[str, Any] = {}
    for one in dataclasses.fields(settings):
        value = getattr(settings, one.name)
        if "former" in one.metadata:
            out[one.name] = one.metadata["former"]
        elif dataclasses.is_dataclass(value):
            out |= {one.name: inner} if (inner := former_settings(value)) else {}
    return out


def settings_to_dict(settings: Any) -> dict[str, Any]:
    """Settings as JSON types; paths become text."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(settings), default=str))
    return plain


def _value(raw: str) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw


def _replaced(settings: Any, path: list[str], value: Any, text: str) -> Any:
    names = [f.name for f in dataclasses.fields(settings)]
    if path[0] not in names:
        raise UnknownNameError(f"{text!r}: no setting called {path[0]!r}; there are {', '.join(names)}")
    old = getattr(settings, path[0])
    if len(path) > 1:
        if not dataclasses.is_dataclass(old):
            raise UnknownNameError(f"{text!r}: {path[0]} has no fields of its own")
        value = _replaced(old, path[1:], value, text)
    elif dataclasses.is_dataclass(old):
        raise UnknownNameError(f"{text!r}: {path[0]} has fields of its own; name one, as in {path[0]}.FIELD=VALUE")
    elif isinstance(old, tuple) and isinstance(value, list):
        value = tuple(value)
    elif isinstance(old, Path):
        value = Path(str(value))
    elif isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(old) and old is not None:
        raise UnknownNameError(f"{text!r}: {path[0]} is {type(old).__name__}, got {type(value).__name__}")
    return dataclasses.replace(settings, **{path[0]: value})
