"""Connect to a Dask scheduler, and send calls to its workers."""

import json
import pickle
from collections.abc import Callable, Collection
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final
from uuid import uuid4

from archive_colorizer.errors import ClusterError, UsageError
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.environment import mask_signals, suppress_logs

_ANSWER_TIMEOUT: Final = 10.0
"""Seconds for the scheduler to answer."""

_CONNECT_ERRORS: Final = (OSError, RuntimeError, TypeError, ValueError, KeyError)
"""Errors of Dask for an invalid address, certificate or scheduler file."""

_FETCH_ERRORS: Final = (CancelledError, OSError, RuntimeError, LookupError, ValueError, TypeError)
"""Errors that fetching a result from a dead worker may raise."""


class SchedulerClient:
    """A Dask client that never changes the cluster, and a queue of its finished futures."""

    def __init__(self, client: Any, scheduler: str) -> None:
        """Take over a client of the library; errors name the `scheduler`."""
        from distributed import client as library

        # Older versions lack this error and raise RuntimeError.
        closed = getattr(library, "ClosedClientError", RuntimeError)
        # A client that just closed itself raises AttributeError.
        self._errors = (*_CONNECT_ERRORS, closed, AttributeError)
        self._client = client
        self._scheduler = scheduler
        self.finished: SimpleQueue[Any] = SimpleQueue()

    @classmethod
    def connect(cls, cluster: Cluster) -> "SchedulerClient":
        """Connect to an existing scheduler; raises ClusterError, and UsageError for plain TCP."""
        import distributed

        suppress_logs()
        library: Any = distributed
        try:
            address = _read_address(cluster.scheduler)
            security = _build_security(library, cluster, address)
            with mask_signals():
                client = library.Client(address, security=security, set_as_default=False)
        except _CONNECT_ERRORS as error:
            raise ClusterError(
                f"the scheduler {cluster.scheduler} cannot be reached ({error}); check the "
                "address, and for tls:// the certificates"
            ) from error
        return cls(client, cluster.scheduler)

    def send(self, call: Callable[[], object], address: str, name: str) -> Any:
        """Submit a call to the worker at `address`, and return its future.

        Only that worker unpickles the call, so the scheduler needs no archive-colorizer.
        Raises ClusterError if the connection is lost.
        """
        payload, key = pickle.dumps(call), f"colorize-{name}-{uuid4().hex}"
        try:
            future = self._client.submit(
                _make_unpickler(), payload, key=key, pure=False, workers=[address]
            )
        except self._errors as error:
            raise self._build_lost_error() from error
        future.add_done_callback(self.finished.put)
        return future

    def cancel(self, futures: Collection[Any]) -> None:
        """Cancel futures; calls that are running continue."""
        with suppress(*self._errors):
            self._client.cancel(list(futures))

    def list_workers(self) -> dict[str, int] | None:
        """Return the threads of each worker by address; None while the scheduler is silent.

        Raises ClusterError if it has been silent for longer than Dask waits.
        """
        if self._client.status == "closed":
            raise self._build_lost_error()
        with suppress(*self._errors):
            return dict(self._client.nthreads(callback_timeout=_ANSWER_TIMEOUT))
        return None

    def run_on(
        self, call: Callable[[], object], addresses: Collection[str], timeout: float
    ) -> None:
        """Run a short call on all these workers at once, whatever else they are doing."""
        if addresses:
            with suppress(*self._errors):
                self._client.run(
                    call, workers=list(addresses), on_error="ignore", callback_timeout=timeout
                )

    def close(self, timeout: float) -> None:
        with suppress(*self._errors):
            self._client.close(timeout=timeout)

    def _build_lost_error(self) -> ClusterError:
        return ClusterError(
            f"the connection to the scheduler {self._scheduler} is lost; start it again, then run "
            "the same command again"
        )


def _read_address(scheduler: str) -> str:
    if "://" in scheduler:
        return scheduler
    if not Path(scheduler).is_file():
        raise FileNotFoundError("no such file, and addresses begin with tcp:// or tls://")
    return str(json.loads(Path(scheduler).read_text(encoding="utf-8"))["address"])


def _build_security(library: Any, cluster: Cluster, address: str) -> Any:
    """Build the credentials; those that are missing come from Dask's own configuration.

    Raises OSError for files that cannot be read, ValueError if the scheme of the address does
    not match the credentials, with which Dask's client would hang, and UsageError for plain TCP.
    """
    files = {
        "tls_ca_file": cluster.ca,
        "tls_client_cert": cluster.cert,
        "tls_client_key": cluster.key,
    }
    files = {name: str(Path(file).absolute()) for name, file in files.items() if file}
    # None leaves the decision to Dask's configuration.
    security = library.Security(**files, require_encryption=bool(files) or None)
    has_keys = security.get_connection_args("client")["ssl_context"] is not None
    wants_keys = address.partition("://")[0] in ("tls", "wss")
    if wants_keys and not has_keys:
        raise ValueError("it speaks TLS; give --tls-ca, --tls-cert and --tls-key")
    if security.require_encryption and not wants_keys:
        raise ValueError("TLS is asked for, and its address does not begin with tls://")
    if not wants_keys and not cluster.insecure:
        raise UsageError(
            f"the scheduler {address} speaks without TLS, so that anyone who reaches it can run "
            "code on its workers and read what they read; start it with TLS, or add --insecure "
            "where nobody else reaches it"
        )
    return security


def fetch_result(future: Any, timeout: float) -> object:
    """Return the result of a finished future, or the exception in its place.

    A worker can leave before its result is fetched.
    """
    from distributed.scheduler import KilledWorker

    if future.status not in ("finished", "error"):
        return CancelledError(f"the batch was {future.status}")
    try:
        error: object = future.exception() if future.status == "error" else None
        return future.result(timeout) if error is None else error
    except (KilledWorker, *_FETCH_ERRORS) as failure:
        return failure


def _make_unpickler() -> Callable[[bytes], object]:
    """Build a function that is pickled as code, since the scheduler lacks this package."""

    def unpickle_and_call(sent: bytes) -> object:
        import pickle

        return pickle.loads(sent)()  # noqa: S301 (from the run, which may send any code)

    return unpickle_and_call
