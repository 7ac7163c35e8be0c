"""What a run tells in the end."""

from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.run.summary import Tally


def outcome(name: str, state: State, reason: str | None = None) -> Outcome:
    return Outcome(key="k", name=name, state=state, reason=reason, message="why")


def test_counts() -> None:
    tally = Tally(adopted=2)
    tally.count(outcome("a", State.DONE), is_unchanged=False)
    tally.count(outcome("b", State.SKIPPED, "already-color"), is_unchanged=False)
    tally.count(outcome("c", State.FAILED, "damaged"), is_unchanged=False)
    tally.count(outcome("d", State.FAILED, "damaged"), is_unchanged=True)
    tally.count(outcome("e", State.DONE), is_unchanged=True)
    summary = tally.summarize(1.5, 15)
    assert (summary.done, summary.skipped, summary.failed, summary.adopted) == (1, 1, 1, 2)
    assert summary.unchanged == {State.DONE: 1, State.SKIPPED: 0, State.FAILED: 1}
    assert summary.failures == {"damaged": 2}
    assert [one.name for one in summary.first_failures] == ["c", "d"]
    assert (summary.seconds, summary.interrupted) == (1.5, 15)


def test_only_the_first_failures_are_kept() -> None:
    tally = Tally()
    for number in range(1000):
        tally.count(outcome(str(number), State.FAILED, "damaged"), is_unchanged=False)
    summary = tally.summarize(0, None)
    assert summary.failures == {"damaged": 1000}
    assert len(summary.first_failures) < 50
