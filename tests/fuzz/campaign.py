"""Hypothesis draws mutated files, a child process reads them, and what it finds is made small."""

import json
import select
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.locations import REPOSITORY_ROOT

_PATIENCE = 300.0
"""Seconds of waiting for an answer; the child itself counts processor time."""
_HEAD = 700
"""Bytes at a file's beginning in which half of all edits fall: headers, directories, keys."""
_RUN = 48

Edit = tuple[str, float | int, bytes]

EDITS: dict[str, Callable[[bytes, int, bytes], bytes]] = {
    "write": lambda data, at, what: data[:at] + what + data[at + len(what) :],
    "insert": lambda data, at, what: data[:at] + what + data[at:],
    "drop": lambda data, at, what: data[:at] + data[at + len(what) :],
    "cut": lambda data, at, _: data[:at],
    "repeat": lambda data, at, what: data[: at + _RUN] + data[at : at + _RUN] * len(what),
    "fill": lambda data, at, what: data[:at] + what[:1] * _RUN + data[at + _RUN :],
}
_TELLING = [b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"\n", b'"']


class Find(Exception):
    """What a child said of the last case."""


class Reader:
    """A child process, started again when it dies."""

    def __enter__(self) -> Self:
        self._child: subprocess.Popen[bytes] | None = None
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def read(self, target: str, data: bytes) -> str | None:
        """What went wrong with these bytes, if anything did."""
        child = self._child = self._child or _start()
        assert child.stdin and child.stdout
        with suppress(BrokenPipeError):
            child.stdin.write(f"{target} {len(data)}\n".encode() + data)
            child.stdin.flush()
        if not select.select([child.stdout], [], [], _PATIENCE)[0]:
            self._end()
            return f"no answer after {_PATIENCE:.0f} s"
        line = child.stdout.readline()
        if line:
            said: str | None = json.loads(line)
            return said
        ended = child.wait()
        self._end()
        return f"the process ended with {ended}: a crash, or (SIGPROF) too much processor time"

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def _start() -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.fuzz.child"]
    root = REPOSITORY_ROOT
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)


def mutated(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """A seed with up to eight edits; an edit is a kind, a place and a few bytes."""
    place = st.one_of(st.integers(0, _HEAD), st.floats(0, 1))
    what = st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from(_TELLING))
    edits = st.lists(st.tuples(st.sampled_from(list(EDITS)), place, what), max_size=8)
    return st.builds(edited, st.sampled_from(seeds), edits)


def edited(seed: bytes, edits: Sequence[Edit]) -> bytes:
    """The seed after all edits, in their order; places are bytes, or shares of the length."""
    for kind, place, what in edits:
        at = place if isinstance(place, int) else int(place * len(seed))
        seed = EDITS[kind](seed, min(at, len(seed)), what)
    return seed


def search(
    reader: Reader, target: str, seeds: Sequence[bytes], cases: int, number: int
) -> tuple[bytes, str] | None:
    """Read so many cases, always the same for a `number`; the smallest find, and what it is."""
    worst: list[tuple[bytes, str]] = []

    @hypothesis.seed(number)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(seeds))
    def look(data: bytes) -> None:
        said = reader.read(target, data)
        if said is not None:
            worst.append((data, said))
            raise Find

    with suppress(Find):
        look()
    # Hypothesis shows the smallest last.
    return worst[-1] if worst else None
