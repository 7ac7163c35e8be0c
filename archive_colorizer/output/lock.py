"""Allow one run per output: a lock that dies with its process, so that it is never stale."""

import contextlib
import json
import os
import platform
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archive_colorizer.errors import OutputBusy, OutputError
from archive_colorizer.location import Location
from archive_colorizer.records.paths import WORK

_LOCK = "lock"
_HOLDER = "holder.json"
_MAX_NOTE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Holder:
    """The run that holds an output, as it noted itself; `system` identifies the pid in stores."""

    pid: int
    host: str
    since: str
    system: str = ""

    def __str__(self) -> str:
        return f"pid {self.pid} on host {self.host!r} since {self.since!r}"

    @classmethod
    def parse(cls, note: bytes) -> "Holder | None":
        """Parse the note of a holder; None when it is invalid."""
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            raw = json.loads(note[:_MAX_NOTE_BYTES])
            host, since, system = str(raw["host"]), str(raw["since"]), str(raw.get("system", ""))
            return cls(int(raw["pid"]), host[:64], since[:32], system)
        return None

    @classmethod
    def read(cls, output: Path) -> "Holder | None":
        """Read which run noted that it holds the output, without touching the lock."""
        try:
            with (output / WORK / _HOLDER).open("rb") as stream:
                return Holder.parse(stream.read(_MAX_NOTE_BYTES))
        except OSError:
            return None

    @property
    def is_alive(self) -> bool:
        """Whether this host has such a process."""
        try:
            os.kill(self.pid, 0)
        except PermissionError:
            return True
        except (OSError, OverflowError):
            return False
        return True


def describe_busy(
    output: Location, holder: Holder | None, status: str = "", advice: str = ""
) -> OutputBusy:
    """Say which run holds an output, and what to do besides waiting for it."""
    who = f" ({holder})" if holder else ""
    return OutputBusy(f"another run{who}{status} holds {output}; wait for it{advice}")


@contextmanager
def lock_output(output: Path) -> Iterator[None]:
    """Create the output where needed, and keep every other run out of it.

    Raises OutputBusy, which names the holder, and OutputError when the output is not writable.
    """
    from filelock import FileLock, Timeout

    work = output / WORK
    try:
        work.mkdir(parents=True, exist_ok=True)
        if not stat.S_ISDIR(os.lstat(work).st_mode):
            raise OutputError(f"{work} is a link; remove it or choose another --output")
        lock = FileLock(work / _LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        advice = " or choose another --output"
        raise describe_busy(output, Holder.read(output), advice=advice) from None
    except OSError as error:
        raise OutputError(
            f"cannot write in {output}: {error.strerror or error}; choose another --output"
        ) from error
    try:
        _note_holder(work / _HOLDER)
        yield
        with contextlib.suppress(OSError):
            (work / _HOLDER).unlink()
    finally:
        lock.release()


def _note_holder(path: Path) -> None:
    # Only the message of a second run uses this; the kernel holds the lock.
    now = datetime.now(UTC).isoformat(timespec="seconds")
    note = {"pid": os.getpid(), "host": platform.node(), "since": now}
    try:
        path.unlink(missing_ok=True)
        with path.open("x", encoding="ascii") as stream:
            json.dump(note, stream)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise OutputError(f"cannot write in {path.parent}: {error.strerror or error}") from error
