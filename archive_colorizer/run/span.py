"""A stretch of a film's time, as a person gives it."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from archive_colorizer.errors import UsageError

_TIME: Final = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin` to before `end` in seconds from the first frame; no end is the film's."""

    begin: Fraction = Fraction(0)
    end: Fraction | None = None

    @property
    def is_all(self) -> bool:
        return not self.begin and self.end is None

    @property
    def words(self) -> str:
        """As it goes into keys; empty for the whole film."""
        return "" if self.is_all else f"{self.begin} to {self.end or 'end'}"

    def frames(self, times: Sequence[int], time_base: Fraction, name: str) -> tuple[int, int]:
        """The first frame in the span and the one after its last.

        times: when each frame is shown, in units of time_base.  Raises UsageError, which
        names the film, when no frame is in it.
        """
        first = bisect_left(times, times[0] + self.begin / time_base)
        last = len(times)
        if self.end is not None:
            last = bisect_left(times, times[0] + self.end / time_base)
        if first >= last:
            raise UsageError(
                f"{name}: no frame lies between --from and --to; its last one begins at "
                f"{clock((times[-1] - times[0]) * time_base)}"
            )
        return first, last


ALL: Final = Span()


def span_of(begin: str | None, end: str | None) -> Span:
    """A span from two times, each as `seconds_of` takes it; raises UsageError."""
    first = seconds_of(begin, "--from") if begin else Fraction(0)
    last = seconds_of(end, "--to") if end else None
    if last is not None and last <= first:
        raise UsageError(f"--to ({end}) must be later than --from ({begin or 0})")
    return Span(first, last)


def seconds_of(text: str, option: str) -> Fraction:
    """Seconds, mm:ss or hh:mm:ss, each with decimals if need be, exact.

    Raises UsageError that names the option.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option} must be a time like 75.5, 1:15.5 or 0:01:15.5, not {text!r}")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds)


def clock(seconds: Fraction) -> str:
    """As h:mm:ss.mmm, rounded down."""
    thousandths = int(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
