"""Failures in a row that are not their files' fault end a run, and only those."""

import errno
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from archive_colorizer.errors import ArchiveColorizerError, ExitCode
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.run.circuit_breaker import MAX_FAILURES, CircuitBreaker

DONE = Outcome(key="k", name="fine.jpg", state=State.DONE)


def failure(number: int, reason: str = "unreadable", code: int | None = errno.EIO) -> Outcome:
    name = f"{number}.jpg"
    return Outcome(
        key="k",
        name=name,
        state=State.FAILED,
        reason=reason,
        message=f"{name} cannot be read",
        errno=code,
    )


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Manifest]:
    with Manifest.open(tmp_path) as one:
        yield one


def ends(streak: CircuitBreaker, outcomes: list[Outcome]) -> ArchiveColorizerError | None:
    found = [streak.record(one) for one in outcomes]
    assert not any(found[:-1])
    return found[-1]


def many(count: int, make: Callable[[int], Outcome] = failure) -> list[Outcome]:
    return [make(number) for number in range(count)]


@pytest.mark.parametrize(
    ("reason", "words", "code"),
    [
        ("unreadable", errno.EIO, ExitCode.SOURCE),
        ("unreadable", errno.ENOENT, ExitCode.SOURCE),
        ("device", 0, ExitCode.DEPENDENCY),
        ("memory", 0, ExitCode.DEPENDENCY),
        ("timeout", 0, ExitCode.DEPENDENCY),
        ("worker-lost", 0, ExitCode.DEPENDENCY),
        ("model", 0, ExitCode.MODEL),
        ("bug", errno.EIO, ExitCode.OUTPUT),
        ("bug", errno.ENOSPC, ExitCode.OUTPUT),
    ],
)
def test_so_many_in_a_row(manifest: Manifest, reason: str, words: int, code: ExitCode) -> None:
    error = ends(CircuitBreaker(manifest), many(MAX_FAILURES, lambda n: failure(n, reason, words)))
    assert error is not None
    assert error.exit_code is code
    assert f"{MAX_FAILURES - 1}.jpg" in str(error)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("damaged", 0),
        ("unsupported", 0),
        ("model-output", 0),
        ("target-exists", 0),
        ("bug", 0),
        ("unreadable", errno.EACCES),
        ("unreadable", errno.EPERM),
    ],
)
def test_what_is_about_the_files_never_ends_a_run(
    manifest: Manifest, reason: str, words: int
) -> None:
    assert (
        ends(CircuitBreaker(manifest), many(5 * MAX_FAILURES, lambda n: failure(n, reason, words)))
        is None
    )


@pytest.mark.parametrize("between", [DONE, failure(99, "damaged"), failure(99, code=errno.EACCES)])
def test_one_that_was_read_begins_a_new_row(manifest: Manifest, between: Outcome) -> None:
    assert (
        ends(CircuitBreaker(manifest), [*many(MAX_FAILURES - 1), between, *many(MAX_FAILURES - 1)])
        is None
    )


def test_what_failed_so_before_does_not_count_twice(manifest: Manifest) -> None:
    """Else a damaged stretch of a disk would keep every run from what comes after it."""
    manifest.append(many(MAX_FAILURES))
    assert ends(CircuitBreaker(manifest), many(2 * MAX_FAILURES - 1)) is None
    assert ends(CircuitBreaker(manifest), many(2 * MAX_FAILURES)) is not None
    assert (
        ends(CircuitBreaker(manifest), [replace(one, key="other") for one in many(MAX_FAILURES)])
        is not None
    )
