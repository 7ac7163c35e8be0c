"""Errands: finished results on their way, several at a time, of which each may fail alone."""

import errno
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from archive_colorizer.errors import ArchiveColorizerError, OutputError, TargetExists, TargetName
from archive_colorizer.output.local import Made, open_target_folder
from archive_colorizer.output.staging import Content, size_of
from archive_colorizer.records.jobs import Job, Workplace
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.storage.file_view import Stored

Check: TypeAlias = Callable[[Stored], None]
"""Raises what is wrong with a finished file."""

Answer: TypeAlias = Outcome | ArchiveColorizerError
"""What was written, or why nothing was."""

AT_ONCE = 8
"""Deliveries that wait for a disk or a store side by side."""

_IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR, errno.ELOOP})
_BAD_NAME = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG})


@dataclass(frozen=True, slots=True, eq=False)
class Parcel:
    """A finished result on its way to the job's target.

    `content` is its file, or where that is drafted below the work folder.  `settled` is what is
    known of it.  `sidecar` appears beside it (see `sidecar_of`), just before it; without one, the
    sidecar that the manifest knows of an earlier result is taken away.  `check` is given what the
    disk gives back, before anything has the result's name, and holds `held` bytes of memory for
    it.
    """

    content: Content
    job: Job
    settled: Outcome
    sidecar: bytes | None = None
    check: Check | None = None
    held: int = 0

    @property
    def weight(self) -> int:
        """Bytes that wait until it is delivered, in memory or on the disk."""
        return size_of(self.content) + len(self.sidecar or b"") + self.held


class Errand:
    """A parcel on its way: `outcome` grows, and `error` says where it ended.

    `made` and `beside` are the result's file and its sidecar's, and `place` the open folder
    of the target, each from the step on that makes it.
    """

    __slots__ = ("beside", "error", "made", "outcome", "parcel", "place")

    def __init__(self, parcel: Parcel) -> None:
        self.parcel = parcel
        self.outcome = parcel.settled
        self.error: ArchiveColorizerError | None = None
        self.made: Made
        self.beside: Made | None = None
        self.place = -1

    @property
    def name(self) -> str:
        """The target's, below `place`."""
        return self.parcel.job.target.rpartition("/")[2]


class Errands:
    """All parcels of one delivery; what is opened for them goes with `stack`."""

    def __init__(self, parcels: Sequence[Parcel], workplace: Workplace, stack: ExitStack) -> None:
        self.all = [Errand(parcel) for parcel in parcels]
        self.workplace = workplace
        self.stack = stack
        self._folders: dict[str, int] = {}

    def alive(self) -> list[Errand]:
        """Those that have not failed."""
        return [errand for errand in self.all if errand.error is None]

    def each(self, step: Callable[[Errand], None]) -> None:
        """Take a step with every errand that has not failed."""
        for errand in self.alive():
            with self.blaming([errand]):
                step(errand)

    def each_at_once(self, step: Callable[[Errand], None]) -> None:
        """As `each`, several at a time: a disk brings many files to rest as fast as one."""

        def take(errand: Errand) -> None:
            with self.blaming([errand]):
                step(errand)

        alive = self.alive()
        if len(alive) < 2:
            self.each(step)
            return
        with ThreadPoolExecutor(min(len(alive), AT_ONCE)) as pool:
            for done in [pool.submit(take, errand) for errand in alive]:
                done.result()

    @contextmanager
    def blaming(self, errands: Sequence[Errand]) -> Iterator[None]:
        """What goes wrong in here ends these."""
        try:
            yield
        except ArchiveColorizerError as error:
            for errand in errands:
                errand.error = errand.error or error
        except OSError as error:
            for errand in errands:
                errand.error = errand.error or _error(error, errand.parcel.job, self.workplace)

    def open_place(self, errand: Errand) -> None:
        """Open the target's folder, once for all whose it is."""
        folder = errand.parcel.job.target.rpartition("/")[0]
        if folder not in self._folders:
            place = open_target_folder(self.workplace.output, folder)
            self._folders[folder] = self.stack.enter_context(place)
        errand.place = self._folders[folder]


def _error(error: OSError, job: Job, workplace: Workplace) -> OutputError:
    place = Path(workplace.output, job.target)
    if error.errno in _IN_THE_WAY:
        return TargetExists(
            f"{place} or a folder of it is not this program's and was kept; "
            "move it away and run again"
        )
    why = error.strerror or str(error)
    if error.errno in _BAD_NAME:
        return TargetName(
            f"{place} is no name that this file system takes ({why}); rename the scan"
        )
    return OutputError(f"cannot write {place}: {why}; mend that and run again")
