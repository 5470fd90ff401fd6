"""Several processes, one training: who am I, and the mean of everyone's gradients.

Each process computes the samples `rank, rank + world, …` of a batch; the mean of their gradients is that of the
whole batch. Batch normalisation takes its statistics from all processes together (`nn.shared_norm`), so this holds
with it too; a loss that is not a mean over the samples is the mean of the parts' losses. `run_processes` starts them
on one machine, `torchrun` on several.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from szem.errors import SzemError, TrainError
from szem.files import ScratchFolder
from szem.runtime.sessions import cores

__all__ = [
    "Processes",
    "broadcast_state",
    "join_processes",
    "leave_processes",
    "mean_everywhere",
    "mean_gradients",
    "run_processes",
    "same_everywhere",
    "use_threads",
]

_RESTARTS = 3  # after a death all processes begin again, from the last checkpoint
# Of torch: they write tracebacks of what szem says in a line.
_SPEAKERS = (
    "torch.distributed.elastic.agent.server.api",
    "torch.distributed.elastic.multiprocessing.api",
    "torch.multiprocessing.spawn",
)
_LOG = logging.getLogger(__name__)
_GPUS = "cpu:gloo,cuda:nccl"  # numbers on the processor are exchanged too


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
    """Join the others that were started with this one, over gloo (NCCL where each has a GPU); else be alone."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Processes()
    if not dist.is_initialized():
        dist.init_process_group(_backend())
    return Processes(rank=dist.get_rank(), world=dist.get_world_size())


def _backend() -> str:
    if torch.cuda.device_count() < int(os.environ["LOCAL_WORLD_SIZE"]):
        return "gloo"
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return _GPUS


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


def mean_everywhere(value: float, who: Processes) -> float:
    """The mean of every process's value, for all."""
    if who.world == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    dist.all_reduce(shared)
    return float(shared) / who.world


def broadcast_state(tensors: Iterable[Tensor], who: Processes) -> None:
    """Give every process the first one's tensors, in place."""
    if who.world > 1:
        for tensor in tensors:
            dist.broadcast(tensor, 0)


def run_processes(function: Callable[..., Any], *given: Any, count: int, threads: int = 0) -> Any:
    """Call a function in several processes of this machine, which torch's elastic agent starts and watches.

    When one of them dies, all are started again: the function goes on from its checkpoint.

    Args:
        function: Of a module, called with `given`; it calls `join_processes`.
        given: Its arguments; they are pickled.
        count: Processes.
        threads: Of each process; 0: the processors in equal parts.
    Returns:
        What the first process's call gives.
    Raises:
        SzemError: the function raised it; it is not called again.
        TrainError: processes died again and again.
        KeyboardInterrupt: SIGINT, which all of them got.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    each = threads or max(1, cores() // count)
    for name in _SPEAKERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # All meet in a file: torch's own store would listen on every network of the machine.
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    with ScratchFolder("train") as folder:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id="szem",
            rdzv_backend="c10d",
            rdzv_endpoint=str(folder.path / "agent"),
            rdzv_configs={"store_type": "file"},
            local_addr="127.0.0.1",
            max_restarts=_RESTARTS,
        )
        try:
            results = elastic_launch(config, _call_joined)(function, given, str(folder.path / "store"), each)
        except ChildFailedError as error:
            rank, first = error.get_first_failure()
            why: Any = first.message  # of an exception: a table
            text = " ".join(str(why["message"] if isinstance(why, dict) else why).split())[-300:]
            raise TrainError(
                f"process {rank} of {count} ended ({text}), as one did in each of {_RESTARTS} tries before; "
                "mend that (is there enough memory?), then --resume"
            ) from error
        except SignalException as error:
            raise KeyboardInterrupt from error
    for result in results.values():
        if isinstance(result, SzemError):
            raise result
    return results[0]


def _call_joined(function: Callable[..., Any], given: tuple[Any, ...], store: str, threads: int) -> Any:
    """Join the others, call the function; an error of szem is given back, since trying again would not help."""
    from torch.distributed.elastic.multiprocessing.errors import record

    if sys.platform != "win32":
        os.setsid()  # Ctrl-C reaches all processes of a terminal, and the agent sends it again: once is meant
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    use_threads(threads)
    rank, world, again = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT"))
    if again and rank == 0:
        _LOG.warning("a process died; all go on from the last checkpoint (%d of %d times)", again, _RESTARTS)
    file = dist.FileStore(f"{store}-{again}", world)  # type: ignore[attr-defined]
    dist.init_process_group(_backend(), store=file, rank=rank, world_size=world)
    try:
        return record(function)(*given)
    except SzemError as error:
        return error
    except Exception as error:
        if "gloo" not in str(error):  # that is of those whose peer went away
            _LOG.exception("process %d of %d failed", rank, world)
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
