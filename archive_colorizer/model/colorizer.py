"""Colorizer: a model file in an onnxruntime session.  The only door to onnxruntime."""

import hashlib
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.errors import (
    DependencyError,
    DeviceError,
    ModelError,
    ModelOutputError,
    UsageError,
)
from archive_colorizer.model.contract import CHANNELS, METADATA_KEY, ModelContract
from archive_colorizer.model.seal import check_seal

FloatArray = npt.NDArray[np.float32]

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
_PRECISE: Final = {"tensor(float)": True, "tensor(float16)": False}
"""Types of input that a network may have; what it gives is turned into float32."""
_NO_MEMORY = ("failed to allocate memory", "out of memory", "bad allocation", "bad_alloc")
"""What onnxruntime says, under errors of any type."""


@dataclass(frozen=True, slots=True, eq=False)
class Colorizer:
    """An open model: its contract, the provider its session really uses, and the session.

    precise: whether the network takes float32; others take float16.
    """

    contract: ModelContract
    provider: str
    session: Any
    precise: bool = True

    def infer(self, batch: FloatArray) -> FloatArray:
        """Run the network on an N x C x H x W float32 batch that fits the contract.

        Returns N x c x h x w float32.  Raises ModelOutputError when a value is NaN or infinite,
        ModelError when the network fails or gives another shape than its contract says, and
        MemoryError when memory (of the device, too) does not suffice.
        """
        given, made = self.contract.input, self.contract.output
        try:
            shown = batch if self.precise else batch.astype(np.float16)
            (output,) = self.session.run([made.name], {given.name: shown})
        except _session_errors() as error:
            if any(words in str(error).lower() for words in _NO_MEMORY):
                raise MemoryError(str(error)) from None
            raise ModelError(f"model {self.contract.name}: the network failed ({error})") from None
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


def open_colorizer(
    path: Path, *, device: str = "auto", threads: int = 1, sha256: str | None = None
) -> Colorizer:
    """Open a model file on a device: `auto`, `cpu` or `cuda`.

    `sha256` is the digest that the file must have, where the caller knows it.  Raises
    ModelError when the file is missing, damaged (its seal tells, where it has one), has no
    contract or another digest, and DeviceError when `cuda` was asked for and the session does
    not hold CUDA.
    """
    data = read_model(path)
    if sha256 not in (None, hashlib.sha256(data).hexdigest()):
        raise ModelError(f"model {path}: was changed since the run began; start the run again")
    check_seal(data, f"model {path}")
    session = _session(data, f"model {path}", _wanted(device), threads)
    provider = str(session.get_providers()[0])
    if device == "cuda" and provider != CUDA:
        raise DeviceError(f"--device cuda: {why_no_cuda()}")
    contract = _contract(session, path)
    return Colorizer(contract, provider, session, _is_precise(session))


def resized(colorizer: Colorizer, size: int) -> Colorizer:
    """The same network at a working size of about `size` pixels, or at its own for 0.

    Raises UsageError when its file fixes the size.
    """
    if size == 0:
        return colorizer
    contract, given = colorizer.contract, colorizer.contract.input
    fixed = [one for one in colorizer.session.get_inputs()[0].shape[2:] if isinstance(one, int)]
    if fixed and fixed != [size] * len(fixed):
        raise UsageError(
            f"the working size cannot be {size}: model {contract.name} takes pictures of "
            f"{' x '.join(map(str, fixed))} only; leave --working-size out, or choose a model "
            "whose size is free"
        )
    step = given.multiple_of
    whole = max(step, round(size / step) * step)
    return replace(colorizer, contract=replace(contract, input=replace(given, size=whole)))


def try_model(data: bytes, contract: ModelContract, origin: str) -> Colorizer:
    """Open the bytes of a model that carries no contract, under one, on one core of the CPU.

    Raises ModelError that names it as `origin` when it does not open or fit.
    """
    session = _session(data, origin, [CPU], 1)
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
    ort = _onnxruntime()
    data, origin = read_model(path), f"model {path}"
    return {
        name: _session(data, origin, list(dict.fromkeys((name, CPU))), 1).get_providers()[0] == name
        for name in ort.get_available_providers()
        if name in (CPU, CUDA)
    }


def why_no_cuda() -> str:
    """A sentence about what is missing for CUDA on this machine."""
    ort = _onnxruntime()
    if CUDA not in ort.get_available_providers():
        if platform.machine().lower() not in ("x86_64", "amd64"):
            return "there is no CUDA build of onnxruntime for this machine; use --device cpu"
        return (
            "the installed onnxruntime has no CUDA; uninstall onnxruntime and onnxruntime-gpu, "
            "then install 'archive-colorizer[cuda]'"
        )
    if platform.system() == "Linux" and not Path("/dev/nvidiactl").exists():
        return "no NVIDIA driver is loaded on this machine (no /dev/nvidiactl); use --device cpu"
    return (
        "onnxruntime could not load its CUDA libraries; install 'archive-colorizer[cuda]' for the "
        "CUDA and cuDNN libraries that it needs, and check the driver with nvidia-smi"
    )


def _onnxruntime() -> Any:
    # Its Privacy.md: newer builds send events to their makers over the network unless told not to.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError(
            f"onnxruntime cannot be loaded ({error}); install archive-colorizer again"
        ) from None
    # Level 4 is fatal: a failing CUDA load is told by our own error, not by its log.
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


def _session_errors() -> tuple[type[Exception], ...]:
    """What a session raises: onnxruntime's own errors share no type below Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [kind for kind in vars(state).values() if isinstance(kind, type)]
    return (*(kind for kind in own if issubclass(kind, Exception)), RuntimeError, ValueError)


def _wanted(device: str) -> list[str]:
    if device == "cpu":
        return [CPU]
    return [CUDA, CPU] if CUDA in _onnxruntime().get_available_providers() else [CPU]


def _session(data: bytes, origin: str, providers: Sequence[str], threads: int) -> Any:
    ort = _onnxruntime()
    if CUDA in providers and hasattr(ort, "preload_dlls"):
        _preload(ort)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Spinning threads of several workers would take each other's cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        # From bytes: so a model can name no external file, by whatever kind of link.
        return ort.InferenceSession(data, options, providers=list(providers))
    except _session_errors() as error:
        reason = str(error).splitlines()[0][:300]
        raise ModelError(f"{origin}: not a sound ONNX file ({reason})") from None


def _preload(ort: Any) -> None:
    """Load the CUDA libraries of the `cuda` extra, without their words on standard output."""
    if Path("/dev/nvidiactl").exists() or os.name == "nt":
        ort.preload_dlls()


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
