"""What stops a run early: signals, of which the second stops it at once, and a time budget."""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

GRACE = 15.0
"""Seconds that what is in flight gets to finish."""


class Stop:
    """Whether the run is to stop: by a signal, or because its seconds are over (0: any)."""

    def __init__(self, seconds: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.signal: int | None = None
        self.shielded = False
        self._clock = clock
        self._end = clock() + seconds if seconds else math.inf

    @property
    def asked(self) -> bool:
        """Whether nothing new may be begun."""
        return self.signal is not None or self.out_of_time

    @property
    def out_of_time(self) -> bool:
        return self._clock() >= self._end

    def ask(self, signum: int) -> None:
        """Ask the run to stop; the first signal stays the one that is told."""
        if self.signal is None:
            self.signal = int(signum)

    def shield(self) -> None:
        """No second signal from here on: what follows is short and must be finished."""
        self.shielded = True

    def unshield(self) -> None:
        """What was to be finished is: a run of several drives goes on with the next."""
        self.shielded = False


@contextmanager
def stop_on_signals(grace: float = GRACE, budget: float = 0.0) -> Iterator[Stop]:
    """A Stop that SIGINT, SIGTERM and SIGHUP set, and the end of `budget` seconds (0: any).

    A second signal, or the end of `grace` seconds, raises KeyboardInterrupt in the main
    thread, once.  A signal that is ignored when the run begins (nohup) stays ignored.
    """
    stop = Stop(budget)
    timer: threading.Timer | None = None

    def handle(signum: int, _: FrameType | None) -> None:
        nonlocal timer
        if stop.signal is None:
            stop.ask(signum)
            timer = _second_signal(signum, grace)
        elif not stop.shielded:
            stop.shield()
            raise KeyboardInterrupt

    before = {}
    for one in _signals():
        if signal.getsignal(one) is not signal.SIG_IGN:
            before[one] = signal.signal(one, handle)
    try:
        yield stop
    finally:
        if timer is not None:
            timer.cancel()
        for one, handler in before.items():
            signal.signal(one, handler)


def _second_signal(signum: int, after: float) -> threading.Timer:
    """Repeat the signal to the main thread, which may be waiting."""
    main = threading.main_thread().ident

    def send() -> None:
        with contextlib.suppress(ProcessLookupError, OSError):
            if main is not None:
                signal.pthread_kill(main, signum)

    timer = threading.Timer(after, send)
    timer.daemon = True
    timer.start()
    return timer


def _signals() -> tuple[signal.Signals, ...]:
    if threading.current_thread() is not threading.main_thread():
        return ()
    return tuple(
        getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
    )
