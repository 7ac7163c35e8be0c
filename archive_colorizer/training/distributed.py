"""Train one network in several processes, which torchrun starts.

    torchrun --standalone --nproc-per-node 2 --no-python archive-colorize train ...

Each process takes every n-th batch, and the gradients are averaged.  On a CPU, two processes of
one thread are faster than one process of two threads.
"""

import atexit
import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn


@dataclass(frozen=True, slots=True)
class Distributed:
    """Identify this process among `count` that train together."""

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls) -> "Distributed":
        """Join the processes that torchrun started, or return this one alone."""
        if os.environ.get("WORLD_SIZE", "1") == "1" or "RANK" not in os.environ:
            return cls()
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
            # A gloo thread that still runs when Python exits would abort the process.
            atexit.register(distributed.destroy_process_group)
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_main(self) -> bool:
        """Whether this process reports, measures and saves."""
        return self.rank == 0

    def broadcast(self, value: float) -> float:
        """Return the main process's value in all processes, because clocks differ."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            shared = shared.cuda()
        distributed.broadcast(shared, 0)
        return float(shared.item())

    def wrap(self, network: Any) -> Any:
        """Return a network that uses the main process's weights and averages the gradients."""
        if self.count == 1:
            return network
        # A static graph permits weights without gradients, which timm's encoders may have.
        return nn.parallel.DistributedDataParallel(network, static_graph=True)
