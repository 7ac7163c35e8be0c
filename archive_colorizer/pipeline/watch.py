"""Watch a folder, and restore files once they are stable, run by run."""

import os
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from archive_colorizer.errors import ArchiveColorizerError, OutputBusy, OutputError, SourceError
from archive_colorizer.executors.executor import Executor, ReusedExecutor
from archive_colorizer.location import require_path
from archive_colorizer.pipeline.photos import SharedRun, check_ready, restore_archive
from archive_colorizer.pipeline.request import RestoreRequest
from archive_colorizer.pipeline.run_session import Notify
from archive_colorizer.pipeline.settled_files import StableFiles, is_stable, scan_files
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.run.driver import OutcomeCallback
from archive_colorizer.run.signals import Stop, stop_on_signals
from archive_colorizer.run.summary import Summary

_MIN_INTERVAL: Final = 1.0
"""Seconds between two scans at least: a copy reports a change for every block it writes."""
_SCAN_FACTOR: Final = 4
"""A pause between scans takes at least this many times as long as the last scan."""
_FOLDER_CHECK: Final = 5.0
"""Seconds between checks whether the folder itself was removed or mounted."""
_MAX_INTERVAL: Final = 300.0
"""Seconds between two scans at most: the system may lose a change."""
_POLL_INTERVAL: Final = 30.0
"""The same if the system does not report changes."""
_MAX_EXECUTOR_AGE: Final = 3600.0
"""Seconds after which worker processes are replaced."""
_PAUSE, _LONGEST_PAUSE = 60.0, 900.0
"""Seconds before a failed run is tried again; they double each time."""
_STOP_CHECK: Final = 500
"""Milliseconds after which a wait looks for a stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRequest:
    """Request a watch over a folder, which is the only root of `run`.

    settle: seconds for which a file must stay the same.  poll: seconds between scans, 0 to rely
    on changes that the system reports.  linger: seconds that idle worker processes are kept.
    """

    run: RestoreRequest
    settle: float = 10.0
    poll: float = 0.0
    linger: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchCallbacks:
    """Report a watch; `on_run_end` gets the summary of a run, or the error that ended it."""

    on_outcome: OutcomeCallback
    notify: Notify
    on_run_end: Callable[[Summary | ArchiveColorizerError], None]


def watch_folder(request: WatchRequest, callbacks: WatchCallbacks) -> int:
    """Restore files as they arrive; returns the signal that ended the watch, 0 for its budget.

    Tries a run again if the folder is away, the disk is full or another run holds the output.
    Raises other errors as `restore_archive` does, and at first also OutputError and OutputBusy.
    """
    with stop_on_signals(budget=request.run.recipe.time_budget) as stop:
        check_ready(request.run, callbacks.notify)
        loop = _WatchLoop(request, callbacks, stop)
        try:
            while not stop.is_requested:
                loop.scan()
                if loop.is_due():
                    loop.restore()
                loop.wait()
        finally:
            loop.close()
    return stop.signal or 0


class FolderWatcher:
    """Watch a folder at any depth; collects changes from `start` on, so that none is lost."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._changes: Generator[object] | None = None

    def start(self, folder: Path) -> str | None:
        """Start to watch; returns the reason if the system does not report changes there."""
        from watchfiles import watch

        self.stop()
        changes = watch(folder, watch_filter=None, rust_timeout=_STOP_CHECK, yield_on_timeout=True)
        try:
            next(changes)  # The generator watches from its first step on.
        except (OSError, RuntimeError) as error:
            return getattr(error, "strerror", None) or str(error)
        self._changes = changes
        return None

    def stop(self) -> None:
        changes, self._changes = self._changes, None
        if changes is not None:
            changes.close()

    def wait(self, seconds: float) -> bool:
        """Wait for a change, the end of the seconds or a stop; returns whether there was one."""
        end = time.monotonic() + seconds
        while not self._stop.is_requested and (remaining := end - time.monotonic()) > 0:
            if self._changes is None:
                time.sleep(min(remaining, _STOP_CHECK / 1000))
            elif next(self._changes):
                return True
        return False


