"""Engines: what TensorRT makes of a model, once for a model, a card and a version, and keeps."""

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
from archive_colorizer.model.batching import SIZES
from archive_colorizer.model.color_spaces import working_bounds, working_size
from archive_colorizer.model.contract import CHANNELS, METADATA_KEY, ModelContract, sized
from archive_colorizer.model.onnx_metadata import metadata_in
from archive_colorizer.model.runtime import open_session

_WIDEST: Final = 64
"""Of an engine: squares of the model's size in a batch; an engine has memory for its largest."""

_VERSIONED: Final = (
    "onnxruntime-gpu",
    "tensorrt-cu13-libs",
    "tensorrt-cu12-libs",
    "tensorrt-libs",
)
"""Libraries of which another version needs another engine."""


def open_engine(data: bytes, origin: str, device: Device, threads: int, size: int) -> Any:
    """A session on TensorRT with the engine of the cache, which is built where it is missing.

    size: the working size in pixels, 0 for the model's own.

    That takes minutes; other processes that want it wait meanwhile.  Raises as `open_session`
    does.
    """
    text = metadata_in(data, origin).get(METADATA_KEY)
    options = {} if text is None else profile(sized(ModelContract.from_json(text, origin), size))
    folder = engine_folder(data)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            return _opened_in(folder, data, origin, device, threads, options)
    except OSError as error:
        raise DeviceError(
            f"--device {device}: its engines cannot be kept in {folder} ({error.strerror}); set "
            "XDG_CACHE_HOME to a folder that can be written, or use --device cuda"
        ) from None


def _opened_in(
    folder: Path, data: bytes, origin: str, device: Device, threads: int, options: dict[str, str]
) -> Any:
    kept = {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }
    had = any(folder.iterdir())
    try:
        return open_session(data, origin, device, threads, **options, **kept)
    except DeviceError:
        if not had:
            raise
    # An engine of another driver, or half of one: built anew, once.
    with suppress(OSError):
        rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return open_session(data, origin, device, threads, **options, **kept)


def engine_folder(data: bytes) -> Path:
    """Where the engines of a model with these bytes are kept, for the libraries of today."""
    versions = []
    for name in _VERSIONED:
        with suppress(metadata.PackageNotFoundError):
            versions.append(metadata.version(name))
    cache = user_cache_path("archive-colorizer") / "tensorrt"
    return cache / "-".join([hashlib.sha256(data).hexdigest()[:24], *versions])


def profile(contract: ModelContract) -> dict[str, str]:
    """The shapes that an engine is made for, as TensorRT's options; all of a run's are among them.

    It is fastest for full batches of pictures of 3 : 2.
    """
    given = contract.input
    least, largest = working_bounds(given)
    most = most_in_engine(contract)
    shapes = {
        "min": (1, least, least),
        "opt": (most, *working_size(given, 1000, 1500)),
        "max": (most, largest, largest),
    }
    channels = CHANNELS[given.space]
    return {
        f"trt_profile_{name}_shapes": f"{given.name}:{count}x{channels}x{height}x{width}"
        for name, (count, height, width) in shapes.items()
    }


def most_in_engine(contract: ModelContract) -> int:
    """How many pictures an engine takes at once; fewer where their shapes may differ much."""
    _, largest = working_bounds(contract.input)
    fitting = _WIDEST * contract.input.size**2 // largest**2
    fitting = min(fitting, contract.max_batch or fitting)
    return max(size for size in SIZES if size == 1 or size <= fitting)
