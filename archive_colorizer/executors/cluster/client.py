"""Connect to the scheduler of an existing cluster, and send calls to its workers."""

import json
import pickle
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final
from uuid import uuid4

from archive_colorizer.errors import ClusterError
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.environment import mask_signals, suppress_logs

_ANSWER_TIMEOUT: Final = 10.0
"""Seconds for the scheduler to answer."""

_CONNECT_ERRORS: Final = (OSError, RuntimeError, TypeError, ValueError, KeyError)
"""Errors of Dask for an invalid address, certificate or scheduler file."""


class SchedulerClient:
    """A Dask client that never changes the cluster, and a queue of its finished futures."""

    def __init__(self, cluster: Cluster) -> None:
        """Connect to the scheduler; raises ClusterError."""
        import distributed

        suppress_logs()
        library: Any = distributed
        # Older versions lack this error and raise RuntimeError.
        closed = getattr(library.client, "ClosedClientError", RuntimeError)
        # A client that just closed itself raises AttributeError.
        self._errors = (*_CONNECT_ERRORS, closed, AttributeError)
        self._scheduler = cluster.scheduler
        self.finished: SimpleQueue[Any] = SimpleQueue()
        try:
            address = _read_address(cluster.scheduler)
            security = _build_security(library, cluster, address)
            with mask_signals():
                self._client = library.Client(address, security=security, set_as_default=False)
        except _CONNECT_ERRORS as error:
            raise ClusterError(
                f"the scheduler {cluster.scheduler} cannot be reached ({error}); check the "
                "address, and for tls:// the certificates"
            ) from error

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

    Raises OSError for files that cannot be read, and ValueError if the scheme of the address
    does not match the credentials, with which Dask's client would hang.
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
    return security


def _make_unpickler() -> Callable[[bytes], object]:
    """Build a function that is pickled as code, since the scheduler lacks this package."""

    def unpickle_and_call(sent: bytes) -> object:
        import pickle

        return pickle.loads(sent)()  # noqa: S301 (from the run, which may send any code)

    return unpickle_and_call