class _WatchLoop:
    def __init__(self, request: WatchRequest, callbacks: WatchCallbacks, stop: Stop) -> None:
        self._request = request
        self._folder = require_path(request.run.roots[0])
        self._callbacks = callbacks
        self._stop = stop
        self._notify = callbacks.notify
        self._watcher = FolderWatcher(stop)
        self._files = StableFiles(request.settle)
        self._restored: dict[str, Stamp] = {}
        self._stable: dict[str, Stamp] = {}
        self._has_scanned = False
        self._scan_seconds = 0.0
        # Another folder may take its place, by a mount for example.
        self._folder_status: os.stat_result | None = None
        self._has_events = False
        self._executor: ReusedExecutor | None = None
        self._executor_since = self._idle_since = 0.0
        self._pause = _PAUSE
        self._not_before = 0.0

    def scan(self) -> None:
        """Find the stable files; none while the folder is away."""
        start = time.monotonic()
        try:
            status = self._folder.stat()
            if self._folder_status is None or not os.path.samestat(status, self._folder_status):
                self._start_watching(status)
            stamps = scan_files(self._folder)
        except OSError as error:
            if self._folder_status is not None or not self._has_scanned:
                self._notify(f"{self._folder} cannot be read ({error.strerror}); waiting for it")
                self._watcher.stop()
            self._folder_status, self._has_events, stamps = None, False, {}
        self._has_scanned = True
        now = time.monotonic()
        self._scan_seconds = now - start
        self._files.update(stamps, now)
        self._stable = self._files.list_stable(now)

    def _start_watching(self, status: os.stat_result) -> None:
        if self._has_scanned and self._folder_status is None:
            self._notify(f"{self._folder} is back")
        self._folder_status = status
        if self._request.poll:
            return
        reason = self._watcher.start(self._folder)
        self._has_events = reason is None
        if reason:
            self._notify(
                f"the system does not tell of changes in {self._folder} ({reason}); "
                f"looking every {_POLL_INTERVAL:g} s, or as --poll says"
            )

    def is_due(self) -> bool:
        """Whether there is a stable file that no run has seen in this state."""
        if time.monotonic() < self._not_before or self._stop.is_requested:
            return False
        return any(self._restored.get(path) != stamp for path, stamp in self._stable.items())

    def restore(self) -> None:
        """Run over all stable files; those that are done already only cost a check."""
        stable = self._stable
        shared = SharedRun(
            stop=self._stop,
            borrow_executor=self._borrow_executor,
            selects=partial(is_stable, stable=stable),
        )
        try:
            result: Summary | ArchiveColorizerError = restore_archive(
                self._request.run, self._callbacks.on_outcome, self._notify, shared
            )
            self._restored, self._pause = stable, _PAUSE
        except (SourceError, OutputError, OutputBusy) as error:
            self._notify(f"{error}; trying again in {self._pause:g} s")
            self._not_before = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            result = error
        self._stop.is_protected = False
        self._idle_since = time.monotonic()
        self._callbacks.on_run_end(result)

    def _borrow_executor(self, create: Callable[[], Executor]) -> Executor:
        if time.monotonic() - self._executor_since >= _MAX_EXECUTOR_AGE:
            self.stop_workers()
        if self._executor is None:
            self._executor = ReusedExecutor(create())
            self._executor_since = time.monotonic()
        return self._executor

    def stop_workers(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.end()

    def close(self) -> None:
        self._watcher.stop()
        self.stop_workers()

    def wait(self) -> None:
        """Wait until the next scan is due."""
        now = time.monotonic()
        if self._executor is not None and now - self._idle_since >= self._request.linger:
            self.stop_workers()
        interval = self._request.poll or (_MAX_INTERVAL if self._has_events else _POLL_INTERVAL)
        waits = [interval, self._files.get_seconds_left(now)]
        if self._executor is not None:
            waits.append(self._request.linger - (now - self._idle_since))
        if self._not_before > now:
            waits.append(self._not_before - now)
        wait = min(seconds for seconds in waits if seconds is not None)
        shortest = min(_MIN_INTERVAL, self._request.settle / 4)
        time.sleep(max(shortest, _SCAN_FACTOR * self._scan_seconds))
        end = now + (_FOLDER_CHECK if self._folder_status is None else wait)
        while not self._stop.is_requested and (remaining := end - time.monotonic()) > 0:
            if self._watcher.wait(min(remaining, _FOLDER_CHECK)) or self._is_away():
                return

    def _is_away(self) -> bool:
        """Whether the folder was removed or replaced, which the system may not report."""
        try:
            return self._folder_status is not None and not os.path.samestat(
                self._folder.stat(), self._folder_status
            )
        except OSError:
            return True
