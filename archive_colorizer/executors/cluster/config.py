"""Describe a Dask cluster, and the requirements of a run for its workers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The scheduler, its credentials, and the requirements for workers.

    scheduler: tcp://HOST:PORT, tls://HOST:PORT, or a scheduler file (JSON).  ca, cert, key: PEM
    files for TLS; empty for those of Dask's own configuration.  insecure: whether a scheduler
    without TLS may be used.  roots, output: folders that every worker must see; None for an
    output in an object store.  trial: called next to each worker; returns a description, or
    raises why the worker cannot be used.  niceness: minimum for the processes next to workers.
    notify: called with messages for the user.
    """

    scheduler: str
    ca: str = ""
    cert: str = ""
    key: str = ""
    insecure: bool = False
    roots: tuple[Path, ...] = ()
    output: Path | None = None
    trial: Callable[[], str] = str
    niceness: int = 0
    notify: Callable[[str], None] = lambda _said: None
