"""Many files at once in threads: reading and hashing let other threads run meanwhile."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")

_AHEAD = 2


def in_threads(
    work: Callable[[_Given], _Made], given: Iterable[_Given], threads: int = 0
) -> Iterator[_Made]:
    """`map` in `threads` threads (0: one a core), in order, a few ahead of the reader only.

    Raises what `work` raises, at that place.
    """
    threads = threads or cores()
    waiting: deque[Future[_Made]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for one in given:
                waiting.append(pool.submit(work, one))
                if len(waiting) >= _AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
