"""The driver: feeds an executor, records what comes back, and tells how it went."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from archive_colorizer.errors import ArchiveColorizerError, OutputError
from archive_colorizer.executors.executor import Batch, Executor, Lost, Task
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.manifest.recorder import Recorder
from archive_colorizer.output.journal import Work
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.outcomes import Outcome, Provenance, State
from archive_colorizer.run.batches import Pace, in_batches
from archive_colorizer.run.circuit_breaker import CircuitBreaker
from archive_colorizer.run.plan import Settled, Step, failed
from archive_colorizer.run.signals import Stop
from archive_colorizer.run.summary import Summary, Tally

Watch: TypeAlias = Callable[[Outcome, bool], None]
"""Called with each outcome; True says that an earlier run had settled it."""


def watch_nothing(_outcome: Outcome, _settled: bool) -> None:
    """For runs that nobody looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What a run works with.

    `opening` goes into the manifest before the first outcome, so that a run with nothing to
    do leaves no line.  `adopted` is what `sweep` has found.
    """

    executor: Executor
    task: Task
    manifest: Manifest
    work: Work
    stop: Stop
    opening: Provenance | None = None
    watch: Watch = watch_nothing
    adopted: int = 0


def drive(steps: Iterable[Step], run: RunContext) -> Summary:
    """Bring every step to its end, record it, close the executor and the work folder.

    Each outcome is in the manifest soon after it arrives, and all of them when this returns.
    A job whose worker dies is tried once more, alone.  After the first signal, or the end of
    the time budget, nothing new is begun; KeyboardInterrupt (see `stop_on_signals`) ends the
    waiting, too.  Raises
    OutputError, after recording what is finished, when the output cannot be written, and
    what `Streak` says when too much fails in a row.
    """
    drive_ = _Drive(run)
    begun = time.monotonic()
    try:
        drive_.over(steps)
        drive_.drained = True
    except KeyboardInterrupt:
        if run.stop.signal is None:
            raise
    finally:
        drive_.finish()
    if drive_.trouble is not None:
        raise drive_.trouble
    out_of_time = drive_.left and run.stop.out_of_time
    return drive_.tally.summary(time.monotonic() - begun, run.stop.signal, out_of_time)


class _Drive:
    """A run on its way."""

    def __init__(self, run: RunContext) -> None:
        self.tally = Tally(adopted=run.adopted)
        self.trouble: ArchiveColorizerError | None = None
        self.drained = False
        # Whether something may be left to do; known for certain where nothing is.
        self.left = False
        self._run = run
        self._recorder = Recorder(run.manifest, run.opening)
        self._streak = CircuitBreaker(run.manifest)
        self._pace = Pace()
        self._lost: list[Job] = []
        # What machines had that left; it goes to others before anything new.
        self._left_over: deque[Batch] = deque()
        # Whether a process may have made something without telling.
        self._doubtful = False

    @property
    def _ending(self) -> bool:
        return self.trouble is not None or self._run.stop.asked

    def over(self, steps: Iterable[Step]) -> None:
        """Many batches at once until a worker dies, then its jobs one by one, and on."""
        batches = in_batches(self._jobs(steps), self._pace)
        while not self._ending:
            self._map(self._feed(batches))
            lost, self._lost = self._lost, []
            for job in lost:
                self._retry(job)
            if not lost and not self._left_over:
                break
        # One look ahead: who ends with the last file has all done, whatever the clock says.
        if self._ending and (self._left_over or next(batches, None) is not None):
            self.left = True

    def finish(self) -> None:
        """Leave nothing running and nothing unrecorded, on every way out."""
        self._run.stop.shield()
        self._run.executor.close()
        try:
            self._recorder.flush()
        except OutputError as error:
            self.trouble = self.trouble or error
        told = self.drained and not self._doubtful and not self._recorder.pending
        # A worker that could not bring its folder to the disk has made a result all the same.
        if told and self.trouble is None:
            self._run.work.discard()
            return
        for outcome in self._run.work.rescue(self._run.manifest):
            self.tally.adopted += 1
            self.tally.count(outcome, settled=False)

    def _jobs(self, steps: Iterable[Step]) -> Iterator[Job]:
        """The steps that are work; the others are recorded in passing."""
        for step in steps:
            if self._ending:
                self.left = True
                return
            if isinstance(step, Job):
                yield step
            elif isinstance(step, Settled):
                if step.refreshed:
                    self._record(step.outcome)
                self.tally.count(step.outcome, settled=True)
                self._run.watch(step.outcome, True)
            else:
                self._take(step)

    def _feed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        while not self._lost and not self._ending:
            batch = self._left_over.popleft() if self._left_over else next(batches, None)
            # Asked again: a signal may have come while the batch was gathered.
            if batch is None or self._ending:
                self.left |= batch is not None
                return
            yield batch

    def _map(self, batches: Iterable[Batch]) -> None:
        for answer in self._run.executor.map(self._run.task, self._counted(batches)):
            self._pace.flying -= 1
            if isinstance(answer, Lost):
                self._doubtful = True
                self._lose(answer)
                continue
            for outcome in answer:
                stamp = outcome.source_stamp
                self._pace.note(outcome.seconds, stamp.size if stamp else 0)
                self._take(outcome)

    def _counted(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            self._pace.flying += 1
            yield batch

    def _lose(self, lost: Lost) -> None:
        jobs = self._adopt(lost.batch)
        if lost.timeout and len(lost.batch) == 1:
            for job in jobs:
                self._take(failed(job, "timeout", f"{job.name}: {lost.message}"))
        elif lost.innocent and jobs:
            self._left_over.append(tuple(jobs))
        elif not lost.innocent:
            self._lost.extend(jobs)

    def _retry(self, job: Job) -> None:
        """Once more with nothing else in flight, so that only the guilty one is blamed."""
        if self._ending:
            self.left = True
            return
        self._map([(job,)])
        if self._lost:
            self._lost.clear()
            message = f"{job.name}: the worker process died twice while restoring it"
            self._take(failed(job, "worker-lost", message))

    def _adopt(self, batch: Batch) -> list[Job]:
        """Take what a dead worker had finished; returns the jobs that it had not."""
        finished = self._run.work.finished(batch)
        for outcome in finished.values():
            self.tally.adopted += 1
            self._take(outcome)
        return [job for job in batch if job.key not in finished]

    def _take(self, outcome: Outcome) -> None:
        if outcome.state is State.FAILED and outcome.reason == OutputError.reason:
            # Not this file's fault, and the next would fare no better: nothing to record.
            self.trouble = self.trouble or OutputError(outcome.message or "the output failed")
            return
        self.trouble = self.trouble or self._streak.record(outcome)
        self._record(outcome)
        self.tally.count(outcome, settled=False)
        self._run.watch(outcome, False)

    def _record(self, outcome: Outcome) -> None:
        try:
            self._recorder.add(outcome)
        except OutputError as error:
            self.trouble = self.trouble or error
