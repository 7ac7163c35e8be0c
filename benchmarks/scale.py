"""What a file costs beside the work on its picture: `python -m benchmarks.scale`.

Trees of hard links to a few small pictures are listed, planned, restored, restored again and, after
a kill in the middle, restored to the end.  Once with a task that only copies, so that the run's own
work is seen plainly, and once (`--pictures N`) with the real command beside the same work on the
pictures alone, in as many processes.  Seconds are those of the wall; CPU is that of all processes
of the run together.  The start (of a run over one file) is taken off.  The disk's own part, files
that are written and brought to the disk one by one and eight at a time, is measured beside each.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import psutil

from archive_colorizer.discovery.walk import walk
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.pipeline.request import find_models
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import JobContext, Source
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.restore.model_cache import load_ensemble
from archive_colorizer.restore.photo import finish_photo
from archive_colorizer.run.plan import plan
from benchmarks.scale_tree import lay_out
from benchmarks.speed_run import Seen, has_result, look_at

HEAD = (
    "files|listing|planning|first run: wall|CPU|first result, s|nothing to do: wall|CPU|"
    "rest after a kill: wall|parent, MB|bytes a file|fsync one by one|eight at a time"
)
_LOOK = 0.05
_WEIGH = 0.2
"""Seconds between two looks at the CPU time of all processes; the last moments are lost."""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of a run, and what its parent held: MB at its peak, and at each tenth of the way."""

    wall: float
    cpu: float
    first: float
    peak: float
    course: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Milliseconds a file, but for what says otherwise."""

    files: int
    listing: float
    planning: float
    run_wall: float
    run_cpu: float
    first_seconds: float
    again_wall: float
    again_cpu: float
    rest_wall: float
    parent_mb: float
    bytes_a_file: float
    course_mb: tuple[float, ...]
    fsync_alone: float
    fsync_together: float

    def line(self) -> str:
        numbers = (self.listing, self.planning, self.run_wall, self.run_cpu)
        later = (self.again_wall, self.again_cpu, self.rest_wall)
        return "|".join(
            [f"{self.files:,}", *(f"{one:.2f}" for one in numbers), f"{self.first_seconds:.1f}"]
            + [f"{one:.2f}" for one in later]
            + [f"{self.parent_mb:.0f}", f"{self.bytes_a_file:.0f}"]
            + [f"{self.fsync_alone:.2f}", f"{self.fsync_together:.2f}"]
        )


def watch(command: Sequence[str], output: Path, until: int = 0) -> Took:
    """Run a command to its end, or kill all of it when so many results are there."""
    begun, first, weighed, held = time.monotonic(), 0.0, 0.0, []
    seen: dict[int, Seen] = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        while True:
            now = time.monotonic() - begun
            if running.poll() is not None:
                break
            if now - weighed >= _WEIGH:
                weighed = now
                look_at(running.pid, seen)
            with suppress(psutil.Error):
                held.append(psutil.Process(running.pid).memory_info().rss / 1e6)
            first = first or (now if has_result(output) else 0.0)
            if until and _recorded(output) >= until:
                _kill_all(psutil.Process(running.pid))
            time.sleep(_LOOK)
    if running.returncode and not until:
        raise SystemExit(f"{' '.join(command)}: ended with {running.returncode}")
    course = tuple(round(held[len(held) * tenth // 10], 1) for tenth in range(10)) if held else ()
    spent = sum(one.cpu for one in seen.values())
    return Took(now, spent, first or now, max(held, default=0.0), course)


def _kill_all(root: psutil.Process) -> None:
    for one in [root, *root.children(recursive=True)]:
        with suppress(psutil.Error):
            one.kill()


def _recorded(output: Path) -> int:
    with suppress(OSError):
        return (output / "manifest.jsonl").read_bytes().count(b'"kind": "outcome"')
    return 0


def list_and_plan(scans: Path, output: Path) -> tuple[float, float]:
    """Milliseconds of CPU a file: the walk alone, and all that is done before a file is sent."""
    recipe = Recipe()
    place = JobContext(str(output), "", recipe, **find_models(recipe))
    begun = time.process_time()
    files = sum(1 for _ in walk(scans))
    listed = time.process_time()
    steps = sum(1 for _ in plan(walk(scans), Manifest.peek(output), place))
    planned = time.process_time()
    assert files == steps
    return (listed - begun) / files * 1e3, (planned - listed) / files * 1e3


def fsync_floor(folder: Path, files: int = 128) -> tuple[float, float]:
    """Milliseconds a file of 1.5 kB: written and on the disk, one by one and eight at a time."""
    took = []
    for hands in (1, 8):
        place = folder / f"floor-{hands}"
        place.mkdir()
        begun = time.monotonic()
        opened = [os.open(place / str(number), os.O_CREAT | os.O_RDWR) for number in range(files)]
        for descriptor in opened:
            os.write(descriptor, b"x" * 1500)
        with ThreadPoolExecutor(hands) as pool:
            list(pool.map(os.fsync, opened))
        took.append((time.monotonic() - begun) / files * 1e3)
        for descriptor in opened:
            os.close(descriptor)
        shutil.rmtree(place)
    return took[0], took[1]


def measure(folder: Path, files: int, workers: int, start: Took) -> Row:
    """All of one tree, with the task that only copies."""
    scans, output = lay_out(folder, files), folder / "out"
    command = _bare(scans, output, workers)
    listing, planning = list_and_plan(scans, output)
    one_by_one, together = fsync_floor(folder)
    run = watch(command, output)
    assert _recorded(output) == files
    again = watch(command, output)
    shutil.rmtree(output)
    watch(command, output, until=files // 2)
    there = _results(output)
    left = files - _recorded(output)
    rest = watch(command, output)
    after = _results(output)
    assert there.items() <= after.items(), "something was made twice"
    assert len(after) == files == len(Manifest.peek(output))
    shutil.rmtree(folder)
    return Row(
        files=files,
        listing=listing,
        planning=planning,
        run_wall=(run.wall - start.wall) / files * 1e3,
        run_cpu=(run.cpu - start.cpu) / files * 1e3,
        first_seconds=run.first,
        again_wall=again.wall / files * 1e3,
        again_cpu=again.cpu / files * 1e3,
        rest_wall=(rest.wall - start.wall) / max(left, 1) * 1e3,
        parent_mb=run.peak,
        bytes_a_file=(run.peak - start.peak) * 1e6 / files,
        course_mb=run.course,
        fsync_alone=one_by_one,
        fsync_together=together,
    )


def _bare(scans: Path, output: Path, workers: int) -> list[str]:
    words = ["-m", "benchmarks.scale_bare", str(scans), str(output), str(workers)]
    return [sys.executable, *words]


def _results(output: Path) -> dict[str, tuple[int, int]]:
    """Name, and the inode and time by which a second making would show."""
    found = {}
    for path in output.glob("box-*/*.jpg"):
        status = path.stat()
        found[str(path.relative_to(output))] = status.st_ino, status.st_mtime_ns
    return found


def beside_pictures(folder: Path, files: int, workers: int) -> dict[str, float]:
    """The real command: CPU a file in milliseconds, and of the same work on the pictures alone."""
    scans, few, output = lay_out(folder, files), lay_out(folder / "few", 16), folder / "out"
    program = str(Path(sys.executable).with_name("archive-colorize"))
    words = ["--quiet", "--workers", str(workers), "--output"]
    start = watch([program, "run", str(few), *words, str(folder / "one")], folder / "one")
    run = watch([program, "run", str(scans), *words, str(output)], output)
    # As many at once as in the run: they share caches and the threads of a core there, too.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        alone = list(pool.map(_alone, [scans] * workers))
    pictures = sum(alone) / workers
    whole = (run.cpu - start.cpu) / (files - 16) * 1e3
    return {"files": files, "run_cpu": whole, "pictures_cpu": pictures, "own": whole - pictures}


def _alone(scans: Path) -> float:
    """Milliseconds of CPU for the work on one picture, in this process, when it is warm."""
    recipe = Recipe()
    painter = load_ensemble(JobContext("", "", recipe, **find_models(recipe)))
    sources = [one for one in walk(scans) if isinstance(one, Source)]
    for source in sources[:16]:
        finish_photo(source, painter, recipe, _begun(source))
    begun = time.process_time()
    for source in sources[16:]:
        finish_photo(source, painter, recipe, _begun(source))
    return (time.process_time() - begun) / len(sources[16:]) * 1e3


def _begun(source: Source) -> Outcome:
    return Outcome(key="", name=source.name, state=State.FAILED)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print tables as Markdown, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--pictures", type=int, default=0, help="files for the real command")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, help="folder for the trees, such as one in memory")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="scale-", dir=options.work) as name:
        folder = Path(name)
        # As many as there are processes: each begins, opens what it needs, and makes one.
        scans = lay_out(folder / "start", options.workers)
        start = watch(_bare(scans, folder / "start" / "out", options.workers), folder)
        rows = []
        if options.files:
            print(f"| {HEAD.replace('|', ' | ')} |")
            print("|" + "---:|" * len(HEAD.split("|")))
        for files in options.files:
            rows.append(measure(folder / str(files), files, options.workers, start))
            print(f"| {rows[-1].line().replace('|', ' | ')} |", flush=True)
        if rows:
            print("the parent's MB at each tenth of the largest run:", *rows[-1].course_mb)
        found = {"start": asdict(start), "rows": [asdict(row) for row in rows]}
        if options.pictures:
            beside = beside_pictures(folder / "pictures", options.pictures, options.workers)
            print(*(f"{key} {value:.4g}" for key, value in beside.items()), sep=", ")
            found["pictures"] = beside
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
