"""The whole story of a watch: what has come to rest in a folder is restored, run by run."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from archive_colorizer.errors import ArchiveColorizerError, OutputBusy, OutputError, SourceError
from archive_colorizer.executors.executor import Executor, KeptExecutor
from archive_colorizer.location import on_disk
from archive_colorizer.pipeline.file_events import Bell
from archive_colorizer.pipeline.photos import Loan, check_ready, restore_archive
from archive_colorizer.pipeline.request import Order
from archive_colorizer.pipeline.run_session import Tell
from archive_colorizer.pipeline.settled_files import Resting, files_below, may_be_restored
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.run.driver import Watch
from archive_colorizer.run.signals import Stop, stop_on_signals
from archive_colorizer.run.summary import Summary

_BREATH: Final = 1.0
"""Seconds between two looks at least: a copy rings with every block that it writes."""
_LOOKS: Final = 4
"""Times that a look took, between two: a large tree is not looked at all the time."""
_GLANCE: Final = 5.0
"""Seconds after which it is seen that the folder itself went or came."""
_SURELY: Final = 300.0
"""Seconds between two looks at most: a ring may be missed."""
_WITHOUT_BELL: Final = 30.0
"""The same where the system does not tell of changes."""
_KEPT: Final = 3600.0
"""Seconds after which worker processes are exchanged for new ones, however much comes."""
_PAUSE, _LONGEST_PAUSE = 60.0, 900.0
"""Seconds before a run that could not do its work is tried again; they double each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """A folder to watch, and what to do with what comes in.

    order: has this folder as its only root.  settle: seconds that a file must not have
    changed for.  poll: seconds between looks, for disks whose changes the system does not
    tell; 0 listens to the system.  linger: seconds that the worker processes are kept for
    files that come soon after.
    """

    order: Order
    settle: float = 10.0
    poll: float = 0.0
    linger: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who hears of a watch: of each outcome, of the watch itself, and of the end of each run.

    `ended` gets the run's summary, or the error that it ended with.
    """

    watch: Watch
    tell: Tell
    ended: Callable[[Summary | ArchiveColorizerError], None]


def keep_watch(inbox: Inbox, listener: Listener) -> int:
    """Restore what comes into the folder, run by run, and return the signal that ended it.

    0 is the end of the recipe's time budget.  Nothing that a file does ends it.  Runs that
    cannot work because the folder is away, the disk is full or another run holds the output
    are tried again, later and later.  Raises what else `restore_archive` raises, and before
    anything is awaited also OutputError and OutputBusy.
    """
    with stop_on_signals(budget=inbox.order.recipe.time_budget) as stop:
        check_ready(inbox.order, listener.tell)
        with Bell(stop) as bell:
            vigil = _Vigil(inbox, listener, stop, bell)
            try:
                while not stop.asked:
                    vigil.look()
                    if vigil.is_due():
                        vigil.restore()
                    vigil.wait()
            finally:
                vigil.send_home()
    return stop.signal or 0


class _Vigil:
    """A watch on its way."""

    def __init__(self, inbox: Inbox, listener: Listener, stop: Stop, bell: Bell) -> None:
        self._inbox = inbox
        self._folder = on_disk(inbox.order.roots[0])
        self._listener = listener
        self._stop = stop
        self._bell = bell
        self._resting = Resting(inbox.settle)
        self._restored: dict[str, Stamp] = {}
        self._at_rest: dict[str, Stamp] = {}
        self._looked = False
        self._look_took = 0.0
        # Which folder there is: another may come in its place, by a mount for example.
        self._there: os.stat_result | None = None
        self._hears = False
        self._executor: KeptExecutor | None = None
        self._hired = self._idle_since = 0.0
        self._pause = _PAUSE
        self._not_before = 0.0

    def look(self) -> None:
        """See what is there; a folder that is away is awaited."""
        begun = time.monotonic()
        try:
            there = self._folder.stat()
            if self._there is None or not os.path.samestat(there, self._there):
                self._arrive(there)
            found = files_below(self._folder)
        except OSError as error:
            if self._there is not None or not self._looked:
                self._tell(f"{self._folder} cannot be read ({error.strerror}); waiting for it")
                self._bell.take_down()
            self._there, self._hears, found = None, False, {}
        self._looked = True
        now = time.monotonic()
        self._look_took = now - begun
        self._resting.look(found, now)
        self._at_rest = self._resting.at_rest(now)

    def _arrive(self, there: os.stat_result) -> None:
        if self._looked and self._there is None:
            self._tell(f"{self._folder} is back")
        self._there = there
        if self._inbox.poll:
            return
        reason = self._bell.hang(self._folder)
        self._hears = reason is None
        if reason:
            self._tell(
                f"the system does not tell of changes in {self._folder} ({reason}); "
                f"looking every {_WITHOUT_BELL:g} s, or as --poll says"
            )

    def is_due(self) -> bool:
        """Whether something has come to rest that no run has seen as it is."""
        if time.monotonic() < self._not_before or self._stop.asked:
            return False
        return any(self._restored.get(path) != stamp for path, stamp in self._at_rest.items())

    def restore(self) -> None:
        """A run over all that rests; what earlier runs have settled costs it a look each."""
        at_rest = self._at_rest
        loan = Loan(
            stop=self._stop,
            executor=self._lend,
            wanted=partial(may_be_restored, at_rest=at_rest),
        )
        try:
            ended: Summary | ArchiveColorizerError = restore_archive(
                self._inbox.order, self._listener.watch, self._tell, loan
            )
            self._restored, self._pause = at_rest, _PAUSE
        except (SourceError, OutputError, OutputBusy) as error:
            self._tell(f"{error}; trying again in {self._pause:g} s")
            self._not_before = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            ended = error
        self._stop.unshield()
        self._idle_since = time.monotonic()
        self._listener.ended(ended)

    def _lend(self, hire: Callable[[], Executor]) -> Executor:
        if time.monotonic() - self._hired >= _KEPT:
            self.send_home()
        if self._executor is None:
            self._executor = KeptExecutor(hire())
            self._hired = time.monotonic()
        return self._executor

    def send_home(self) -> None:
        """End the worker processes, until something comes again."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.end()

    def wait(self) -> None:
        """Until it is worth to look again."""
        now = time.monotonic()
        if self._executor is not None and now - self._idle_since >= self._inbox.linger:
            self.send_home()
        often = self._inbox.poll or (_SURELY if self._hears else _WITHOUT_BELL)
        waits = [often, self._resting.seconds_left(now)]
        if self._executor is not None:
            waits.append(self._inbox.linger - (now - self._idle_since))
        if self._not_before > now:
            waits.append(self._not_before - now)
        wait = min(one for one in waits if one is not None)
        breath = max(min(_BREATH, self._inbox.settle / 4), _LOOKS * self._look_took)
        time.sleep(breath)
        end = now + (_GLANCE if self._there is None else wait)
        while not self._stop.asked and (left := end - time.monotonic()) > 0:
            if self._bell.wait(min(left, _GLANCE)) or self._is_away():
                return

    def _is_away(self) -> bool:
        """Whether the folder went, of which the system may not tell."""
        try:
            return self._there is not None and not os.path.samestat(
                self._folder.stat(), self._there
            )
        except OSError:
            return True

    def _tell(self, said: str) -> None:
        self._listener.tell(said)
