"""WorkFolder: where a run's temporary files and journals live, and what is saved from it.

A worker notes each result in its journal before the result appears under its final name.
Whatever a killed run or worker made and could not report is found there again.
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
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.json_lines import lines_of, outcome_of
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.records.paths import WORK, sidecar_of
from archive_colorizer.storage.fixity import read_fixity

_JOURNAL = ".jsonl"
_DEAD = ".dead"
_KEPT = frozenset({"lock", "holder.json"})
_PATIENCE = 10.0
"""Seconds that the orphans of a killed run get to finish the file they are writing."""


class Work(Protocol):
    """What a run knows of results that were made and not reported."""

    def finished(self, jobs: Iterable[Job]) -> dict[str, Outcome]:
        """Those of `jobs`, by key, whose result is there although nobody reported it."""

    def discard(self) -> None:
        """Nothing more will be asked: all that was made is recorded."""

    def rescue(self, manifest: Manifest) -> list[Outcome]:
        """Record what was made and is not in the manifest."""


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """A run's own folder inside the output."""

    output: Path
    path: Path

    @classmethod
    def open(cls, output: Path, run: str) -> "WorkFolder":
        """Make the folder of the run `run`; raises OutputError."""
        path = output / WORK / re.sub(r"[^A-Za-z0-9-]", "-", run)[:80]
        try:
            path.mkdir()
        except OSError as error:
            raise _output_error(path, error) from error
        return cls(output, path)

    def finished(self, jobs: Iterable[Job]) -> dict[str, Outcome]:
        """Those of `jobs`, by key, whose result is there although nobody reported it."""
        wanted = {job.key: job for job in jobs}
        found: dict[str, Outcome] = {}
        for journal in _journals(self.path):
            for outcome in _read(journal):
                job = wanted.get(outcome.key)
                if job is None or outcome.target != job.target:
                    continue
                if (there := _as_it_stands(self.output, outcome)) is not None:
                    found[outcome.key] = there
        return found

    def discard(self) -> None:
        """Remove the folder, when all that was made is recorded."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self.path)

    def rescue(self, manifest: Manifest) -> list[Outcome]:
        """Record what the journals know and the manifest does not, and remove the folder.

        A process that was given up for lost may have worked on for a while.  When recording
        fails, the journals stay for the next run, and only the temporary files go.
        """
        try:
            return _sweep_folder(self.output, self.path, manifest)
        except (OSError, OutputError, OutputBusy):
            for left in (self.path, _dead(self.path)):
                with contextlib.suppress(OSError):
                    for entry in list(os.scandir(left)):
                        if not entry.name.endswith(_JOURNAL):
                            Path(entry.path).unlink()
            return []


def sweep(output: Path, manifest: Manifest) -> int:
    """Record what dead runs made and could not record, and remove their folders.

    The output must be held.  Returns the number of outcomes that were added.  Raises
    OutputError, and OutputBusy when an orphan of a killed run is still writing.
    """
    adopted = 0
    try:
        for entry in list(os.scandir(output / WORK)):
            if entry.name in _KEPT:
                continue
            if entry.is_dir(follow_symlinks=False):
                adopted += len(_sweep_folder(output, Path(entry.path), manifest))
            else:
                Path(entry.path).unlink()
    except OSError as error:
        raise _output_error(output / WORK, error) from error
    return adopted


def _dead(path: Path) -> Path:
    return path if path.name.endswith(_DEAD) else path.with_name(path.name + _DEAD)


def _sweep_folder(output: Path, path: Path, manifest: Manifest) -> list[Outcome]:
    # Under another name no orphan can begin a journal or find its temporary file again.
    dead = _dead(path)
    if dead != path:
        path.rename(dead)
    missing: dict[str, Outcome] = {}
    with ExitStack() as stack:
        for journal in _journals(dead):
            stack.enter_context(_settled_journal(journal))
            for outcome in _read(journal):
                if _is_new(outcome, manifest):
                    there = _as_it_stands(output, outcome)
                    missing.update({} if there is None else {outcome.name: there})
                    if there is None:
                        _take_back_sidecar(output, outcome)
        manifest.append(list(missing.values()))
        shutil.rmtree(dead)
    return list(missing.values())


@contextlib.contextmanager
def _settled_journal(path: Path) -> Iterator[BinaryIO]:
    """Wait until no orphan is between its note and its result (see media.deliver)."""
    with path.open("rb") as stream:
        end = time.monotonic() + _PATIENCE
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
    known = manifest.newest(outcome.name)
    return known is None or (known.key, known.target_sha256, known.source_sha256) != (
        outcome.key,
        outcome.target_sha256,
        outcome.source_sha256,
    )


def _as_it_stands(output: Path, outcome: Outcome) -> Outcome | None:
    """The outcome with its target's present stamp, if that target is the one it made."""
    if outcome.state is not State.DONE or not outcome.target or not outcome.target_sha256:
        return None
    found = read_fixity(output / outcome.target)
    if found is None or found[1] != outcome.target_sha256:
        return None
    return replace(outcome, target_stamp=found[0])


def _take_back_sidecar(output: Path, outcome: Outcome) -> None:
    """Remove the sidecar of a result that was never made, lest it be taken for somebody's."""
    if not outcome.target or not outcome.sidecar_sha256:
        return
    place = output / sidecar_of(outcome.target)
    found = read_fixity(place)
    inside = Path(os.path.realpath(place)).is_relative_to(os.path.realpath(output))
    if found is not None and found[1] == outcome.sidecar_sha256 and inside:
        with contextlib.suppress(OSError):
            place.unlink()


def _journals(folder: Path) -> list[Path]:
    """Regular files only: a link or a fifo in the folder is not ours."""
    there = sorted(folder.glob("*" + _JOURNAL))
    return [path for path in there if stat.S_ISREG(os.lstat(path).st_mode)]


def _read(journal: Path) -> Iterator[Outcome]:
    with journal.open("rb") as stream:
        for _, line in lines_of(stream):
            with contextlib.suppress(ValueError):
                if line.endswith(b"\n") and (outcome := outcome_of(line)) is not None:
                    yield outcome


def _output_error(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot work in {path}: {error.strerror or error}; mend that and run again")
