"""Runtime: sessions, and what of them this machine has.  The only door to onnxruntime."""

import io
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from functools import cache
from importlib import import_module
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from archive_colorizer.device import VISIBLE, Device, Kind, has_driver, visible_cards
from archive_colorizer.errors import DependencyError, DeviceError, ModelError

Tensor: TypeAlias = npt.NDArray[np.floating[Any]]
Network: TypeAlias = Callable[[Tensor], Tensor]
"""N x C x H x W to N x c x h x w.

Raises ModelError, DeviceError where the device fails, and MemoryError where memory is short.
"""

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
TENSORRT: Final = "TensorrtExecutionProvider"

PROVIDERS: Final[Mapping[Kind, str]] = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}
"""What onnxruntime calls each kind of device."""

_NO_MEMORY: Final = (
    "failed to allocate memory",
    "out of memory",
    "bad allocation",
    "bad_alloc",
    "alloc_failed",
    "available memory of",
    "outofmemory",
)
"""What onnxruntime and NVIDIA's libraries say, under errors of any type."""

_DEVICE_FAILS: Final = (
    "cuda failure",
    "cuda error",
    "cudnn failure",
    "cudnn_fe failure",
    "cublas failure",
    "cudaerror",
    "enqueue failed",
)
"""The same where it is not this picture's fault: the next one will fare no better."""


def on_device(device: Device, engines: Mapping[str, str] | None = None) -> list[Any]:
    """The providers of a session there, the wanted one first; `engines` are TensorRT's options."""
    # HEURISTIC, since pictures of other shapes come all the time: the default tries all ways
    # of each convolution for each new shape, which takes seconds.
    options = {
        "device_id": str(device.number),
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
    }
    wanted: list[Any] = [(CUDA, options), CPU]
    if device.kind == "tensorrt":
        wanted.insert(0, (TENSORRT, {"device_id": str(device.number), **(engines or {})}))
    return [CPU] if device.kind == "cpu" else wanted


def open_session(data: bytes, origin: str, device: Device, threads: int, **engines: str) -> Any:
    """A session with the bytes of a model; `origin` names it in errors.

    Raises ModelError for bytes that are no sound model, and DeviceError when the device is
    not what the session has.
    """
    wanted = PROVIDERS[device.kind]
    if wanted not in available():
        raise DeviceError(f"--device {device}: {why_missing(device)}")
    try:
        session = _session(data, on_device(device, engines), threads)
    except _Refused as refused:
        if wanted != CPU:
            _check_sound(data, origin)
            raise DeviceError(f"--device {device}: {why_missing(device, str(refused))}") from None
        raise ModelError(f"{origin}: not a sound ONNX file ({refused})") from None
    if session.get_providers()[0] != wanted:
        raise DeviceError(f"--device {device}: {why_missing(device)}")
    return session


class _Refused(Exception):
    """onnxruntime gives no session; the reason in its words."""


def _check_sound(data: bytes, origin: str) -> None:
    """Raise ModelError for what opens on no CPU, so that no device is blamed for it."""
    try:
        _session(data, [CPU], 1)
    except _Refused as refused:
        raise ModelError(f"{origin}: not a sound ONNX file ({refused})") from None


def available() -> list[str]:
    """The providers that the installed onnxruntime was built with; not whether they load."""
    found: list[str] = onnxruntime().get_available_providers()
    return found


def providers_that_load(data: bytes) -> dict[str, bool]:
    """For each provider that onnxruntime lists, whether a session with this model holds it."""
    found = {}
    for kind, name in PROVIDERS.items():
        if name in available():
            with suppress(_Refused):
                session = _session(data, on_device(Device(kind)), 1)
                found[name] = session.get_providers()[0] == name
            found.setdefault(name, False)
    return found


def why_missing(device: Device, said: str = "") -> str:
    """A sentence about what is missing for a device on this machine, and what to do.

    said: why onnxruntime gives no session, where it is known.
    """
    reason = _why_missing(device)
    return f"{reason} (onnxruntime: {said})" if said and has_driver() else reason


