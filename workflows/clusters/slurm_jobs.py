"""Workers as Slurm jobs, for one run; they end with it, or with their time.

    pip install dask-jobqueue
    python slurm_jobs.py /archive/scans --output /scratch/scans-colorized --time-budget 11h

Start it where jobs can be submitted from and where nodes can connect to, and leave it running
there, in tmux or as a small job of its own.  The nodes see both folders under the same paths.
The words after the script are those of `archive-colorize run`.  With GPUs: cuda_nodes.sbatch.
"""

import signal
import subprocess
import sys

from dask_jobqueue import SLURMCluster

JOBS = 8
"""As many as the run shall have; not `adapt`, which goes by tasks that wait: here none do."""


def main(words: list[str]) -> int:
    """Submit the jobs, run as soon as the first has begun, and cancel what is left of them."""
    with SLURMCluster(
        queue="standard",
        account="archive",
        # One job: so many cores and so much memory, shared by so many workers of one thread.
        cores=16,
        processes=16,
        memory="64GB",
        walltime="12:00:00",
        # Jobs are taken back before their time is over, so that none is killed at work.
        worker_extra_args=["--lifetime", "11h45m", "--lifetime-stagger", "10m"],
        interface="ib0",
        local_directory="/tmp",
        log_directory="slurm-logs",
        python="/opt/archive-colorizer/bin/python",
    ) as cluster:
        cluster.scale(jobs=JOBS)
        # Jobs may wait in the queue for hours; the run would give up after five minutes.
        cluster.wait_for_workers(1)
        # Ctrl-C reaches the run by itself, which then ends in a way that can be resumed.
        signal.signal(signal.SIGINT, lambda *_: None)
        run = ["archive-colorize", "run", *words, "--scheduler", cluster.scheduler_address]
        return subprocess.call(run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
