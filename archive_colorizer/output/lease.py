"""Lease: one run per output in a store, where no kernel keeps a lock for us.

An object that only one run can make (a put on condition that nothing is there), renewed while
the run lives.  When it has not been renewed for a while its run is dead, and one other run may
take its place.
"""

import json
import os
import platform
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from archive_colorizer.errors import OutputBusy
from archive_colorizer.location import Address
from archive_colorizer.output.holder import Holder, holder_in, is_alive
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.records.paths import WORK
from archive_colorizer.storage import objects

SECONDS: Final = 300
"""After so long without renewal a lease is nobody's."""
BEAT: Final = 60.0
"""Seconds between renewals."""

_LOCK: Final = "lock.json"


@dataclass(slots=True)
class Lease:
    """The right to write below `output`, until it is given back or lost.

    is_kept: whether the store refuses a second lease, as it should.
    """

    output: Address
    token: str
    since: str
    renewed: float
    is_kept: bool = True
    is_lost: bool = False

    @classmethod
    def take(cls, output: Address) -> "Lease":
        """Raises OutputBusy, which names the holder, and OSError as a store does.

        A store that ignores conditions is found out by asking for what must be refused.
        """
        since = datetime.now(UTC).isoformat(timespec="seconds")
        lease = cls(output, secrets.token_hex(16), since, time.monotonic())
        if (stale := _stamp(lease._lock)) is not None:
            lease._take_over(stale)
            return lease
        try:
            lease._put(new=True)
        except FileExistsError:
            raise _busy(output, read_holder(output), "") from None
        try:
            lease._put(new=True)
        except FileExistsError:
            return lease
        lease.is_kept = False
        return lease

    def renew(self) -> None:
        """Say that this run lives; sets `is_lost` when another run has taken its place.

        Raises OSError; a lease that could not be renewed in time counts as lost.
        """
        self.is_lost = self.is_lost or time.monotonic() - self.renewed > SECONDS
        try:
            if not self.is_lost and objects.look(self._lock).note == self.token:
                self._put(new=False)
                self.renewed = time.monotonic()
                return
        except FileNotFoundError:
            pass
        self.is_lost = True

    def give_back(self) -> None:
        """Let the next run in; raises OSError."""
        if not self.is_lost and objects.look(self._lock).note == self.token:
            objects.remove(self._lock)

    @property
    def _lock(self) -> Address:
        return self.output / WORK / _LOCK

    def _put(self, *, new: bool) -> None:
        who = {"pid": os.getpid(), "host": platform.node(), "since": self.since}
        note = {**who, "system": _system()}
        objects.put(self._lock, json.dumps(note).encode(), self.token, new=new)

    def _take_over(self, stale: Stamp) -> None:
        """Take the place of a dead run; of several runs that try, one succeeds."""
        holder = read_holder(self.output)
        if holder is None or holder.system != _system() or is_alive(holder.pid):
            age = _age(self.output, stale)
            if age < SECONDS:
                raise _busy(self.output, holder, f", last heard of {age} s ago,", SECONDS - age)
        turn = self.output / WORK / f"takeover-{stale.inode:x}"
        try:
            objects.put(turn, b"", new=True)
        except FileExistsError:
            said = f" is being taken over (remove {turn} if that run is dead, too) and"
            raise _busy(self.output, holder, said) from None
        try:
            if _stamp(self._lock) != stale:
                raise _busy(self.output, read_holder(self.output), "")
            self._put(new=False)
        finally:
            objects.remove(turn)


def read_holder(output: Address) -> Holder | None:
    """Which run says that it holds the output; raises OSError."""
    try:
        return holder_in(objects.read(output / WORK / _LOCK))
    except FileNotFoundError:
        return None


def _stamp(place: Address) -> Stamp | None:
    try:
        return objects.look(place).stamp
    except FileNotFoundError:
        return None


def _age(output: Address, stamp: Stamp) -> int:
    """Seconds since an object was written, by the store's own clock."""
    now = output / WORK / f"clock-{secrets.token_hex(8)}"
    objects.put(now, b"")
    try:
        at = objects.look(now).stamp
    finally:
        objects.remove(now)
    return 0 if at is None else max(0, (at.mtime_ns - stamp.mtime_ns) // 10**9)


def _system() -> str:
    """What tells whose a process number is; nothing that recurs where that cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return secrets.token_hex(16)


def _busy(output: Address, holder: Holder | None, said: str, left: int = 0) -> OutputBusy:
    who = f" ({holder})" if holder else ""
    then = f"; if it was killed, run again in {left} s" if left else ""
    return OutputBusy(f"another run{who}{said} holds {output}; wait for it{then}")
