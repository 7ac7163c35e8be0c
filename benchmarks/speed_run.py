"""What a run of the installed command takes: wall, CPU with all its children, memory."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_LOOK = 0.02
"""Seconds between looks for the first result."""
_WEIGH = 0.25
"""Seconds between looks at memory."""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds, and peaks of resident memory in MB: of the parent, and of each worker."""

    wall: float
    cpu: float
    first: float
    parent_mb: float
    workers_mb: tuple[float, ...]


def restore(scans: Path, output: Path, words: Sequence[str]) -> Took:
    """Run `archive-colorize run` over a folder; raises SystemExit when it fails."""
    program = str(Path(sys.executable).with_name("archive-colorize"))
    command = [program, "run", str(scans), "--output", str(output), "--quiet", *words]
    peaks: dict[int, float] = {}
    workers: set[int] = set()
    first, weighed = 0.0, 0.0
    begun = time.monotonic()
    with subprocess.Popen(command) as running:
        while True:
            pid, status, spent = os.wait4(running.pid, os.WNOHANG)
            now = time.monotonic() - begun
            if pid:
                running.returncode = os.waitstatus_to_exitcode(status)
                break
            first = first or (now if _has_result(output) else 0.0)
            if now - weighed >= _WEIGH:
                weighed = now
                _weigh(running.pid, peaks, workers)
            time.sleep(_LOOK if not first else _WEIGH / 2)
    if running.returncode:
        raise SystemExit(f"{' '.join(command)}: ended with {running.returncode}")
    held = tuple(sorted(peaks[one] for one in workers))
    parent = peaks.get(running.pid, 0.0)
    return Took(now, spent.ru_utime + spent.ru_stime, first or now, parent, held)


def _has_result(output: Path) -> bool:
    with suppress(OSError), os.scandir(output) as entries:
        return any(not one.name.startswith((".", "manifest")) for one in entries)
    return False


def _weigh(pid: int, peaks: dict[int, float], workers: set[int]) -> None:
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for one in (root, *root.children(recursive=True)):
            with suppress(psutil.Error, OSError):
                peaks[one.pid] = max(peaks.get(one.pid, 0.0), peak_of(one))
                if one.pid != pid and any("spawn_main" in word for word in one.cmdline()):
                    workers.add(one.pid)


def peak_of(one: psutil.Process) -> float:
    """MB at most so far; where the system does not tell (it is Linux that does), MB now."""
    with suppress(OSError):
        for line in Path(f"/proc/{one.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return float(one.memory_info().rss / 1e6)
