"""Allow one run per output in a store, where no kernel holds a lock.

A lease is an object that only one run can create (a put on condition that the key is free) and
that the run renews while it lives.  When it was not renewed for a while, its run is dead, and one
other run may take it over.
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

from archive_colorizer.location import ObjectLocation
from archive_colorizer.output.lock import Holder, describe_busy
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.records.paths import WORK
from archive_colorizer.storage.object_storage import ObjectStorage

LEASE_SECONDS: Final = 300
"""Without renewal a lease expires after this time."""
RENEWAL_SECONDS: Final = 60.0

_LOCK: Final = "lock.json"


@dataclass(slots=True)
class Lease:
    """The right to write below `output`, until it is released or lost.

    is_exclusive: whether the store refuses a second lease, as it should.
    """

    output: ObjectLocation
    token: str
    since: str
    renewed: float
    is_exclusive: bool = True
    is_lost: bool = False

    @classmethod
    def acquire(cls, output: ObjectLocation) -> "Lease":
        """Acquire the lease; raises OutputBusy, which names the holder, and OSError.

        A second put that must be refused detects a store that ignores conditions.
        """
        since = datetime.now(UTC).isoformat(timespec="seconds")
        lease = cls(output, secrets.token_hex(16), since, time.monotonic())
        if (stale := lease._read_stamp()) is not None:
            lease._take_over(stale)
            return lease
        try:
            lease._put(new=True)
        except FileExistsError:
            raise describe_busy(output, cls.read_holder(output)) from None
        try:
            lease._put(new=True)
        except FileExistsError:
            return lease
        lease.is_exclusive = False
        return lease

    def renew(self) -> None:
        """Renew the lease, or set `is_lost` when it has expired or was taken over.

        Raises OSError.
        """
        self.is_lost = self.is_lost or time.monotonic() - self.renewed > LEASE_SECONDS
        try:
            if not self.is_lost and self._lock.read_info().note == self.token:
                self._put(new=False)
                self.renewed = time.monotonic()
                return
        except FileNotFoundError:
            pass
        self.is_lost = True

    def release(self) -> None:
        """Remove the lease unless it is lost; raises OSError."""
        if not self.is_lost and self._lock.read_info().note == self.token:
            self._lock.remove()

    @staticmethod
    def read_holder(output: ObjectLocation) -> Holder | None:
        """Read which run noted that it holds the output; raises OSError."""
        try:
            return Holder.parse(ObjectStorage(output / WORK / _LOCK).read_content())
        except FileNotFoundError:
            return None

    @property
    def _lock(self) -> ObjectStorage:
        return ObjectStorage(self.output / WORK / _LOCK)

    def _read_stamp(self) -> Stamp | None:
        try:
            return self._lock.read_info().stamp
        except FileNotFoundError:
            return None

    def _put(self, *, new: bool) -> None:
        note = {"pid": os.getpid(), "host": platform.node(), "since": self.since}
        data = json.dumps({**note, "system": _identify_system()}).encode()
        self._lock.put(data, self.token, new=new)

    def _take_over(self, stale: Stamp) -> None:
        """Take over the lease of a dead run; of several runs that try, one succeeds."""
        holder = self.read_holder(self.output)
        if holder is None or holder.system != _identify_system() or holder.is_alive:
            age = _measure_age(self.output, stale)
            if age < LEASE_SECONDS:
                advice = f"; if it was killed, run again in {LEASE_SECONDS - age} s"
                raise describe_busy(self.output, holder, f", last heard of {age} s ago,", advice)
        turn = ObjectStorage(self.output / WORK / f"takeover-{stale.inode:x}")
        try:
            turn.put(b"", new=True)
        except FileExistsError:
            status = f" is being taken over (remove {turn.location} if that run is dead, too) and"
            raise describe_busy(self.output, holder, status) from None
        try:
            if self._read_stamp() != stale:
                raise describe_busy(self.output, self.read_holder(self.output))
            self._put(new=False)
        finally:
            turn.remove()


def _measure_age(output: ObjectLocation, stamp: Stamp) -> int:
    """Measure the seconds since an object was written, by the store's own clock."""
    clock = ObjectStorage(output / WORK / f"clock-{secrets.token_hex(8)}")
    clock.put(b"")
    try:
        now = clock.read_info().stamp
    finally:
        clock.remove()
    return 0 if now is None else max(0, (now.mtime_ns - stamp.mtime_ns) // 10**9)


def _identify_system() -> str:
    """Identify this boot and pid namespace; random where they are unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return secrets.token_hex(16)
