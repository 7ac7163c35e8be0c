"""Bell: rings when something changes below a folder.  The only door of watchdog."""

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from archive_colorizer.run.signals import Stop

_SLICE: Final = 0.5
"""Seconds after which a wait looks for a signal: those do not end it by themselves."""


class Bell:
    """Hung over a folder, it rings for files that come, change or go, at any depth.

    What rings says only that it is worth to look; what is there, the looker sees.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._rung = threading.Event()
        self._observer: Any = None

    def hang(self, folder: Path) -> str | None:
        """Listen to the folder that is there now; the reason when the system does not tell."""
        from watchdog import events
        from watchdog.observers import Observer

        self.take_down()
        rung = self._rung

        class Ring(events.FileSystemEventHandler):
            def on_any_event(self, event: events.FileSystemEvent) -> None:
                rung.set()

        # Not opening and reading, which a run does itself.
        changes = [
            events.FileCreatedEvent,
            events.FileModifiedEvent,
            events.FileMovedEvent,
            events.FileClosedEvent,
            events.DirCreatedEvent,
            events.DirMovedEvent,
            events.DirDeletedEvent,
        ]
        observer = Observer()
        try:
            observer.schedule(Ring(), folder, recursive=True, event_filter=changes)
            observer.start()
        except OSError as error:
            return error.strerror or str(error)
        self._observer = observer
        return None

    def take_down(self) -> None:
        """Listen no more."""
        observer, self._observer = self._observer, None
        if observer is not None:
            with suppress(OSError, RuntimeError):
                observer.stop()
                observer.join(_SLICE)

    def wait(self, seconds: float) -> bool:
        """Until it rings, the seconds are over, or the run is asked to stop; whether it rang."""
        end = time.monotonic() + seconds
        while not self._stop.asked and (left := end - time.monotonic()) > 0:
            if self._rung.wait(min(left, _SLICE)):
                break
        rang = self._rung.is_set()
        self._rung.clear()
        return rang

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        *_: object,
    ) -> None:
        self.take_down()
