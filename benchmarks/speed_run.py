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
_WEIGH = 0.1
"""Seconds between looks at memory and time, of which the last moments of a process are lost."""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds, and peaks of resident memory in MB: of the parent, and of each worker."""

    wall: float
    cpu: float
    first: float
    parent_mb: float
    workers_mb: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A process when it was last looked at: seconds of CPU, peak of memory in MB."""

    cpu: float
    peak: float
    is_worker: bool


def restore(scans: Path, output: Path, words: Sequence[str]) -> Took:
    """Run `archive-colorize run` over a folder; raises SystemExit when it fails."""
    program = str(Path(sys.executable).with_name("archive-colorize"))
    command = [program, "run", str(scans), "--output", str(output), "--quiet", *words]
    seen: dict[int, Seen] = {}
    first, weighed = 0.0, 0.0
    begun = time.monotonic()
    with subprocess.Popen(command) as running:
        while True:
            ended = running.poll() is not None
            now = time.monotonic() - begun
            if ended:
                break
            first = first or (now if has_result(output) else 0.0)
            if now - weighed >= _WEIGH:
                weighed = now
                look_at(running.pid, seen)
            time.sleep(_LOOK if not first else _WEIGH)
    if running.returncode:
        raise SystemExit(f"{' '.join(command)}: ended with {running.returncode}")
    held = tuple(sorted(one.peak for one in seen.values() if one.is_worker))
    parent = seen[running.pid].peak if running.pid in seen else 0.0
    return Took(now, sum(one.cpu for one in seen.values()), first or now, parent, held)


def has_result(output: Path) -> bool:
    """Whether a first result has its name."""
    with suppress(OSError), os.scandir(output) as entries:
        return any(not one.name.startswith((".", "manifest")) for one in entries)
    return False


def look_at(pid: int, seen: dict[int, Seen]) -> None:
    """Bring what is known of a process and all below it up to date.

    The run does not wait for workers that are forked for it, so nobody sums their time up.
    """
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for one in (root, *root.children(recursive=True)):
            with suppress(psutil.Error, OSError):
                spent = one.cpu_times()
                before = seen[one.pid].peak if one.pid in seen else 0.0
                seen[one.pid] = Seen(
                    spent.user + spent.system,
                    max(before, peak_of(one)),
                    is_worker=one.pid != pid and is_worker(one.cmdline()),
                )


def is_worker(command: Sequence[str]) -> bool:
    """Whether a process is a sandbox of the run, or the one from which they are forked."""
    return any("import serve" in word for word in command)


def peak_of(one: psutil.Process) -> float:
    """MB at most so far; where the system does not tell (it is Linux that does), MB now."""
    with suppress(OSError):
        for line in Path(f"/proc/{one.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return float(one.memory_info().rss / 1e6)
