"""Summary: how a run went, counted as it goes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from archive_colorizer.errors import ExitCode
from archive_colorizer.records.outcomes import Outcome, State

_FIRST = 20


@dataclass(frozen=True, slots=True)
class FailedSource:
    """A failure, for the summary."""

    name: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How a run went.

    done, skipped, failed: settled by this run.  unchanged: settled by an earlier one, by
    state.  adopted: made by a killed run or worker and found again.  failures: this run's
    and the earlier ones', by reason.  seconds: wall time.  interrupted: the signal that
    ended the run early, if one did.  out_of_time: the time budget ended before the work.
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
        """What a command that has this summary ends with."""
        if self.interrupted:
            return 128 + self.interrupted
        if self.out_of_time:
            return ExitCode.OUT_OF_TIME
        return ExitCode.SOME_FAILED if self.failures else ExitCode.OK


def together(summaries: Sequence[Summary]) -> Summary:
    """One summary of several drives of one run."""
    failures: Counter[str] = Counter()
    unchanged: Counter[State] = Counter()
    for one in summaries:
        failures.update(one.failures)
        unchanged.update(one.unchanged)
    first = [failure for one in summaries for failure in one.first_failures]
    return Summary(
        done=sum(one.done for one in summaries),
        skipped=sum(one.skipped for one in summaries),
        failed=sum(one.failed for one in summaries),
        unchanged={state: unchanged[state] for state in State},
        adopted=sum(one.adopted for one in summaries),
        failures=dict(failures.most_common()),
        first_failures=tuple(first[:_FIRST]),
        seconds=sum(one.seconds for one in summaries),
        interrupted=next((one.interrupted for one in summaries if one.interrupted), None),
        out_of_time=any(one.out_of_time for one in summaries),
    )


def without(summary: Summary, failures: Sequence[Outcome]) -> Summary:
    """The summary without this run's failures that something better has taken the place of."""
    reasons = Counter(summary.failures)
    reasons.subtract(one.reason or "bug" for one in failures)
    names = {one.name for one in failures}
    return replace(
        summary,
        failed=summary.failed - len(failures),
        failures={reason: count for reason, count in reasons.items() if count > 0},
        first_failures=tuple(one for one in summary.first_failures if one.name not in names),
    )


@dataclass(slots=True)
class Tally:
    """Counts outcomes; keeps no list of them but the first few failures."""

    adopted: int = 0
    fresh: Counter[State] = field(default_factory=Counter)
    unchanged: Counter[State] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    first: list[FailedSource] = field(default_factory=list)

    def count(self, outcome: Outcome, settled: bool) -> None:
        """Count one outcome; `settled` says that an earlier run had it."""
        (self.unchanged if settled else self.fresh)[outcome.state] += 1
        if outcome.state is not State.FAILED:
            return
        reason = outcome.reason or "bug"
        self.failures[reason] += 1
        if len(self.first) < _FIRST:
            self.first.append(FailedSource(outcome.name, reason, outcome.message or ""))

    def summary(
        self, seconds: float, interrupted: int | None, out_of_time: bool = False
    ) -> Summary:
        return Summary(
            done=self.fresh[State.DONE],
            skipped=self.fresh[State.SKIPPED],
            failed=self.fresh[State.FAILED],
            unchanged={state: self.unchanged[state] for state in State},
            adopted=self.adopted,
            failures=dict(self.failures.most_common()),
            first_failures=tuple(self.first),
            seconds=seconds,
            interrupted=interrupted,
            out_of_time=out_of_time,
        )
