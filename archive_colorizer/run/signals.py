"""Stop a run early: by signals, of which the second stops it at once, or by a time budget."""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

GRACE = 15.0
"""Seconds for batches in flight to finish."""


class Stop:
    """Request to stop a run, by a signal or at the end of `seconds` (0: never).

    While `is_protected`, a second signal is ignored, so that a run can record its results.
    """

    def __init__(self, seconds: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.signal: int | None = None
        self.is_protected = False
        self._clock = clock
        self._end = clock() + seconds if seconds else math.inf

    @property
    def is_requested(self) -> bool:
        """Whether no further batch may be sent."""
        return self.signal is not None or self.out_of_time

    @property
    def out_of_time(self) -> bool:
        return self._clock() >= self._end

    def request(self, signum: int) -> None:
        """Request a stop; the first signal decides the exit code."""
        if self.signal is None:
            self.signal = int(signum)


@contextmanager
def stop_on_signals(grace: float = GRACE, budget: float = 0.0) -> Iterator[Stop]:
    """Yield a Stop for SIGINT, SIGTERM and SIGHUP, and for the end of `budget` seconds (0: none).

    A second signal, or the end of `grace` seconds, raises KeyboardInterrupt in the main thread,
    once.  A signal that is already ignored (nohup) stays ignored.
    """
    stop = Stop(budget)
    timer: threading.Timer | None = None

    def handle(signum: int, _: FrameType | None) -> None:
        nonlocal timer
        if stop.signal is None:
            stop.request(signum)
            timer = _start_grace_timer(signum, grace)
        elif not stop.is_protected:
            stop.is_protected = True
            raise KeyboardInterrupt

    previous_handlers = {}
    for number in _list_signals():
        if signal.getsignal(number) is not signal.SIG_IGN:
            previous_handlers[number] = signal.signal(number, handle)
    try:
        yield stop
    finally:
        if timer is not None:
            timer.cancel()
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)


def _start_grace_timer(signum: int, after: float) -> threading.Timer:
    """Send the signal to the main thread again after some seconds."""
    main = threading.main_thread().ident

    def send() -> None:
        with contextlib.suppress(ProcessLookupError, OSError):
            if main is not None:
                signal.pthread_kill(main, signum)

    timer = threading.Timer(after, send)
    timer.daemon = True
    timer.start()
    return timer


def _list_signals() -> tuple[signal.Signals, ...]:
    if threading.current_thread() is not threading.main_thread():
        return ()
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))
