"""Memory, descriptors and threads of a long run: `python -m benchmarks.soak --minutes 30`.

The installed command restores the sample archive, linked so many times that it has no end, until
the minutes are over and SIGTERM stops it.  Four times a minute every process of the run is looked
at.  A run is flat when no process holds more in the last quarter than in the second one: memory to
within `NOISE`, open files and threads to within one, which a picture in hand may hold.  Ends with 1
when a run is not flat, or does not stop as it should.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from archive_colorizer.errors import ExitCode
from archive_colorizer.sample import write_sample
from benchmarks.speed_run import is_worker

HEAD = "process|looks|MB: 2nd quarter|MB: last quarter|MB an hour|open files|threads|flat"
NOISE = 0.05
"""Share of its memory by which a process may grow: what the pictures in hand differ by."""
_COPIES_A_MINUTE = 2000
"""More than the fastest machine restores with a network that does nothing."""
_MOST_LINKS = 60_000
"""To one file: ext4 takes 65,000."""
_WARM = 0.25
"""Share of the run in which libraries load and arenas find their size."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a process held at a moment: MB resident, open descriptors, threads."""

    seconds: float
    megabytes: float
    files: int
    threads: int


@dataclass(frozen=True, slots=True)
class Course:
    """How one process fared, by medians of its looks; `slope` in MB an hour."""

    name: str
    looks: int
    before: float
    after: float
    slope: float
    files: tuple[int, int]
    threads: tuple[int, int]

    @property
    def flat(self) -> bool:
        counts = (self.files, self.threads)
        grown = any(now > then + 1 for then, now in counts)
        return self.after <= self.before * (1 + NOISE) and not grown

    def row(self) -> str:
        files, threads = (" to ".join(map(str, one)) for one in (self.files, self.threads))
        memory = f"{self.before:.0f}|{self.after:.0f}|{self.slope:+.0f}"
        return f"{self.name}|{self.looks}|{memory}|{files}|{threads}|{'yes' if self.flat else 'NO'}"


def course(name: str, looks: Sequence[Look], minutes: float) -> Course:
    """Weigh the looks at one process of a run that lasted `minutes`."""
    end = minutes * 60
    settled = [one for one in looks if one.seconds >= end * _WARM]
    second = [one for one in settled if one.seconds < end * 0.5] or settled[:1]
    last = [one for one in settled if one.seconds >= end * 0.75] or settled[-1:]
    times, held = [one.seconds for one in settled], [one.megabytes for one in settled]
    slope = statistics.linear_regression(times, held).slope * 3600 if len(settled) > 2 else 0.0
    return Course(
        name=name,
        looks=len(settled),
        before=statistics.median(one.megabytes for one in second),
        after=statistics.median(one.megabytes for one in last),
        slope=slope,
        files=(_middle(one.files for one in second), _middle(one.files for one in last)),
        threads=(_middle(one.threads for one in second), _middle(one.threads for one in last)),
    )


def _middle(counts: Iterable[int]) -> int:
    return round(statistics.median(counts))


def lay_out(folder: Path, copies: int) -> Path:
    """The sample archive, and `copies` folders of hard links to its files."""
    write_sample(folder / "sample")
    files = [path for path in (folder / "sample").rglob("*") if path.is_file()]
    for number in range(copies):
        box = folder / "scans" / f"box-{number:05}"
        box.mkdir(parents=True)
        for path in files:
            os.link(path, box / path.name)
    return folder / "scans"


def _role(one: psutil.Process) -> str:
    """What a process of the run is; the one that workers are forked from has children."""
    if not is_worker(one.cmdline()):
        return "other"
    return "origin" if one.children() else "worker"


def look_at(root: psutil.Process, begun: float, known: dict[tuple[str, int], list[Look]]) -> None:
    """Add a look at each process of the run to what is `known`, by role and id."""
    with suppress(psutil.Error):
        for one in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error, IndexError):
                role = "run" if one == root else _role(one)
                held = one.memory_info().rss / 1e6
                look = Look(time.monotonic() - begun, held, one.num_fds(), one.num_threads())
                known[role, one.pid].append(look)


def soak(scans: Path, options: argparse.Namespace) -> tuple[list[Course], int, int]:
    """Run for the minutes; the course of each process, files accounted for, and the exit code."""
    output = scans.parent / "out"
    program = str(Path(sys.executable).with_name("archive-colorize"))
    words = [program, "run", str(scans), "--output", str(output), "--quiet"]
    words += ["--model", options.model, "--workers", str(options.workers)]
    known: dict[tuple[str, int], list[Look]] = defaultdict(list)
    begun = time.monotonic()
    with subprocess.Popen(words) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None and time.monotonic() - begun < options.minutes * 60:
            look_at(root, begun, known)
            time.sleep(min(15.0, options.minutes))
        process.send_signal(signal.SIGTERM)
    late = options.minutes * 60 * _WARM
    courses = [
        course(f"{role} {pid}", looks, options.minutes)
        for (role, pid), looks in sorted(known.items())
        if looks[-1].seconds >= late
    ]
    lines = (output / "manifest.jsonl").read_bytes().count(b'"kind": "outcome"')
    return courses, lines, process.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0 when everything is flat."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--model", default="default")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        scans = lay_out(Path(folder), min(_MOST_LINKS, int(options.minutes * _COPIES_A_MINUTE) + 1))
        courses, files, ended = soak(scans, options)
    for line in (HEAD, "|".join(["---"] * 8), *(one.row() for one in courses)):
        print(f"| {line.replace('|', ' | ')} |")
    print(f"{files} files accounted for in {options.minutes:g} minutes; ended with {ended}")
    sound = ended == ExitCode.TERMINATED and bool(courses) and all(one.flat for one in courses)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
