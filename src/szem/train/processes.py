"""Several processes, one training: who am I, and the mean of everyone's gradients.

Each process computes the samples `rank, rank + world, …` of a batch; the mean of their gradients is that of the
whole batch. Batch normalisation takes its statistics from all processes together (`nn.shared_norm`), so this holds
with it too; a loss that is not a mean over the samples is the mean of the parts' losses. Started by
`torchrun --nproc-per-node N`.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = [
    "Processes",
    "broadcast_state",
    "join_processes",
    "leave_processes",
    "mean_gradients",
    "same_everywhere",
    "use_threads",
]


@dataclass(frozen=True)
class Processes:
    """This process among all of the training."""

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """The one that writes files and speaks."""
        return self.rank == 0


def use_threads(threads: int) -> None:
    """Compute with so many threads in this process; 0 leaves it as it is."""
    if threads > 0:
        torch.set_num_threads(threads)


def join_processes() -> Processes:
    """Join the others that torchrun started, over gloo (NCCL where each has a GPU); alone without torchrun."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Processes()
    if not dist.is_initialized():
        backend = "nccl" if torch.cuda.device_count() >= world else "gloo"
        dist.init_process_group(backend)
    return Processes(rank=dist.get_rank(), world=dist.get_world_size())


def leave_processes(who: Processes) -> None:
    """Wait for the others, then part: a process that ends while it is joined may end with an error."""
    if who.world > 1:
        dist.barrier()
        dist.destroy_process_group()


def mean_gradients(parameters: Iterable[nn.Parameter], who: Processes) -> None:
    """Replace every gradient by its mean over the processes, in one exchange."""
    if who.world == 1:
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in grads])
    dist.all_reduce(flat)
    flat /= who.world
    begin = 0
    for grad in grads:
        grad.copy_(flat[begin : begin + grad.numel()].view(grad.shape))
        begin += grad.numel()


def same_everywhere(value: float, who: Processes) -> float:
    """The first process's value, for all."""
    if who.world == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    dist.broadcast(shared, 0)
    return float(shared)


def broadcast_state(tensors: Iterable[Tensor], who: Processes) -> None:
    """Give every process the first one's tensors, in place."""
    if who.world > 1:
        for tensor in tensors:
            dist.broadcast(tensor, 0)
