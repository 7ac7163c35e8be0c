"""Link: the line to the scheduler of a cluster that is not ours, and what is sent through it."""

import pickle
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import ClusterError
from archive_colorizer.run.cluster import Cluster
from archive_colorizer.run.surroundings import signals_held_back, silence

_PATIENCE: Final = 10.0
"""Seconds for the scheduler's answer to a short question."""

_TROUBLE: Final = (OSError, RuntimeError, TypeError, ValueError)
"""What Dask raises for an address, certificates or a file that lead to no scheduler."""


class Link:
    """A Dask client that leaves the cluster as it is, whatever happens."""

    def __init__(self, cluster: Cluster) -> None:
        """Raises ClusterError when the scheduler cannot be spoken with."""
        import distributed

        silence()
        library: Any = distributed
        self._scheduler = cluster.scheduler
        place = {"address": cluster.scheduler}
        if "://" not in cluster.scheduler:
            place = {"scheduler_file": str(Path(cluster.scheduler).absolute())}
        try:
            with signals_held_back():
                self._client = library.Client(
                    **place, security=_security(library, cluster), set_as_default=False
                )
        except _TROUBLE as error:
            raise ClusterError(
                f"the scheduler {cluster.scheduler} cannot be reached ({error}); check its "
                "address, and for tls:// the certificates"
            ) from error

    def send(self, do: Callable[[], object], address: str, key: str) -> Any:
        """A future of what a function without arguments returns on the worker at `address`.

        Only that worker unpickles it: a scheduler needs no archive-colorizer.
        """
        return self._client.submit(
            _carrier(),
            pickle.dumps(do),
            key=key,
            pure=False,
            workers=[address],
            allow_other_workers=False,
        )

    def cancel(self, futures: Collection[Any]) -> None:
        """Take them back; what is at work already works on."""
        with suppress(*_TROUBLE):
            self._client.cancel(list(futures))

    def workers(self) -> dict[str, int] | None:
        """Addresses of all workers, and their threads; None while the scheduler is silent.

        Raises ClusterError when it has been so for longer than Dask waits.
        """
        if self._client.status == "closed":
            raise ClusterError(
                f"the scheduler {self._scheduler} is gone; the same command goes on where this "
                "run ended, as soon as there is one again"
            )
        with suppress(*_TROUBLE):
            return dict(self._client.nthreads(callback_timeout=_PATIENCE))
        return None

    def tell(self, do: Callable[[], object], addresses: Collection[str], patience: float) -> None:
        """Have all these workers do something short at once, past whatever they are at."""
        if addresses:
            with suppress(*_TROUBLE):
                self._client.run(
                    do, workers=list(addresses), on_error="ignore", callback_timeout=patience
                )

    def close(self, patience: float) -> None:
        """Hang up; the scheduler forgets what was sent."""
        with suppress(*_TROUBLE):
            self._client.close(timeout=patience)


def _security(library: Any, cluster: Cluster) -> Any:
    """What is not given here stands in Dask's own configuration, or nowhere."""
    given = {
        "tls_ca_file": cluster.ca,
        "tls_client_cert": cluster.cert,
        "tls_client_key": cluster.key,
    }
    given = {name: str(Path(file).absolute()) for name, file in given.items() if file}
    if given:
        return library.Security(**given, require_encryption=True)
    return library.Security()


def _carrier() -> Callable[[bytes], object]:
    """A function that pickles as its own code, for a scheduler that lacks this package."""

    def carry(sent: bytes) -> object:
        import pickle

        return pickle.loads(sent)()  # noqa: S301 (from the run, which may send any code)

    return carry
