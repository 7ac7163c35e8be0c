"""A batch of results that are delivered together, of which each may fail alone."""

import errno
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from archive_colorizer.errors import ArchiveColorizerError, OutputError, TargetExists, TargetName
from archive_colorizer.output.local import StagedFile, open_folder
from archive_colorizer.output.staging import Content
from archive_colorizer.records.jobs import Job, JobContext
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.storage.atomic import describe_write_error
from archive_colorizer.storage.file_view import FileContent

Check: TypeAlias = Callable[[FileContent], None]
"""Raises an error when a finished file is wrong."""

DeliveryResult: TypeAlias = Outcome | ArchiveColorizerError
"""The outcome of what was written, or why nothing was."""

MAX_THREADS = 8
"""Deliveries that wait for a disk or a store at the same time."""

_IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR, errno.ELOOP})
_BAD_NAME = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG})


@dataclass(frozen=True, slots=True, eq=False)
class PendingResult:
    """A finished result to deliver to the job's target.

    outcome: what is known before delivery.  sidecar: appears next to the target, just before it
    (see `get_sidecar_path`); without one, a recorded earlier sidecar is removed.  check: called
    with what the disk gives back, before anything has the target's name; holds `check_memory`
    bytes meanwhile.
    """

    content: Content
    job: Job
    outcome: Outcome
    sidecar: bytes | None = None
    check: Check | None = None
    check_memory: int = 0

    @property
    def waiting_bytes(self) -> int:
        """Bytes in memory or on the disk until it is delivered."""
        size = 0
        if isinstance(self.content, bytes):
            size = len(self.content)
        else:
            # Delivery reports a missing file.
            with suppress(OSError):
                size = self.content.stat().st_size
        return size + len(self.sidecar or b"") + self.check_memory


@dataclass(slots=True, eq=False)
class Delivery:
    """The state of one delivery: `outcome` is completed, or `error` is set.

    file, sidecar_file: staged by the first step.  folder: descriptor of the target's folder.
    """

    pending: PendingResult
    outcome: Outcome
    error: ArchiveColorizerError | None = None
    file: StagedFile = field(init=False)
    sidecar_file: StagedFile | None = None
    folder: int = -1

    @property
    def name(self) -> str:
        """The last part of the target."""
        return self.pending.job.target.rpartition("/")[2]


class DeliveryBatch:
    """Deliveries that take each step together; `stack` closes what they open."""

    def __init__(
        self, pending_results: Sequence[PendingResult], context: JobContext, stack: ExitStack
    ) -> None:
        self.deliveries = [Delivery(pending, pending.outcome) for pending in pending_results]
        self.context = context
        self.stack = stack
        self._folders: dict[str, int] = {}

    def list_active(self) -> list[Delivery]:
        return [delivery for delivery in self.deliveries if delivery.error is None]

    def run_each(self, step: Callable[[Delivery], None]) -> None:
        for delivery in self.list_active():
            self._run(step, delivery)

    def run_each_in_threads(self, step: Callable[[Delivery], None]) -> None:
        """Run a step in threads: a disk syncs many files as fast as one."""
        with ThreadPoolExecutor(MAX_THREADS) as pool:
            list(pool.map(partial(self._run, step), self.list_active()))

    def _run(self, step: Callable[[Delivery], None], delivery: Delivery) -> None:
        with self.assign_errors([delivery]):
            step(delivery)

    @contextmanager
    def assign_errors(self, deliveries: Sequence[Delivery]) -> Iterator[None]:
        """Catch errors of the body, and end these deliveries with them."""
        try:
            yield
        except ArchiveColorizerError as error:
            for delivery in deliveries:
                delivery.error = delivery.error or error
        except OSError as error:
            for delivery in deliveries:
                delivery.error = delivery.error or _describe_error(
                    error, delivery.pending.job, self.context
                )

    def open_target_folder(self, delivery: Delivery) -> None:
        folder = delivery.pending.job.target.rpartition("/")[0]
        if folder not in self._folders:
            opened = open_folder(self.context.output, folder)
            self._folders[folder] = self.stack.enter_context(opened)
        delivery.folder = self._folders[folder]


def _describe_error(error: OSError, job: Job, context: JobContext) -> OutputError:
    target = Path(context.output, job.target)
    if error.errno in _IN_THE_WAY:
        return TargetExists(
            f"{target} or a folder of it is not this program's and was kept; "
            "move it away and run again"
        )
    if error.errno in _BAD_NAME:
        why = error.strerror or error
        return TargetName(
            f"{target} is no name that this file system takes ({why}); rename the scan"
        )
    return describe_write_error(target, error)
