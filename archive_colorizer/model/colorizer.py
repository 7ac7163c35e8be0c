"""Open a model file in a session on the requested device."""

import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.device import Device, has_driver
from archive_colorizer.errors import DeviceError, ModelError, ModelOutputError, UsageError
from archive_colorizer.model import runtime
from archive_colorizer.model.batching import BATCH_SIZES, FixedBatchSizes, RequestBatcher
from archive_colorizer.model.color_spaces import pack
from archive_colorizer.model.contract import CHANNELS, METADATA_KEY, ModelContract
from archive_colorizer.model.io_binding import BoundSession
from archive_colorizer.model.onnx_metadata import check_seal
from archive_colorizer.model.runtime import CPU, CUDA, PROVIDERS, Network, Tensor
from archive_colorizer.model.tensorrt import compute_max_batch, open_engine

FloatArray = npt.NDArray[np.float32]

_IS_FLOAT32: Final = {"tensor(float)": True, "tensor(float16)": False}
"""Types of input that a network may have; its output is converted to float32."""
_ROUNDS: Final = 30
_MAX_SECONDS: Final = 5.0
"""Time after which no further round of a measurement begins: a large network needs it for one."""


@dataclass(frozen=True, slots=True, eq=False)
class Colorizer:
    """Hold an open model: its contract, the actual provider of its session, and the session.

    precise: whether the network takes float32; otherwise float16.  network: the path of batches
    to the session; None is direct, see `add_batching`.
    """

    contract: ModelContract
    provider: str
    session: Any
    precise: bool = True
    network: Network | None = None

    def infer(self, batch: FloatArray) -> FloatArray:
        """Run the network on an N x C x H x W float32 batch that fits the contract.

        Returns N x c x h x w float32.  Several threads may call it at once.  Raises
        ModelOutputError when a value is NaN or infinite, ModelError when the network fails or
        its output has a shape that breaks the contract, DeviceError when the device fails, and
        MemoryError when memory of the host or the device runs out.
        """
        tensor = batch if self.precise else batch.astype(np.float16)
        output = (self.network or self.run)(tensor)
        output_contract = self.contract.output
        channels = CHANNELS[output_contract.space]
        if output.ndim != 4 or output.shape[:2] != (len(batch), channels):
            raise ModelError(
                f"model {self.contract.name}: its output has the shape {output.shape}, "
                f"its contract ({output_contract.space}) promises ({len(batch)}, {channels}, h, w)"
            )
        result: FloatArray = output.astype(np.float32, copy=False)
        if not np.isfinite(result).all():
            raise ModelOutputError(
                f"model {self.contract.name}: the network gave NaN or infinity for this picture"
            )
        return result

    def run(self, batch: Tensor) -> Tensor:
        """Run the session on a batch of its own input type."""
        model_input, model_output = self.contract.input, self.contract.output
        with runtime.translate_errors(self.contract.name):
            (answer,) = self.session.run([model_output.name], {model_input.name: batch})
        return answer  # type: ignore[no-any-return]

    def add_batching(self, max_batch: int, device: Device | None = None) -> "Colorizer":
        """Return the network with simultaneous requests of several threads joined into batches.

        max_batch: in pictures; the contract may allow fewer.  device: the session's, whose memory
        is then bound; None leaves copying to the session.  A CPU gains nothing from batches.
        """
        max_batch = min(max_batch, self.contract.max_batch or max_batch)
        network: Network = self.run
        if device is not None:
            network = BoundSession(self.session, self.contract, device, self.run)
        network = RequestBatcher(FixedBatchSizes(network, max_batch), max_batch)
        return replace(self, network=network)

    def resize_input(self, size: int) -> "Colorizer":
        """Return the network at about `size` pixels, 0 for its own; raises UsageError if fixed."""
        if size == 0:
            return self
        shape = self.session.get_inputs()[0].shape
        fixed = [side for side in shape[2:] if isinstance(side, int)]
        if fixed and fixed != [size] * len(fixed):
            raise UsageError(
                f"the working size cannot be {size}: model {self.contract.name} takes pictures of "
                f"{' x '.join(map(str, fixed))} only; leave --working-size out, or choose a model "
                "whose size is free"
            )
        return replace(self, contract=self.contract.resize(size))


