"""Count the outcomes of a run, and summarize them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from archive_colorizer.errors import ExitCode, FailureReason
from archive_colorizer.records.outcomes import Outcome, State

_MAX_LISTED = 20


@dataclass(frozen=True, slots=True)
class FailedSource:
    """A failure, for the summary."""

    name: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of a run.

    done, skipped, failed: outcomes of this run.  unchanged: outcomes of earlier runs that still
    hold, by state.  adopted: recovered results of killed runs or workers.  failures: current
    failures by reason, including unchanged ones.  seconds: wall time.  interrupted: the signal
    that ended the run early.  out_of_time: whether the time budget ended before the work.
    """

    done: int
    skipped: int
    failed: int
    unchanged: dict[State, int]
    adopted: int
    failures: dict[str, int]
    first_failures: tuple[FailedSource, ...]
    seconds: float
    interrupted: int | None = None
    out_of_time: bool = False

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return 128 + self.interrupted
        if self.out_of_time:
            return ExitCode.OUT_OF_TIME
        return ExitCode.SOME_FAILED if self.failures else ExitCode.OK

    @classmethod
    def combine(cls, summaries: Sequence["Summary"]) -> "Summary":
        """Combine the summaries of several loops of one run."""
        tally = Tally(adopted=sum(summary.adopted for summary in summaries))
        for summary in summaries:
            counts = (summary.done, summary.skipped, summary.failed)
            tally.by_state.update(dict(zip(State, counts, strict=True)))
            tally.unchanged.update(summary.unchanged)
            tally.failures.update(summary.failures)
            tally.first_failures.extend(summary.first_failures)
        return tally.summarize(
            sum(summary.seconds for summary in summaries),
            next((summary.interrupted for summary in summaries if summary.interrupted), None),
            any(summary.out_of_time for summary in summaries),
        )


@dataclass(slots=True)
class Tally:
    """Counts of outcomes, and the first few failures."""

    adopted: int = 0
    by_state: Counter[State] = field(default_factory=Counter)
    unchanged: Counter[State] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    first_failures: list[FailedSource] = field(default_factory=list)

    def count(self, outcome: Outcome, is_unchanged: bool) -> None:
        (self.unchanged if is_unchanged else self.by_state)[outcome.state] += 1
        if outcome.state is not State.FAILED:
            return
        reason = str(outcome.reason or FailureReason.BUG)
        self.failures[reason] += 1
        if len(self.first_failures) < _MAX_LISTED:
            self.first_failures.append(FailedSource(outcome.name, reason, outcome.message or ""))

    def summarize(
        self, seconds: float, interrupted: int | None, out_of_time: bool = False
    ) -> Summary:
        return Summary(
            done=self.by_state[State.DONE],
            skipped=self.by_state[State.SKIPPED],
            failed=self.by_state[State.FAILED],
            unchanged={state: self.unchanged[state] for state in State},
            adopted=self.adopted,
            failures=dict(self.failures.most_common()),
            first_failures=tuple(self.first_failures[:_MAX_LISTED]),
            seconds=seconds,
            interrupted=interrupted,
            out_of_time=out_of_time,
        )
