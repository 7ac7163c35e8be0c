"""Acquire an output, on a disk or in a store, for one run.

For an output in a store the run records in a local copy of the manifest, in a temporary folder.
The manifest is downloaded at the beginning and uploaded while the run goes on.
"""

import contextlib
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from archive_colorizer.errors import OutputError
from archive_colorizer.location import Location, ObjectLocation
from archive_colorizer.output.lease import RENEWAL_SECONDS, Lease
from archive_colorizer.output.lock import Holder, lock_output
from archive_colorizer.records.paths import MANIFEST, WORK
from archive_colorizer.storage.object_storage import ObjectStorage
from archive_colorizer.storage.temporary import make_temporary_folder

SYNC_SECONDS: Final = 30.0
"""Seconds between uploads of the manifest; more where uploading takes long."""
_SYNC_FACTOR: Final = 20
"""The wait is at least so many times as long as the last upload."""

_NO_CONDITIONAL_PUT: Final = (
    "{} does not refuse what exists already: nothing keeps two runs that begin at the same "
    "moment apart, so start only one"
)


@dataclass(frozen=True, slots=True)
class _OwnedOutput:
    """An output that no other run writes in.

    folder: where the manifest is.  check_ownership: raises OutputError when another run may have
    the output; None for a lock of the kernel, which is never lost.  sync_manifest: uploads the
    manifest during the body.  warning: about the store.
    """

    folder: Path
    check_ownership: Callable[[], None] | None = None
    sync_manifest: Callable[[], AbstractContextManager[object]] = nullcontext
    warning: str | None = None


@contextmanager
def acquire_output(output: Location) -> Iterator[_OwnedOutput]:
    """Keep every other run out of the output; raises OutputBusy and OutputError."""
    if isinstance(output, Path):
        with lock_output(output):
            yield _OwnedOutput(output)
        return
    ObjectStorage.forget_listings()
    try:
        lease = Lease.acquire(output)
    except OSError as error:
        raise OutputError(
            f"cannot write in {output}: {error.strerror}; fix this or choose another --output"
        ) from None
    warning = None if lease.is_exclusive else _NO_CONDITIONAL_PUT.format(output)
    try:
        with make_temporary_folder() as folder:
            (folder / WORK).mkdir()
            sync = _ManifestSync(output, folder, lease)
            yield _OwnedOutput(folder, sync.check, sync.run, warning)
    finally:
        # A lease that cannot be released expires.
        with contextlib.suppress(OSError):
            lease.release()


def describe_holder(output: Location) -> str | None:
    """Describe which run holds the output, without touching its lock.

    The note of a killed run of this host does not count; other hosts cannot be checked.
    """
    try:
        holder = Holder.read(output) if isinstance(output, Path) else Lease.read_holder(output)
    except OSError:
        return None
    if holder is None or (holder.host == platform.node() and not holder.is_alive):
        return None
    return str(holder)


class _ManifestSync:
    """Uploads the manifest and renews the lease in threads of their own."""

    def __init__(self, output: ObjectLocation, folder: Path, lease: Lease) -> None:
        self._output = output
        self._manifest = folder / MANIFEST
        self._remote = ObjectStorage(output / MANIFEST)
        self._lease = lease
        self._ended = threading.Event()
        self._sent = 0
        self._error: OSError | None = None

    def check(self) -> None:
        if self._lease.is_lost:
            raise OutputError(
                f"another run may have taken over {self._output}, since this one was not heard of "
                "for too long; what was made is there, run again when no other run is at work"
            )
        if self._error is not None:
            raise self._describe_error(self._error)

    @contextmanager
    def run(self) -> Iterator[None]:
        try:
            self._remote.download(self._manifest)
            self._sent = self._manifest.stat().st_size
        except FileNotFoundError:
            self._manifest.unlink(missing_ok=True)
        except OSError as error:
            raise self._describe_error(error) from None
        threads = [
            threading.Thread(target=self._repeat, args=arguments, daemon=True)
            for arguments in (
                (self._lease.renew, RENEWAL_SECONDS, 0),
                (self._send, SYNC_SECONDS, _SYNC_FACTOR),
            )
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()
            self._send_last()

    def _repeat(self, action: Callable[[], None], seconds: float, factor: int) -> None:
        wait = seconds
        while not self._ended.wait(wait):
            started = time.monotonic()
            try:
                action()
            except ConnectionError:
                pass  # The next time will do; deliveries find that out as well.
            except OSError as error:
                self._error = error
            wait = max(seconds, factor * (time.monotonic() - started))

    def _send(self) -> None:
        size = self._manifest.stat().st_size if self._manifest.exists() else 0
        if size > self._sent and not self._lease.is_lost:
            self._remote.upload(self._manifest)
            self._sent = size

    def _send_last(self) -> None:
        try:
            if not self._lease.is_lost:
                self._lease.renew()
            self._send()
        except OSError as error:
            raise self._describe_error(error) from None

    def _describe_error(self, error: OSError) -> OutputError:
        return OutputError(
            f"cannot record in {self._remote.location}: {error.strerror}; fix this, then run the "
            "same command again, which finds the results that were made"
        )