def open_colorizer(
    path: Path,
    *,
    device: str = "auto",
    threads: int = 1,
    sha256: str | None = None,
    size: int = 0,
) -> Colorizer:
    """Open a model file on a device: `auto`, `cpu`, `cuda` or `tensorrt`, or `cuda:1`.

    `auto` is CUDA where that loads.  `sha256` is the digest that the file must have, if known;
    `size` is the working size that a TensorRT engine is built for.  Raises ModelError when the
    file is missing, damaged, has no contract or another digest, and DeviceError when the session
    is not on the requested device.
    """
    data = read_model(path)
    if sha256 not in (None, hashlib.sha256(data).hexdigest()):
        raise ModelError(f"model {path}: was changed since the run began; start the run again")
    origin = f"model {path}"
    check_seal(data, origin)
    session_device, session = _open_session(data, origin, Device.parse(device), threads, size)
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelError(
            f"{origin}: carries no contract, so its input and output are unknown; "
            "archive-colorize models adopt stamps one after a trial"
        )
    contract = ModelContract.from_json(text, origin)
    precise = _check_names(session, contract, origin)
    opened = Colorizer(contract, PROVIDERS[session_device.kind], session, precise)
    if session_device.kind == "cpu":
        return opened
    has_engine = session_device.kind == "tensorrt"
    max_batch = compute_max_batch(contract) if has_engine else BATCH_SIZES[-1]
    return opened.add_batching(max_batch, session_device)


def try_model(data: bytes, contract: ModelContract, origin: str) -> Colorizer:
    """Open the bytes of a model under this contract on one CPU core; raises ModelError."""
    session = runtime.open_session(data, origin, Device("cpu"), 1)
    return Colorizer(contract, CPU, session, _check_names(session, contract, origin))


def hash_model(path: Path) -> str:
    """Return the sha256 of a model file in hexadecimal; raises ModelError if it is unreadable."""
    return hashlib.sha256(read_model(path)).hexdigest()


def read_model(path: Path) -> bytes:
    """Return the bytes of a model file; raises ModelError, also for a git-lfs pointer."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"model {path}: cannot be read ({error.strerror})") from None
    if data.startswith(b"version https://git-lfs"):
        raise ModelError(f"model {path}: a git-lfs pointer, not the model; run git lfs pull")
    return data


def measure_milliseconds(path: Path) -> float:
    """Return the median time of one inference at the model's working size, on one CPU core."""
    colorizer = open_colorizer(path, device="cpu", threads=1)
    size = colorizer.contract.input.size
    luma = np.linspace(0, 1, size * size, dtype=np.float32).reshape(size, size)
    batch = pack(luma, colorizer.contract.input)
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < _ROUNDS and (not times or time.perf_counter() - start < _MAX_SECONDS):
        round_start = time.perf_counter()
        colorizer.infer(batch)
        times.append(time.perf_counter() - round_start)
    return 1000 * median(times)


def _open_session(
    data: bytes, origin: str, device: Device, threads: int, size: int
) -> tuple[Device, Any]:
    """Return the device that was opened, and its session."""
    if device.kind == "tensorrt":
        return device, open_engine(data, origin, device, threads, size)
    if device.kind == "auto":
        if CUDA in runtime.list_providers() and has_driver():
            with suppress(DeviceError):
                return _open_session(data, origin, Device("cuda"), threads, size)
        device = Device("cpu")
    return device, runtime.open_session(data, origin, device, threads)


def _check_names(session: Any, contract: ModelContract, origin: str) -> bool:
    """Return whether the input is float32; raises ModelError if the contract does not fit."""
    inputs = {tensor.name: tensor.type for tensor in session.get_inputs()}
    outputs = [tensor.name for tensor in session.get_outputs()]
    if list(inputs) != [contract.input.name] or contract.output.name not in outputs:
        raise ModelError(
            f"{origin}: has the inputs {list(inputs)} and outputs {outputs}, its contract names "
            f"{contract.input.name!r} and {contract.output.name!r}"
        )
    kind = inputs[contract.input.name]
    if kind not in _IS_FLOAT32:
        raise ModelError(f"{origin}: its input is a {kind}; float and float16 are taken")
    return _IS_FLOAT32[kind]