def _why_missing(device: Device) -> str:
    if device.kind == "tensorrt" and CUDA in available() and has_driver():
        if TENSORRT not in available():
            return "the installed onnxruntime has no TensorRT; use --device cuda"
        return _beyond(device) or (
            "onnxruntime could not load TensorRT 10; install 'archive-colorizer[tensorrt]', or "
            "use --device cuda"
        )
    return why_no_cuda(device)


def why_no_cuda(device: Device | None = None) -> str:
    """A sentence about what is missing for CUDA on this machine."""
    if CUDA not in available():
        if platform.machine().lower() not in ("x86_64", "amd64"):
            return "there is no CUDA build of onnxruntime for this machine; use --device cpu"
        return (
            "the installed onnxruntime has no CUDA; uninstall onnxruntime and onnxruntime-gpu, "
            "then install 'archive-colorizer[cuda]'"
        )
    if not has_driver():
        return "no NVIDIA driver is loaded on this machine (no /dev/nvidiactl); use --device cpu"
    return _beyond(device or Device("cuda")) or (
        "onnxruntime could not load its CUDA libraries; install 'archive-colorizer[cuda]' for the "
        "CUDA and cuDNN libraries that it needs, and look at driver and free memory with nvidia-smi"
    )


def _beyond(device: Device) -> str:
    """A sentence where there are not so many cards; empty where there are."""
    cards = visible_cards()
    is_unknown = not cards and VISIBLE not in os.environ
    if is_unknown or device.number < len(cards):
        return ""
    said = f"{len(cards)} NVIDIA cards are visible here, counted from 0"
    return f"{said}; see nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu"


@contextmanager
def failures_of(model: str) -> Iterator[None]:
    """Errors of a session in here become MemoryError, DeviceError or ModelError."""
    try:
        yield
    except session_errors() as error:
        if any(words in str(error).lower() for words in _NO_MEMORY):
            raise MemoryError(str(error)) from None
        if any(words in str(error).lower() for words in _DEVICE_FAILS):
            raise DeviceError(f"model {model}: the device failed ({error})") from None
        raise ModelError(f"model {model}: the network failed ({error})") from None


@cache
def session_errors() -> tuple[type[Exception], ...]:
    """What a session raises: onnxruntime's own errors share no type below Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [kind for kind in vars(state).values() if isinstance(kind, type)]
    return (*(kind for kind in own if issubclass(kind, Exception)), RuntimeError, ValueError)


def memory_on(device: Device, shape: tuple[int, ...], kind: npt.DTypeLike) -> Any:
    """An OrtValue of this shape in the memory of a device, with anything in it."""
    where = "cpu" if device.kind == "cpu" else "cuda"
    make = onnxruntime().OrtValue.ortvalue_from_shape_and_type
    return make(list(shape), np.dtype(kind).type, where, device.number)


def onnxruntime() -> Any:
    """The library; raises DependencyError."""
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


def _session(data: bytes, providers: Sequence[Any], threads: int) -> Any:
    ort = onnxruntime()
    if providers != [CPU]:
        _preload(ort)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Spinning threads of several workers would take each other's cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        # From bytes: so a model can name no external file, by whatever kind of link.
        # Without fallback: with it, a device that fails is left for the CPU on the way.
        return ort.InferenceSession(data, options, providers=list(providers), enable_fallback=0)
    except session_errors() as error:
        raise _Refused(str(error).splitlines()[0][:300]) from None


def _preload(ort: Any) -> None:
    """Load the libraries of the `cuda` and `tensorrt` extras, without words on standard output."""
    if not has_driver():
        return
    # Else CUDA would count cards by their speed, and cuda:1 not be the one of nvidia-smi.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if hasattr(ort, "preload_dlls"):
        # It prints what is missing, and standard output may be a summary in JSON.
        with redirect_stdout(io.StringIO()):
            ort.preload_dlls()
    # Its wheel loads its libraries as it is imported.
    with suppress(ImportError, OSError):
        import_module("tensorrt_libs")
