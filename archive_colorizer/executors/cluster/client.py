"""Link: the line to the scheduler of a cluster that is not ours, and what is sent through it."""

import json
import pickle
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import ClusterError
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.environment import signals_held_back, silence

_PATIENCE: Final = 10.0
"""Seconds for the scheduler's answer to a short question."""

_TROUBLE: Final = (OSError, RuntimeError, TypeError, ValueError, KeyError)
"""What Dask raises for an address, certificates or a file that lead to no scheduler."""


class Link:
    """A Dask client that leaves the cluster as it is, whatever happens."""

    def __init__(self, cluster: Cluster) -> None:
        """Raises ClusterError when the scheduler cannot be spoken with."""
        import distributed

        silence()
        library: Any = distributed
        # Not in older ones, which raise one of the others.
        closed = getattr(library.client, "ClosedClientError", RuntimeError)
        # A client that has just closed itself lacks parts that it calls.
        self._trouble = (*_TROUBLE, closed, AttributeError)
        self._scheduler = cluster.scheduler
        try:
            address = _address(cluster.scheduler)
            security = _security(library, cluster, address)
            with signals_held_back():
                self._client = library.Client(address, security=security, set_as_default=False)
        except _TROUBLE as error:
            raise ClusterError(
                f"the scheduler {cluster.scheduler} cannot be reached ({error}); check the "
                "address, and for tls:// the certificates"
            ) from error

    def send(self, do: Callable[[], object], address: str, key: str) -> Any:
        """A future of what a function without arguments returns on the worker at `address`.

        Only that worker unpickles it: a scheduler needs no archive-colorizer.  Raises
        ClusterError when the scheduler is gone.
        """
        sent = pickle.dumps(do)
        try:
            return self._client.submit(
                _carrier(), sent, key=key, pure=False, workers=[address], allow_other_workers=False
            )
        except self._trouble as error:
            raise self._gone() from error

    def cancel(self, futures: Collection[Any]) -> None:
        """Take them back; what is at work already works on."""
        with suppress(*self._trouble):
            self._client.cancel(list(futures))

    def workers(self) -> dict[str, int] | None:
        """Addresses of all workers, and their threads; None while the scheduler is silent.

        Raises ClusterError when it has been so for longer than Dask waits.
        """
        if self._client.status == "closed":
            raise self._gone()
        with suppress(*self._trouble):
            return dict(self._client.nthreads(callback_timeout=_PATIENCE))
        return None

    def tell(self, do: Callable[[], object], addresses: Collection[str], patience: float) -> None:
        """Have all these workers do something short at once, past whatever they are at."""
        if addresses:
            with suppress(*self._trouble):
                self._client.run(
                    do, workers=list(addresses), on_error="ignore", callback_timeout=patience
                )

    def close(self, patience: float) -> None:
        """Hang up; the scheduler forgets what was sent."""
        with suppress(*self._trouble):
            self._client.close(timeout=patience)

    def _gone(self) -> ClusterError:
        return ClusterError(
            f"the scheduler {self._scheduler} is gone; the same command goes on where this run "
            "ended, as soon as there is one again"
        )


def _address(scheduler: str) -> str:
    """Of the scheduler; from its file, where it is one."""
    if "://" in scheduler:
        return scheduler
    if not Path(scheduler).is_file():
        raise FileNotFoundError("there is no such file, and addresses begin with tcp:// or tls://")
    return str(json.loads(Path(scheduler).read_text(encoding="utf-8"))["address"])


def _security(library: Any, cluster: Cluster, address: str) -> Any:
    """What is not given here stands in Dask's own configuration, or nowhere.

    Raises OSError for files that cannot be read, and ValueError where the scheme of the address
    and the credentials do not go together: a client of Dask that finds out never ends.
    """
    given = {
        "tls_ca_file": cluster.ca,
        "tls_client_cert": cluster.cert,
        "tls_client_key": cluster.key,
    }
    given = {name: str(Path(file).absolute()) for name, file in given.items() if file}
    # None means that there is no word about it here; Dask's configuration has one.
    security = library.Security(**given, require_encryption=bool(given) or None)
    has_keys = security.get_connection_args("client")["ssl_context"] is not None
    wants_keys = address.partition("://")[0] in ("tls", "wss")
    if wants_keys and not has_keys:
        raise ValueError("it speaks TLS; give --tls-ca, --tls-cert and --tls-key")
    if security.require_encryption and not wants_keys:
        raise ValueError("TLS is asked for, and its address does not begin with tls://")
    return security


def _carrier() -> Callable[[bytes], object]:
    """A function that pickles as its own code, for a scheduler that lacks this package."""

    def carry(sent: bytes) -> object:
        import pickle

        return pickle.loads(sent)()  # noqa: S301 (from the run, which may send any code)

    return carry
