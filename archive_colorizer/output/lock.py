"""One run per output: a lock that dies with its process, so that none is ever stale."""

import contextlib
import json
import os
import platform
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from archive_colorizer.errors import OutputBusy, OutputError
from archive_colorizer.location import Address, Place
from archive_colorizer.output.holder import LONGEST_NOTE, Holder, holder_in, is_alive
from archive_colorizer.records.paths import WORK

_LOCK = "lock"
_HOLDER = "holder.json"


@contextmanager
def hold_output(output: Path) -> Iterator[None]:
    """Make the output where needed and keep every other run out of it.

    Raises OutputBusy, which names the holder, when another run is at work there, and
    OutputError at once when nothing can be written there.
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
        raise OutputBusy(_busy(output, work / _HOLDER)) from None
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
    """For the message of a second run only; the lock itself is the kernel's."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    note = {"pid": os.getpid(), "host": platform.node(), "since": now}
    try:
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o666)
        with open(descriptor, "w", encoding="ascii") as stream:  # noqa: PTH123 (own flags)
            json.dump(note, stream)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise OutputError(f"cannot write in {path.parent}: {error.strerror or error}") from error


def holder_of(output: Place) -> str | None:
    """Which run says that it holds the output, without touching its lock.

    A note that a killed run of this host has left counts for nothing; of another host's
    nobody here can tell.
    """
    if isinstance(output, Address):
        from archive_colorizer.output.lease import read_holder

        try:
            holder = read_holder(output)
        except OSError:
            return None
    else:
        holder = _read_note(output / WORK / _HOLDER)
    if holder is None or (holder.host == platform.node() and not is_alive(holder.pid)):
        return None
    return str(holder)


def _read_note(path: Path) -> Holder | None:
    try:
        with path.open("rb") as stream:
            return holder_in(stream.read(LONGEST_NOTE))
    except OSError:
        return None


def _busy(output: Path, path: Path) -> str:
    holder = _read_note(path)
    who = f" ({holder})" if holder else ""
    return f"another run{who} holds {output}; wait for it or choose another --output"
