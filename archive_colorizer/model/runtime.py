"""Open sessions of onnxruntime, which only this module imports, and explain missing devices."""

import io
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from functools import cache
from importlib import import_module
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from archive_colorizer.device import (
    VISIBLE_DEVICES,
    Device,
    DeviceKind,
    has_driver,
    list_visible_gpus,
)
from archive_colorizer.errors import DependencyError, DeviceError, ModelError

Tensor: TypeAlias = npt.NDArray[np.floating[Any]]
Network: TypeAlias = Callable[[Tensor], Tensor]
"""N x C x H x W to N x c x h x w; raises ModelError, DeviceError and MemoryError."""

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
TENSORRT: Final = "TensorrtExecutionProvider"

PROVIDERS: Final[Mapping[DeviceKind, str]] = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}
"""The name of onnxruntime for each kind of device."""

_MEMORY_ERROR: Final = re.compile(
    "failed to allocate memory|out of memory|bad allocation|bad_alloc|alloc_failed|"
    "available memory of|outofmemory",
    re.IGNORECASE,
)
"""Texts by which onnxruntime and NVIDIA's libraries report it, in errors of any type."""

_DEVICE_ERROR: Final = re.compile(
    "cuda failure|cuda error|cudnn failure|cudnn_fe failure|cublas failure|cudaerror|"
    "enqueue failed",
    re.IGNORECASE,
)
"""Texts of device failures, which would hit the next picture, too."""


def _get_provider_options(device: Device, engines: Mapping[str, str] | None = None) -> list[Any]:
    """Return the providers of a session on `device`; `engines` are options of TensorRT."""
    # The default search tries all algorithms for each new shape, which takes seconds, and the
    # shapes of pictures change all the time.
    options = {
        "device_id": str(device.number),
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
    }
    providers: list[Any] = [(CUDA, options), CPU]
    if device.kind == "tensorrt":
        providers.insert(0, (TENSORRT, {"device_id": str(device.number), **(engines or {})}))
    return [CPU] if device.kind == "cpu" else providers


def open_session(data: bytes, origin: str, device: Device, threads: int, **engines: str) -> Any:
    """Open a session with the bytes of a model; `origin` names it in errors.

    Raises ModelError for an invalid model, and DeviceError if the session is not on the device.
    """
    provider = PROVIDERS[device.kind]
    if provider not in list_providers():
        raise DeviceError(f"--device {device}: {explain_missing(device)}")
    try:
        session = _create_session(data, _get_provider_options(device, engines), threads)
    except _SessionError as refused:
        if provider != CPU:
            # An invalid model fails on a CPU, too; then the device is not the cause.
            open_session(data, origin, Device("cpu"), 1)
            raise DeviceError(
                f"--device {device}: {explain_missing(device, str(refused))}"
            ) from None
        raise ModelError(f"{origin}: not a sound ONNX file ({refused})") from None
    if session.get_providers()[0] != provider:
        raise DeviceError(f"--device {device}: {explain_missing(device)}")
    return session


class _SessionError(Exception):
    """Carry the reason of onnxruntime for which a session cannot be opened."""


def list_providers() -> list[str]:
    """Return the providers of the installed onnxruntime; they may fail to load."""
    providers: list[str] = _load_onnxruntime().get_available_providers()
    return providers


def probe_providers(data: bytes) -> dict[str, bool]:
    """Return, for each provider that onnxruntime lists, whether it runs this model."""
    results = {}
    for kind, name in PROVIDERS.items():
        if name in list_providers():
            with suppress(_SessionError):
                session = _create_session(data, _get_provider_options(Device(kind)), 1)
                results[name] = session.get_providers()[0] == name
            results.setdefault(name, False)
    return results


def explain_missing(device: Device, ort_message: str = "") -> str:
    """Say what is missing for a device on this machine, and what to do."""
    reason = _explain_missing_cuda(device)
    if device.kind == "tensorrt" and CUDA in list_providers() and has_driver():
        reason = _explain_card_count(device) or (
            "onnxruntime could not load TensorRT 10; install 'archive-colorizer[tensorrt]', or "
            "use --device cuda"
        )
        if TENSORRT not in list_providers():
            reason = "the installed onnxruntime has no TensorRT; use --device cuda"
    return f"{reason} (onnxruntime: {ort_message})" if ort_message and has_driver() else reason


