"""Build and cache TensorRT engines, one for each model, card and version of the libraries."""

import hashlib
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

from filelock import FileLock
from platformdirs import user_cache_path

from archive_colorizer.device import Device
from archive_colorizer.errors import DeviceError
from archive_colorizer.model.batching import BATCH_SIZES
from archive_colorizer.model.contract import CHANNELS, ModelContract
from archive_colorizer.model.onnx_metadata import parse_contract
from archive_colorizer.model.runtime import open_session

_MAX_SQUARES: Final = 64
"""Largest batch of squares of the model's size: an engine reserves memory for its largest."""

_VERSIONED: Final = (
    "onnxruntime-gpu",
    "tensorrt-cu13-libs",
    "tensorrt-cu12-libs",
    "tensorrt-libs",
)
"""Another version of one of these libraries needs another engine."""


def open_engine(data: bytes, origin: str, device: Device, threads: int, size: int) -> Any:
    """Open a session with the cached engine; build it first if it is missing.

    size: the working size in pixels, 0 for the model's own.  Building takes minutes, and other
    processes wait for it.  Raises the errors of `open_session`.
    """
    contract = parse_contract(data, origin)
    options = {} if contract is None else build_profile(contract.resize(size))
    folder = _get_engine_folder(data)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            return _open_in_folder(folder, data, origin, device, threads, options)
    except OSError as error:
        raise DeviceError(
            f"--device {device}: its engines cannot be stored in {folder} ({error.strerror}); set "
            "XDG_CACHE_HOME to a folder that can be written, or use --device cuda"
        ) from None


def _open_in_folder(
    folder: Path, data: bytes, origin: str, device: Device, threads: int, options: dict[str, str]
) -> Any:
    cache_options = {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }
    has_engine = any(folder.iterdir())
    try:
        return open_session(data, origin, device, threads, **options, **cache_options)
    except DeviceError:
        if not has_engine:
            raise
    # The engine belongs to another driver or is incomplete: rebuild it once.
    with suppress(OSError):
        rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return open_session(data, origin, device, threads, **options, **cache_options)


def _get_engine_folder(data: bytes) -> Path:
    """Return the cache folder for a model with these bytes and the installed libraries."""
    versions = []
    for name in _VERSIONED:
        with suppress(metadata.PackageNotFoundError):
            versions.append(metadata.version(name))
    cache = user_cache_path("archive-colorizer") / "tensorrt"
    return cache / "-".join([hashlib.sha256(data).hexdigest()[:24], *versions])


def build_profile(contract: ModelContract) -> dict[str, str]:
    """Return TensorRT's options for all shapes of a run; full batches of 3:2 are fastest."""
    model_input = contract.input
    least, largest = model_input.compute_side_bounds()
    max_batch = compute_max_batch(contract)
    shapes = {
        "min": (1, least, least),
        "opt": (max_batch, *model_input.compute_working_size(1000, 1500)),
        "max": (max_batch, largest, largest),
    }
    channels = CHANNELS[model_input.space]
    return {
        f"trt_profile_{name}_shapes": f"{model_input.name}:{count}x{channels}x{height}x{width}"
        for name, (count, height, width) in shapes.items()
    }


def compute_max_batch(contract: ModelContract) -> int:
    """Return the largest batch of an engine, smaller where shapes may differ much."""
    _, largest = contract.input.compute_side_bounds()
    fitting = _MAX_SQUARES * contract.input.size**2 // largest**2
    fitting = min(fitting, contract.max_batch or fitting)
    return max(size for size in BATCH_SIZES if size == 1 or size <= fitting)
