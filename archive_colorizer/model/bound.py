"""Bound: a session that reads from memory of its own device."""

from typing import Any, Final

from archive_colorizer.device import Device
from archive_colorizer.model.contract import ModelContract
from archive_colorizer.model.runtime import Tensor, failures_of, memory_on

_KEPT: Final = 16
"""Shapes whose memory is kept; archives have a few."""


class Bound:
    """A Network that copies each batch once, to memory that it keeps for batches of that shape.

    The answer is copied back once, too.  For one thread at a time.
    """

    def __init__(self, session: Any, contract: ModelContract, device: Device) -> None:
        """`device` is where the session runs; batches have the type that it takes."""
        self._session = session
        self._contract = contract
        self._device = device
        self._kept: dict[tuple[int, ...], Any] = {}

    def __call__(self, batch: Tensor) -> Tensor:
        contract = self._contract
        with failures_of(contract.name):
            binding = self._session.io_binding()
            binding.bind_ortvalue_input(contract.input.name, self._filled(batch))
            # Whatever its size, which only the network knows: it is made on the device.
            kind = "cpu" if self._device.kind == "cpu" else "cuda"
            binding.bind_output(contract.output.name, kind, self._device.number)
            self._session.run_with_iobinding(binding)
            (answer,) = binding.copy_outputs_to_cpu()
        return answer  # type: ignore[no-any-return]

    def _filled(self, batch: Tensor) -> Any:
        memory = self._kept.get(batch.shape)
        if memory is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            memory = memory_on(self._device, batch.shape, batch.dtype)
            self._kept[batch.shape] = memory
        memory.update_inplace(batch)
        return memory
