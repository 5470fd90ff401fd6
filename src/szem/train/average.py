"""The moving average of a network's weights, which is what a training gives."""

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]


class WeightAverage:
    """Weights that follow a network's slowly: early on faster, so that the beginning is soon forgotten.

    Args:
        network: Its state is copied.
        decay: Fraction of the old average that stays at each step, once the training is long under way.
    Source: B. Polyak, A. Juditsky, Acceleration of stochastic approximation by averaging, 1992; the faster beginning:
        TensorFlow, tf.train.ExponentialMovingAverage, `num_updates`.
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.state = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def follow(self, network: nn.Module, *, step: int) -> None:
        """Move towards the network's weights; `step` counts from 0."""
        fraction = 1 - min(self.decay, (1 + step) / (10 + step))
        floats: list[Tensor] = []
        now: list[Tensor] = []
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                floats.append(self.state[name])
                now.append(value)
            else:
                self.state[name].copy_(value)
        torch._foreach_lerp_(floats, now, fraction)
