"""Workers as Slurm jobs, for one run; they end with it, or with their time.

    pip install dask-jobqueue
    sh make_certificates.sh ~/dask-tls     # once; on a disk that all nodes share
    PYTHON=/opt/archive-colorizer/bin/python
    $PYTHON slurm_jobs.py /archive/scans --output /scratch/scans-colorized --time-budget 11h

Start it where jobs can be submitted from and where nodes can connect to, and leave it running
there, in tmux or as a small job of its own.  The nodes see both folders under the same paths.
The words after the script are those of `archive-colorize run`.  With GPUs: cuda_nodes.sbatch.
A job that ends at once has said why in slurm-logs; the script waits on for the others.
"""

import signal
import subprocess
import sys
from pathlib import Path

from dask_jobqueue import SLURMCluster
from distributed import Security

TLS = Path("~/dask-tls").expanduser()
"""The folder with certificates, readable for you alone."""

FILES = {"ca": TLS / "ca.pem", "cert": TLS / "cert.pem", "key": TLS / "key.pem"}

JOBS = 8
"""As many as the run shall have; not `adapt`, which goes by tasks that wait: here none do."""


def main(words: list[str]) -> int:
    """Submit the jobs, run as soon as the first has begun, and cancel what is left of them."""
    ca, cert, key = map(str, FILES.values())
    certificates = Security(
        require_encryption=True,
        tls_ca_file=ca,
        **{f"tls_{role}_cert": cert for role in ("client", "scheduler", "worker")},
        **{f"tls_{role}_key": key for role in ("client", "scheduler", "worker")},
    )
    # Jobs that wait in the queue are taken back then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with SLURMCluster(
        queue="standard",
        account="archive",
        # One job: so many cores and so much memory, shared by so many workers of one thread.
        cores=16,
        processes=16,
        memory="64GB",
        walltime="12:00:00",
        # Workers leave before their time is over, and the run hears of it.  One number, one unit.
        worker_extra_args=["--lifetime", "705m", "--lifetime-stagger", "10m"],
        interface="ib0",
        protocol="tls://",
        security=certificates,
        # In /tmp itself, anyone may have made the folder that Dask takes.
        job_script_prologue=["export DASK_TEMPORARY_DIRECTORY=$(mktemp -d)"],
        log_directory="slurm-logs",
        python="/opt/archive-colorizer/bin/python",
    ) as cluster:
        cluster.scale(jobs=JOBS)
        # Jobs may wait in the queue for hours; the run would give up after five minutes.
        cluster.wait_for_workers(1)
        program = str(Path(sys.executable).with_name("archive-colorize"))
        tls = [word for name, file in FILES.items() for word in (f"--tls-{name}", str(file))]
        run = subprocess.Popen(
            [program, "run", *words, "--scheduler", cluster.scheduler_address, *tls]
        )
        # Ctrl-C reaches the run by itself.  It ends in a way that can be resumed.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: run.terminate())
        return run.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
