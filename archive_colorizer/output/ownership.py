"""Held: an output that a run may write in, among files or in a store.

Of an output in a store the manifest is kept here, in a folder that goes with the run.  The
store's copy is the truth: it is taken at the beginning, and renewed while the run goes on.
"""

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archive_colorizer.errors import OutputError
from archive_colorizer.location import Address, Place
from archive_colorizer.output.lock import hold_output
from archive_colorizer.records.paths import MANIFEST, WORK
from archive_colorizer.storage.listing_cache import forget

if TYPE_CHECKING:
    from archive_colorizer.output.lease import Lease

EVERY: Final = 30.0
"""Seconds between copies of the manifest to the store; more where copying takes long."""
_SHARE: Final = 20
"""Copying takes at most one part in so many of the time."""

_UNKEPT: Final = (
    "{} does not refuse what exists already: nothing keeps two runs that begin at the same "
    "moment apart, so start only one"
)


def _nothing_to_check() -> None:
    """A lock of the kernel is never lost."""


@dataclass(frozen=True, slots=True)
class Held:
    """An output that no other run writes in.

    folder: where the manifest is.  check: raises OutputError when the output is no longer
    ours to record in.  keeping: while it lasts, the manifest goes to where it belongs.
    warning: a sentence about the store, if there is anything to tell.
    """

    folder: Path
    check: Callable[[], None] = _nothing_to_check
    keeping: Callable[[], AbstractContextManager[object]] = nullcontext
    warning: str | None = None


@contextmanager
def hold(output: Place) -> Iterator[Held]:
    """Keep every other run out of the output; raises OutputBusy and OutputError."""
    if isinstance(output, Path):
        with hold_output(output):
            yield Held(output)
        return
    forget()
    with _leased(output) as lease, tempfile.TemporaryDirectory(prefix="colorizer-") as folder:
        (Path(folder) / WORK).mkdir()
        keeper = _Keeper(output, Path(folder), lease)
        warning = None if lease.is_kept else _UNKEPT.format(output)
        yield Held(Path(folder), keeper.check, keeper.keeping, warning)


@contextmanager
def _leased(output: Address) -> Iterator["Lease"]:
    from archive_colorizer.output.lease import Lease

    try:
        lease = Lease.take(output)
    except OSError as error:
        raise OutputError(
            f"cannot write in {output}: {error.strerror}; mend that or choose another --output"
        ) from None
    try:
        yield lease
    finally:
        # A lease that cannot be given back ends by itself.
        with contextlib.suppress(OSError):
            lease.give_back()


class _Keeper:
    """Brings the manifest to the store and renews the lease, beside the run."""

    def __init__(self, output: Address, folder: Path, lease: "Lease") -> None:
        self._output = output
        self._manifest = folder / MANIFEST
        self._lease = lease
        self._ended = threading.Event()
        self._sent = 0
        self._trouble: OSError | None = None

    def check(self) -> None:
        if self._lease.is_lost:
            raise OutputError(
                f"another run may have taken over {self._output}, since this one was not heard of "
                "for too long; what was made is there, run again when no other run is at work"
            )
        if self._trouble is not None:
            raise self._error(self._trouble)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        from archive_colorizer.output.lease import BEAT
        from archive_colorizer.storage import objects

        try:
            objects.fetch(self._output / MANIFEST, self._manifest)
            self._sent = self._manifest.stat().st_size
        except FileNotFoundError:
            self._manifest.unlink(missing_ok=True)
        except OSError as error:
            raise self._error(error) from None
        threads = [
            threading.Thread(target=self._repeat, args=how, daemon=True)
            for how in ((self._lease.renew, BEAT, 0), (self._send, EVERY, _SHARE))
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

    def _repeat(self, action: Callable[[], None], every: float, share: int) -> None:
        wait = every
        while not self._ended.wait(wait):
            begun = time.monotonic()
            try:
                action()
            except ConnectionError:
                pass  # The next time; results find that out, too.
            except OSError as error:
                self._trouble = error
            wait = max(every, share * (time.monotonic() - begun))

    def _send(self) -> None:
        from archive_colorizer.storage import objects

        size = self._manifest.stat().st_size if self._manifest.exists() else 0
        if size > self._sent and not self._lease.is_lost:
            objects.send(self._manifest, self._output / MANIFEST)
            self._sent = size

    def _send_last(self) -> None:
        try:
            if not self._lease.is_lost:
                self._lease.renew()
            self._send()
        except OSError as error:
            raise self._error(error) from None

    def _error(self, error: OSError) -> OutputError:
        return OutputError(
            f"cannot record in {self._output / MANIFEST}: {error.strerror}; mend that and run "
            "again, which finds the results that were made"
        )
