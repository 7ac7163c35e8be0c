"""Workers on machines that ssh reaches without a password, for one run; they end with it.

    pip install asyncssh
    sh make_certificates.sh ~/dask-tls     # once; then copy the folder to every machine
    /opt/archive-colorizer/bin/python ssh_hosts.py /archive/scans --output /archive/scans-colorized

Every machine has archive-colorizer of the same version, and sees both folders under the same
paths.  The words after the script are those of `archive-colorize run`.  What scheduler and workers
have to say is found in ssh-logs, here.
"""

import signal
import subprocess
import sys
from pathlib import Path

import dask
from dask.distributed import SSHCluster

HOSTS = ["desk", "desk", "attic", "cellar"]
"""The first has the scheduler; each of the others has workers."""

CONNECT = {"username": "colorizer"}
"""As asyncssh.connect takes it: port, client_keys, known_hosts.  It also reads ~/.ssh/config."""

FOLDER = "/home/colorizer/dask"
"""For files of workers, on each host; in /tmp, anyone may have made the folder that Dask takes."""

WORKERS = {"n_workers": 4, "nthreads": 1, "memory_limit": "4GiB", "death_timeout": "60"}
"""Of each host: as many processes as it has cores to spare."""

TLS = "/home/colorizer/dask-tls"
"""The folder with certificates, at the same path on each host, readable for this user alone."""

FILES = {"ca": f"{TLS}/ca.pem", "cert": f"{TLS}/cert.pem", "key": f"{TLS}/key.pem"}

SECURITY = {
    "distributed.comm.require-encryption": True,
    "distributed.comm.default-scheme": "tls",
    "distributed.comm.tls.ca-file": FILES["ca"],
    **{
        f"distributed.comm.tls.{role}.{kind}": FILES[kind]
        for role in ("client", "scheduler", "worker")
        for kind in ("cert", "key")
    },
}

PYTHON = "/opt/archive-colorizer/bin/python"
"""The interpreter that has archive-colorizer, on all of them."""


def main(words: list[str]) -> int:
    """Start the workers, run, and end the workers."""
    # Ends what has been started by then.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Dask's ssh cluster hands its configuration on to every host.
    with (
        dask.config.set(SECURITY),
        SSHCluster(
            HOSTS,
            connect_options=CONNECT,
            worker_options={**WORKERS, "local_directory": FOLDER},
            # When this script is killed, nobody ends the others: they do so after idle hours.
            scheduler_options={"dashboard": False, "idle_timeout": "6h"},
            remote_python=PYTHON,
        ) as cluster,
    ):
        cluster.sync(keep_logs, cluster)
        program = str(Path(sys.executable).with_name("archive-colorize"))
        tls = [word for name, file in FILES.items() for word in (f"--tls-{name}", file)]
        run = subprocess.Popen(
            [program, "run", *words, "--scheduler", cluster.scheduler_address, *tls]
        )
        # Ctrl-C reaches the run by itself.  It ends in a way that can be resumed.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: run.terminate())
        return run.wait()


async def keep_logs(cluster: SSHCluster) -> None:
    """Read what the others say: Dask leaves it unread, and after 3 MB of it they stand still."""
    folder = Path("ssh-logs")
    folder.mkdir(exist_ok=True)
    for name, one in [("scheduler", cluster.scheduler), *cluster.workers.items()]:
        log = (folder / f"{name}.log").open("ab", buffering=0)
        await one.proc.redirect(stdout=log, stderr=log)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
