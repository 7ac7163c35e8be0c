"""Signals: the first asks a run to stop, the second stops it at once."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

GRACE = 15.0
"""Seconds that what is in flight gets to finish."""


class Stop:
    """Whether the run was asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.shielded = False

    @property
    def asked(self) -> bool:
        return self.signal is not None

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
def stop_on_signals(grace: float = GRACE) -> Iterator[Stop]:
    """A Stop that SIGINT, SIGTERM and SIGHUP set.

    A second signal, or the end of `grace` seconds, raises KeyboardInterrupt in the main
    thread, once.  A signal that is ignored when the run begins (nohup) stays ignored.
    """
    stop = Stop()
    timer: threading.Timer | None = None

    def handle(signum: int, _: FrameType | None) -> None:
        nonlocal timer
        if not stop.asked:
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
