"""Name the devices that a network can run on, and list the GPUs of this machine."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast, get_args

from archive_colorizer.errors import UsageError

DeviceKind: TypeAlias = Literal["auto", "cpu", "cuda", "tensorrt"]
DEVICE_KINDS: Final[tuple[DeviceKind, ...]] = get_args(DeviceKind)

DEVICE_PATTERN: Final = r"^(auto|cpu|(cuda|tensorrt)(:[0-9]{1,3})?)$"
"""Regular expression of the devices that `Device.parse` accepts."""

VISIBLE_DEVICES: Final = "CUDA_VISIBLE_DEVICES"
"""Environment variable: the GPUs that a process sees, by number or UUID."""

# NVIDIA's driver has the first of these on Linux, and the second inside WSL.
_DRIVER_PATHS: Final = ("/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1")
_QUERY_TIMEOUT: Final = 20.0
"""Seconds for nvidia-smi, whose first call wakes up the driver."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device to run a network on; `index` counts visible GPUs from 0, None means any."""

    kind: DeviceKind
    index: int | None = None

    @property
    def number(self) -> int:
        return self.index or 0

    def __str__(self) -> str:
        return self.kind if self.index is None else f"{self.kind}:{self.index}"

    @classmethod
    def parse(cls, text: str) -> "Device":
        """Parse a device such as `auto`, `cpu`, `cuda:1` or `tensorrt`; raises UsageError."""
        if not re.fullmatch(DEVICE_PATTERN, text):
            names = ", ".join(DEVICE_KINDS)
            raise UsageError(f"device must be one of {names}, or cuda:1, not {text!r}")
        word, _, index = text.partition(":")
        return cls(cast(DeviceKind, word), int(index) if index else None)


def has_driver() -> bool:
    """Return whether NVIDIA's driver is loaded on this machine."""
    return os.name == "nt" or any(Path(path).exists() for path in _DRIVER_PATHS)


def list_visible_gpus() -> tuple[str, ...]:
    """List the GPUs that this process may use, each as in `CUDA_VISIBLE_DEVICES`."""
    chosen = os.environ.get(VISIBLE_DEVICES)
    if chosen is not None:
        return _take_until_invalid(chosen.split(","))
    uuids = query_gpus("uuid")
    if uuids:
        return uuids
    numbers = (path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    return tuple(sorted(filter(str.isdecimal, numbers), key=int))


def query_gpus(fields: str) -> tuple[str, ...]:
    """Ask nvidia-smi for --query-gpu fields, one string for each GPU; empty without it."""
    program = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path="/usr/lib/wsl/lib")
    if program is None:
        return ()
    command = [program, f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        completed = subprocess.run(  # noqa: S603 (the driver's own program with a fixed command line)
            command, capture_output=True, text=True, timeout=_QUERY_TIMEOUT, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in completed.stdout.splitlines() if line.strip())


def _take_until_invalid(entries: Sequence[str]) -> tuple[str, ...]:
    """Return the entries up to the first invalid one, where CUDA also stops reading."""
    gpus: list[str] = []
    for word in (one.strip() for one in entries):
        if not word or word.startswith("-") or word in gpus:
            break
        gpus.append(word)
    return tuple(gpus)
