"""The folder of a run's temporary files and journals, and the recovery of results from it.

A worker writes each result to its journal before the result appears under its final name, so that
a result that a killed run or worker could not report is found again.
"""

import contextlib
import fcntl
import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from archive_colorizer.errors import OutputBusy, OutputError
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.output.local import open_folder
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.json_lines import iter_lines, parse_outcome
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.records.paths import WORK, get_sidecar_path
from archive_colorizer.storage.atomic import describe_write_error, sync_folder
from archive_colorizer.storage.reading import get_storage

_JOURNAL = ".jsonl"
_DEAD = ".dead"
_LOCK_FILES = frozenset({"lock", "holder.json"})
_ORPHAN_SECONDS = 10.0
"""Seconds for the orphans of a killed run to finish the file they are writing."""


class RecoverableWork(Protocol):
    """Results that a run made and did not report."""

    def find_finished(self, jobs: Iterable[Job]) -> dict[str, Outcome]:
        """Find the unreported results of `jobs`, by key."""

    def discard(self) -> None:
        """Remove the folder, because all results are recorded."""

    def rescue(self, manifest: Manifest) -> list[Outcome]:
        """Record the results that are not in the manifest, and remove the folder."""


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The folder of one run inside the output; see RecoverableWork."""

    output: Path
    path: Path

    @classmethod
    def open(cls, output: Path, run: str) -> "WorkFolder":
        """Create the folder of a run; raises OutputError."""
        path = output / WORK / re.sub(r"[^A-Za-z0-9-]", "-", run)[:80]
        try:
            path.mkdir()
            for folder in (path.parent, output):
                with open_folder(str(folder)) as descriptor:
                    sync_folder(descriptor)
        except OSError as error:
            raise describe_write_error(path, error, "work in") from error
        return cls(output, path)

    def find_finished(self, jobs: Iterable[Job]) -> dict[str, Outcome]:
        jobs_by_key = {job.key: job for job in jobs}
        finished: dict[str, Outcome] = {}
        for journal in _find_journals(self.path):
            for outcome in _read(journal):
                job = jobs_by_key.get(outcome.key)
                if job is None or outcome.target != job.target:
                    continue
                if (current := _update_stamp(self.output, outcome)) is not None:
                    finished[outcome.key] = current
        return finished

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            shutil.rmtree(self.path)

    def rescue(self, manifest: Manifest) -> list[Outcome]:
        # A process that was given up for lost may have gone on for a while.
        try:
            return _sweep_folder(self.output, self.path, manifest)
        except (OSError, OutputError, OutputBusy):
            # The journals stay for the next run.
            for folder in (self.path, _get_dead_path(self.path)):
                with contextlib.suppress(OSError):
                    for entry in list(os.scandir(folder)):
                        if not entry.name.endswith(_JOURNAL):
                            Path(entry.path).unlink()
            return []


def sweep(output: Path, manifest: Manifest) -> int:
    """Record what dead runs made and did not record, and remove their folders.

    The run must own the output.  Returns the number of recorded outcomes.  Raises OutputError, and
    OutputBusy when an orphan of a killed run is still writing.
    """
    recorded = 0
    try:
        for entry in list(os.scandir(output / WORK)):
            if entry.name in _LOCK_FILES:
                continue
            if entry.is_dir(follow_symlinks=False):
                recorded += len(_sweep_folder(output, Path(entry.path), manifest))
            else:
                Path(entry.path).unlink()
    except OSError as error:
        raise describe_write_error(output / WORK, error, "work in") from error
    return recorded


def _get_dead_path(path: Path) -> Path:
    return path if path.name.endswith(_DEAD) else path.with_name(path.name + _DEAD)


def _sweep_folder(output: Path, path: Path, manifest: Manifest) -> list[Outcome]:
    # Under another name no orphan can open a journal or find its temporary file again.
    dead = _get_dead_path(path)
    if dead != path:
        path.rename(dead)
    missing: dict[str, Outcome] = {}
    with ExitStack() as stack:
        for journal in _find_journals(dead):
            stack.enter_context(_lock_journal(journal))
            for outcome in _read(journal):
                if not _is_new(outcome, manifest):
                    continue
                if (current := _update_stamp(output, outcome)) is not None:
                    missing[outcome.name] = current
                else:
                    _remove_sidecar(output, outcome)
        manifest.append(list(missing.values()))
        shutil.rmtree(dead)
    return list(missing.values())


@contextlib.contextmanager
def _lock_journal(path: Path) -> Iterator[BinaryIO]:
    """Wait until no orphan is between its journal and the final name of its result."""
    with path.open("rb") as stream:
        end = time.monotonic() + _ORPHAN_SECONDS
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise OutputBusy(
                        f"a worker of a killed run is still writing ({path}); end it and try again"
                    ) from None
                time.sleep(0.05)
        yield stream


def _is_new(outcome: Outcome, manifest: Manifest) -> bool:
    newest = manifest.find_newest(outcome.name)
    return newest is None or (newest.key, newest.target_sha256, newest.source_sha256) != (
        outcome.key,
        outcome.target_sha256,
        outcome.source_sha256,
    )


def _update_stamp(output: Path, outcome: Outcome) -> Outcome | None:
    """Add the current stamp of the target; None when the target is not the one it made."""
    if outcome.state is not State.DONE or not outcome.target or not outcome.target_sha256:
        return None
    fixity = get_storage(output / outcome.target).read_fixity()
    if fixity is None or fixity[1] != outcome.target_sha256:
        return None
    return replace(outcome, target_stamp=fixity[0])


def _remove_sidecar(output: Path, outcome: Outcome) -> None:
    """Remove the sidecar of a result that never appeared; later it would count as foreign."""
    if not outcome.target or not outcome.sidecar_sha256:
        return
    sidecar = output / get_sidecar_path(outcome.target)
    fixity = get_storage(sidecar).read_fixity()
    is_inside = Path(os.path.realpath(sidecar)).is_relative_to(os.path.realpath(output))
    if fixity is not None and fixity[1] == outcome.sidecar_sha256 and is_inside:
        with contextlib.suppress(OSError):
            sidecar.unlink()


def _find_journals(folder: Path) -> list[Path]:
    # A link or a fifo in the folder is not ours.
    paths = sorted(folder.glob("*" + _JOURNAL))
    return [path for path in paths if stat.S_ISREG(os.lstat(path).st_mode)]


def _read(journal: Path) -> Iterator[Outcome]:
    with journal.open("rb") as stream:
        for _, line in iter_lines(stream):
            with contextlib.suppress(ValueError):
                if line.endswith(b"\n") and (outcome := parse_outcome(line)) is not None:
                    yield outcome
