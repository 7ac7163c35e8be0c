"""Run jobs on an executor, record their outcomes, and summarize the run."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from archive_colorizer.errors import ArchiveColorizerError, FailureReason, OutputError
from archive_colorizer.executors.executor import Batch, Executor, LostBatch, Task
from archive_colorizer.manifest.manifest import Manifest, Recorder
from archive_colorizer.output.journal import RecoverableWork
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.outcomes import Outcome, Provenance, State
from archive_colorizer.run.batches import Throughput, split_into_batches
from archive_colorizer.run.circuit_breaker import CircuitBreaker
from archive_colorizer.run.plan import Step, Unchanged
from archive_colorizer.run.signals import Stop
from archive_colorizer.run.summary import Summary, Tally

OutcomeCallback: TypeAlias = Callable[[Outcome, bool], None]
"""Called with each outcome, and True if it is unchanged since an earlier run."""


def ignore_outcome(_outcome: Outcome, _is_unchanged: bool) -> None:
    """Do nothing: the callback of a run that reports nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The means of a run.

    provenance: written to the manifest before the first outcome, so that a run without work
    leaves no line.  adopted: number of results that were recovered before the run.
    """

    executor: Executor
    task: Task
    manifest: Manifest
    work: RecoverableWork
    stop: Stop
    provenance: Provenance | None = None
    on_outcome: OutcomeCallback = ignore_outcome
    adopted: int = 0


def run_jobs(steps: Iterable[Step], run: RunContext) -> Summary:
    """Complete all steps, record them, and close the executor and the work folder.

    All outcomes are in the manifest when this returns.  A job whose worker dies is retried once,
    alone, and a job that is late is retried once, next to others.  No batch is sent after the
    first signal or the end of the time budget, and KeyboardInterrupt (see `stop_on_signals`)
    also ends the waiting.  Raises OutputError, after recording what is finished, if the output
    cannot be written, and the error of `CircuitBreaker` if too many jobs fail in a row.
    """
    loop = _RunLoop(run)
    started = time.monotonic()
    try:
        loop.run(steps)
        loop.is_drained = True
    except KeyboardInterrupt:
        if run.stop.signal is None:
            raise
    finally:
        loop.finish()
    if loop.error is not None:
        raise loop.error
    out_of_time = loop.has_work_left and run.stop.out_of_time
    return loop.tally.summarize(time.monotonic() - started, run.stop.signal, out_of_time)


class _RunLoop:
    def __init__(self, run: RunContext) -> None:
        self.tally = Tally(adopted=run.adopted)
        self.error: ArchiveColorizerError | None = None
        self.is_drained = False
        # False only if it is certain that no work is left.
        self.has_work_left = False
        self._run = run
        self._recorder = Recorder(run.manifest, run.provenance)
        self._circuit_breaker = CircuitBreaker(run.manifest)
        self._throughput = Throughput()
        self._suspects: list[Job] = []
        # Keys of jobs that were not finished in time once.
        self._late: set[str] = set()
        # Batches to try again; workers get them before any new batch.
        self._returned_batches: deque[Batch] = deque()
        # Whether a process may have finished a result without reporting it.
        self._may_have_unreported = False

    @property
    def _is_ending(self) -> bool:
        return self.error is not None or self._run.stop.is_requested

    def run(self, steps: Iterable[Step]) -> None:
        """Run batches in parallel until a worker dies, then retry its jobs one by one."""
        batches = split_into_batches(self._iter_jobs(steps), self._throughput)
        while not self._is_ending:
            self._map(self._feed_batches(batches))
            suspects, self._suspects = self._suspects, []
            for job in suspects:
                self._retry(job)
            if not suspects and not self._returned_batches:
                break
        # A run that ends with its last file is complete, whatever the clock says.
        if self._is_ending and (self._returned_batches or next(batches, None) is not None):
            self.has_work_left = True

    def finish(self) -> None:
        """Stop the workers and record all results, however the run ended."""
        self._run.stop.is_protected = True
        self._run.executor.close()
        try:
            self._recorder.flush()
        except OutputError as error:
            self.error = self.error or error
        # A worker that failed to sync its folder may still have written a result.
        is_complete = self.is_drained and not self._may_have_unreported and self.error is None
        if is_complete and not self._recorder.pending:
            self._run.work.discard()
            return
        for outcome in self._run.work.rescue(self._run.manifest):
            self.tally.adopted += 1
            self.tally.count(outcome, is_unchanged=False)

    def _iter_jobs(self, steps: Iterable[Step]) -> Iterator[Job]:
        """Yield the steps that are jobs, and record the others."""
        for step in steps:
            if self._is_ending:
                self.has_work_left = True
                return
            if isinstance(step, Job):
                yield step
            elif isinstance(step, Unchanged):
                if step.has_new_stamps:
                    self._write(step.outcome)
                self.tally.count(step.outcome, is_unchanged=True)
                self._run.on_outcome(step.outcome, True)
            else:
                self._record_outcome(step)

    def _feed_batches(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        while not self._suspects and not self._is_ending:
            returned = self._returned_batches
            batch = returned.popleft() if returned else next(batches, None)
            # A signal may have come while the batch was built.
            if batch is None or self._is_ending:
                self.has_work_left |= batch is not None
                return
            yield batch

    def _map(self, batches: Iterable[Batch]) -> None:
        for answer in self._run.executor.map(self._run.task, self._throughput.track(batches)):
            self._throughput.in_flight -= 1
            if isinstance(answer, LostBatch):
                self._may_have_unreported = True
                self._handle_lost_batch(answer)
                continue
            for outcome in answer:
                stamp = outcome.source_stamp
                self._throughput.record(outcome.seconds, stamp.size if stamp else 0)
                self._record_outcome(outcome)

    def _handle_lost_batch(self, lost: LostBatch) -> None:
        jobs = self._adopt_finished(lost.batch)
        if lost.timeout:
            for job in jobs:
                self._handle_late(job, lost)
        elif lost.worker_left and jobs:
            self._returned_batches.append(tuple(jobs))
        elif not lost.worker_left:
            self._suspects.extend(jobs)

    def _handle_late(self, job: Job, lost: LostBatch) -> None:
        """Fail a job that was late twice, since once may be the machine's fault."""
        if len(lost.batch) == 1 and job.key in self._late:
            message = f"{job.name}: {lost.message}"
            self._record_outcome(Outcome.from_failure(job, FailureReason.TIMEOUT, message))
            return
        self._late.add(job.key)
        self._returned_batches.append((job,))

    def _retry(self, job: Job) -> None:
        """Run the job again with nothing else in flight, so that only the guilty job fails."""
        if self._is_ending:
            self.has_work_left = True
            return
        self._map([(job,)])
        if self._suspects:
            self._suspects.clear()
            message = f"{job.name}: the worker process died twice while restoring it"
            self._record_outcome(Outcome.from_failure(job, FailureReason.WORKER_LOST, message))

    def _adopt_finished(self, batch: Batch) -> list[Job]:
        """Record results that a dead worker had finished, and return its unfinished jobs."""
        finished = self._run.work.find_finished(batch)
        for outcome in finished.values():
            self.tally.adopted += 1
            self._record_outcome(outcome)
        return [job for job in batch if job.key not in finished]

    def _record_outcome(self, outcome: Outcome) -> None:
        if outcome.state is State.FAILED and outcome.reason == FailureReason.OUTPUT:
            # The file is not at fault and every other file would fail too, so record nothing.
            self.error = self.error or OutputError(outcome.message or "the output failed")
            return
        self.error = self.error or self._circuit_breaker.record(outcome)
        self._write(outcome)
        self.tally.count(outcome, is_unchanged=False)
        self._run.on_outcome(outcome, False)

    def _write(self, outcome: Outcome) -> None:
        try:
            self._recorder.add(outcome)
        except OutputError as error:
            self.error = self.error or error
