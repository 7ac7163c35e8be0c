"""Workers on machines that ssh reaches without a password, for one run; they end with it.

    pip install asyncssh
    python ssh_hosts.py /archive/scans --output /archive/scans-colorized

Every machine has archive-colorizer of the same version, and sees both folders under the same
paths.  The words after the script are those of `archive-colorize run`.
"""

import signal
import subprocess
import sys

from dask.distributed import SSHCluster

HOSTS = ["desk", "desk", "attic", "cellar"]
"""The first has the scheduler; each of the others has workers."""

WORKERS = {"n_workers": 4, "nthreads": 1, "memory_limit": "4GiB"}
"""Of each host: as many processes as it has cores to spare."""

PYTHON = "/opt/archive-colorizer/bin/python"
"""The interpreter that has archive-colorizer, on all of them."""


def main(words: list[str]) -> int:
    """Start the workers, run, and end the workers."""
    with SSHCluster(
        HOSTS,
        connect_options={"username": "colorizer"},
        worker_options=WORKERS,
        scheduler_options={"dashboard": False},
        remote_python=PYTHON,
    ) as cluster:
        # Ctrl-C reaches the run by itself, which then ends in a way that can be resumed.
        signal.signal(signal.SIGINT, lambda *_: None)
        run = ["archive-colorize", "run", *words, "--scheduler", cluster.scheduler_address]
        return subprocess.call(run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
