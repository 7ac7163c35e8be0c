"""Several processes that train one network together, as torchrun starts them.

    torchrun --standalone --nproc-per-node 2 --no-python archive-colorize train ...

Each takes every n-th batch; the gradients are averaged.  On CPU, two processes of one thread
waste less time on waiting for each other than one process of two threads.
"""

import atexit
import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True, slots=True)
class Peers:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that tells, measures and saves."""
        return self.rank == 0

    def average(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes."""
        if self.count == 1:
            return
        slopes = [p.grad for p in parameters if p.grad is not None]
        together = torch.cat([slope.reshape(-1) for slope in slopes])
        distributed.all_reduce(together)
        together /= self.count
        start = 0
        for slope in slopes:
            slope.copy_(together[start : start + slope.numel()].view_as(slope))
            start += slope.numel()

    def agree(self, value: float) -> float:
        """The leader's value, for all; clocks differ."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            shared = shared.cuda()
        distributed.broadcast(shared, 0)
        return float(shared.item())

    @torch.no_grad()
    def align(self, tensors: Sequence[Tensor]) -> None:
        """Give every process the leader's values."""
        if self.count > 1:
            for tensor in tensors:
                distributed.broadcast(tensor.detach(), 0)


def join_peers() -> Peers:
    """The processes that torchrun started, or this one alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in os.environ:
        return Peers()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        # A thread of gloo that still runs when Python ends would abort the process.
        atexit.register(distributed.destroy_process_group)
    return Peers(distributed.get_rank(), distributed.get_world_size())
