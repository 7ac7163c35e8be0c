"""The far end of a lane: a process that does one order after another, and ends with its host."""

import contextlib
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Final

from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.executors.environment import yield_to_others

BEGUN: Final = b"begun"
"""Sent back for every order before it is done, so that the host knows who to blame."""

_IDLE: Final = 60.0
"""Seconds after which a lane that nobody asks ends: whoever began it may be gone."""
_GLANCE: Final = 1.0
"""Seconds between two looks whether the host is alive."""


def serve(descriptor: int, note: str, niceness: int) -> None:
    """Do what comes through the open socket, until nothing comes or the other end is closed.

    An order is a pickled function that is given `note` (see `guarded`).  What it returns goes
    back, and so does an ArchiveColorizerError that it raises; all else ends the process.
    """
    # The host is told to end by signals that the whole group gets; what is in hand is finished.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    yield_to_others(niceness)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with Connection(descriptor) as host, contextlib.suppress(EOFError, OSError):
        while host.poll(_IDLE):
            order = host.recv_bytes()
            host.send_bytes(BEGUN)
            host.send_bytes(pickle.dumps(_done(order, note)))


def _done(order: bytes, note: str) -> object:
    do: Callable[[str], object] = pickle.loads(order)  # noqa: S301 (from the host, its own parent)
    try:
        return do(note)
    except ArchiveColorizerError as error:
        return error


def _end_with(host: int) -> None:
    """A host that was killed closes nothing while this process has an order in hand."""
    while os.getppid() == host:
        time.sleep(_GLANCE)
    os._exit(1)
