"""Cluster: somebody's Dask cluster, and what a run asks of each of its workers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where the scheduler is, how to speak with it, and what a worker must have.

    scheduler: an address, as tcp://HOST:PORT or tls://HOST:PORT, or a scheduler file (JSON).
    ca, cert, key: for TLS, in PEM files; empty for those of Dask's own configuration.
    roots, output: folders that every worker must see; the output None where it is no folder.
    trial: called beside each worker; returns words about it, or raises why it cannot work.
    niceness: least one of the processes beside workers.  tell: takes sentences for people.
    """

    scheduler: str
    ca: str = ""
    cert: str = ""
    key: str = ""
    roots: tuple[Path, ...] = ()
    output: Path | None = None
    trial: Callable[[], str] = str
    niceness: int = 0
    tell: Callable[[str], None] = lambda _said: None
