"""Colorizer: a model file in a session, on the device that was asked for."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.device import Device, has_driver, parse_device
from archive_colorizer.errors import DeviceError, ModelError, ModelOutputError, UsageError
from archive_colorizer.model import runtime
from archive_colorizer.model.batching import SIZES, Fitted, Joiner
from archive_colorizer.model.contract import CHANNELS, METADATA_KEY, ModelContract, sized
from archive_colorizer.model.io_binding import Bound
from archive_colorizer.model.onnx_metadata import check_seal
from archive_colorizer.model.runtime import CPU, CUDA, PROVIDERS, Network, Tensor
from archive_colorizer.model.tensorrt import most_in_engine, open_engine

FloatArray = npt.NDArray[np.float32]

_PRECISE: Final = {"tensor(float)": True, "tensor(float16)": False}
"""Types of input that a network may have; what it gives is turned into float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Colorizer:
    """An open model: its contract, the provider its session really uses, and the session.

    precise: whether the network takes float32; others take float16.  network: how batches
    get to the session; None for straight, see `joined`.
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
        gives another shape than its contract says, DeviceError when the device fails, and
        MemoryError when memory (of the device, too) does not suffice.
        """
        shown = batch if self.precise else batch.astype(np.float16)
        output = (self.network or self.run)(shown)
        made = self.contract.output
        channels = CHANNELS[made.space]
        if output.ndim != 4 or output.shape[:2] != (len(batch), channels):
            raise ModelError(
                f"model {self.contract.name}: its output has the shape {output.shape}, "
                f"its contract ({made.space}) promises ({len(batch)}, {channels}, h, w)"
            )
        result: FloatArray = output.astype(np.float32, copy=False)
        if not np.isfinite(result).all():
            raise ModelOutputError(
                f"model {self.contract.name}: the network gave NaN or infinity for this picture"
            )
        return result

    def run(self, batch: Tensor) -> Tensor:
        """A Network: the session itself, with a batch of the type that it takes."""
        given, made = self.contract.input, self.contract.output
        with runtime.failures_of(self.contract.name):
            (answer,) = self.session.run([made.name], {given.name: batch})
        return answer  # type: ignore[no-any-return]


def open_colorizer(
    path: Path,
    *,
    device: str = "auto",
    threads: int = 1,
    sha256: str | None = None,
    size: int = 0,
) -> Colorizer:
    """Open a model file on a device: `auto`, `cpu`, `cuda` or `tensorrt`, or `cuda:1`.

    `auto` is CUDA where that loads.  `sha256` is the digest that the file must have, where
    the caller knows it; `size` is the one that it will be `resized` to, which an engine of
    TensorRT is made for.  Raises ModelError when the file is missing, damaged (its seal tells,
    where it has one), has no contract or another digest, and DeviceError when the session
    does not hold the device that was asked for.
    """
    data = read_model(path)
    if sha256 not in (None, hashlib.sha256(data).hexdigest()):
        raise ModelError(f"model {path}: was changed since the run began; start the run again")
    origin = f"model {path}"
    check_seal(data, origin)
    found, session = _opened(data, origin, parse_device(device), threads, size)
    contract = _contract(session, path)
    opened = Colorizer(contract, PROVIDERS[found.kind], session, _is_precise(session))
    if found.kind == "cpu":
        return opened
    most = most_in_engine(contract) if found.kind == "tensorrt" else SIZES[-1]
    return joined(opened, most, found)


def joined(colorizer: Colorizer, most: int, bound: Device | None = None) -> Colorizer:
    """The same network for many threads: what they ask at once it is asked at once.

    most: pictures of a batch, less where the contract says so.  bound: the device of the
    session, for batches that are copied to its memory once; None leaves that to the session.
    Worth it where a batch costs less than its pictures one by one: not on a CPU.
    """
    most = min(most, colorizer.contract.max_batch or most)
    network: Network = colorizer.run
    if bound is not None:
        network = Bound(colorizer.session, colorizer.contract, bound, colorizer.run)
    return replace(colorizer, network=Joiner(Fitted(network, most), most))


def resized(colorizer: Colorizer, size: int) -> Colorizer:
    """The same network at a working size of about `size` pixels, or at its own for 0.

    Raises UsageError when its file fixes the size.
    """
    if size == 0:
        return colorizer
    contract = colorizer.contract
    fixed = [one for one in colorizer.session.get_inputs()[0].shape[2:] if isinstance(one, int)]
    if fixed and fixed != [size] * len(fixed):
        raise UsageError(
            f"the working size cannot be {size}: model {contract.name} takes pictures of "
            f"{' x '.join(map(str, fixed))} only; leave --working-size out, or choose a model "
            "whose size is free"
        )
    return replace(colorizer, contract=sized(contract, size))


def try_model(data: bytes, contract: ModelContract, origin: str) -> Colorizer:
    """Open the bytes of a model that carries no contract, under one, on one core of the CPU.

    Raises ModelError that names it as `origin` when it does not open or fit.
    """
    session = runtime.open_session(data, origin, Device("cpu"), 1)
    _check_names(session, contract, origin)
    return Colorizer(contract, CPU, session, _is_precise(session))


def digest_of_model(path: Path) -> str:
    """sha256 of a model file in hexadecimal; ModelError when it cannot be read."""
    return hashlib.sha256(read_model(path)).hexdigest()


def read_model(path: Path) -> bytes:
    """The bytes of a model file; ModelError when it cannot be read, or is a git-lfs pointer."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"model {path}: cannot be read ({error.strerror})") from None
    if data.startswith(b"version https://git-lfs"):
        raise ModelError(f"model {path}: a git-lfs pointer, not the model; run git lfs pull")
    return data


def providers_that_load(path: Path) -> dict[str, bool]:
    """For each provider that onnxruntime lists, whether a session with this model holds it."""
    return runtime.providers_that_load(read_model(path))


def _opened(
    data: bytes, origin: str, device: Device, threads: int, size: int
) -> tuple[Device, Any]:
    """A session, and the device that it is on."""
    if device.kind == "tensorrt":
        return device, open_engine(data, origin, device, threads, size)
    if device.kind != "auto":
        return device, runtime.open_session(data, origin, device, threads)
    if CUDA in runtime.available() and has_driver():
        with suppress(DeviceError):
            return Device("cuda"), runtime.open_session(data, origin, Device("cuda"), threads)
    return Device("cpu"), runtime.open_session(data, origin, Device("cpu"), threads)


def _contract(session: Any, path: Path) -> ModelContract:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelError(
            f"model {path}: carries no contract, so its input and output are unknown; "
            "archive-colorize models adopt stamps one after a trial"
        )
    contract = ModelContract.from_json(text, f"model {path}")
    _check_names(session, contract, f"model {path}")
    return contract


def _check_names(session: Any, contract: ModelContract, origin: str) -> None:
    inputs = {one.name: one.type for one in session.get_inputs()}
    outputs = [one.name for one in session.get_outputs()]
    if list(inputs) != [contract.input.name] or contract.output.name not in outputs:
        raise ModelError(
            f"{origin}: has the inputs {list(inputs)} and outputs {outputs}, its contract names "
            f"{contract.input.name!r} and {contract.output.name!r}"
        )
    if inputs[contract.input.name] not in _PRECISE:
        raise ModelError(
            f"{origin}: its input is a {inputs[contract.input.name]}; float and float16 are taken"
        )


def _is_precise(session: Any) -> bool:
    return _PRECISE[session.get_inputs()[0].type]