def _explain_missing_cuda(device: Device) -> str:
    if CUDA not in list_providers():
        if platform.machine().lower() not in ("x86_64", "amd64"):
            return "there is no CUDA build of onnxruntime for this machine; use --device cpu"
        return (
            "the installed onnxruntime has no CUDA; uninstall onnxruntime and onnxruntime-gpu, "
            "then install 'archive-colorizer[cuda]'"
        )
    if not has_driver():
        return "no NVIDIA driver is loaded on this machine (no /dev/nvidiactl); use --device cpu"
    return _explain_card_count(device) or (
        "onnxruntime could not load its CUDA libraries; install 'archive-colorizer[cuda]' for the "
        "CUDA and cuDNN libraries that it needs, and look at driver and free memory with nvidia-smi"
    )


def _explain_card_count(device: Device) -> str:
    """Say how many cards are visible if the device's number is too high, otherwise nothing."""
    cards = list_visible_gpus()
    is_unknown = not cards and VISIBLE_DEVICES not in os.environ
    if is_unknown or device.number < len(cards):
        return ""
    count_message = f"{len(cards)} NVIDIA cards are visible here, counted from 0"
    return f"{count_message}; see nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu"


@contextmanager
def translate_errors(model: str) -> Iterator[None]:
    """Translate errors of a session to MemoryError, DeviceError or ModelError."""
    try:
        yield
    except _list_session_errors() as error:
        if _MEMORY_ERROR.search(str(error)):
            raise MemoryError(str(error)) from None
        if _DEVICE_ERROR.search(str(error)):
            raise DeviceError(f"model {model}: the device failed ({error})") from None
        raise ModelError(f"model {model}: the network failed ({error})") from None


@cache
def _list_session_errors() -> tuple[type[Exception], ...]:
    """Return the types that a session raises: those of onnxruntime share no base but Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    error_types = [kind for kind in vars(state).values() if isinstance(kind, type)]
    return (
        *(kind for kind in error_types if issubclass(kind, Exception)),
        RuntimeError,
        ValueError,
    )


def allocate_memory(device: Device, shape: tuple[int, ...], kind: npt.DTypeLike) -> Any:
    """Allocate an uninitialized OrtValue in the memory of a device."""
    where = "cpu" if device.kind == "cpu" else "cuda"
    make = _load_onnxruntime().OrtValue.ortvalue_from_shape_and_type
    return make(list(shape), np.dtype(kind).type, where, device.number)


def _load_onnxruntime() -> Any:
    """Import the library; raises DependencyError."""
    # Newer builds send telemetry over the network unless this is set (Privacy.md of onnxruntime).
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError(
            f"onnxruntime cannot be loaded ({error}); install archive-colorizer again"
        ) from None
    # Level 4 is fatal: our own error reports a failing CUDA load, not the log of the library.
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


def _create_session(data: bytes, providers: Sequence[Any], threads: int) -> Any:
    ort = _load_onnxruntime()
    if providers != [CPU]:
        _preload_libraries(ort)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Spinning threads of several workers would block each other's cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        # A model from bytes cannot name an external file.  With fallback, a device that fails
        # would silently be replaced by the CPU.
        return ort.InferenceSession(data, options, providers=list(providers), enable_fallback=0)
    except _list_session_errors() as error:
        raise _SessionError(str(error).splitlines()[0][:300]) from None


def _preload_libraries(ort: Any) -> None:
    """Load the libraries of the `cuda` and `tensorrt` extras without output on stdout."""
    if not has_driver():
        return
    # CUDA would otherwise order cards by speed, so that cuda:1 is not the one of nvidia-smi.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if hasattr(ort, "preload_dlls"):
        # It prints missing libraries, and standard output may be a summary in JSON.
        with redirect_stdout(io.StringIO()):
            ort.preload_dlls()
    # The wheel loads its libraries when it is imported.
    with suppress(ImportError, OSError):
        import_module("tensorrt_libs")
