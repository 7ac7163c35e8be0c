"""A Slurm of our own: a controller and two nodes that are this machine, below one folder.

No file of the system is read or written; nobody is asked who they are (auth/none), so that no
munge is needed.  The nodes claim cores, memory and GPUs that this machine need not have.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors.cluster.foreign_cluster import wait_until

_CONFIG = """
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/none
CredType=cred/none
# What was requeued may begin again after these seconds, and not after two minutes.
AuthInfo=cred_expire=5
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool-%n
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=DEFAULT CPUs=4 RealMemory=65536 Gres=gpu:4
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]}
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]}
PartitionName=standard Nodes=ALL Default=YES State=UP
"""


class Slurm:
    """Commands of users, who have the programs of this interpreter on their PATH."""

    def __init__(self, place: Path) -> None:
        programs = place / "bin"
        programs.mkdir()
        # As with dask-cuda, whose workers are Dask's on machines without a GPU.
        (programs / "dask").write_text(
            f'#!/bin/sh\n[ "$1" = cuda ] && shift\nexec {sys.executable} -m dask "$@"\n'
        )
        (programs / "dask").chmod(0o755)
        (programs / "archive-colorize").symlink_to(
            Path(sys.executable).with_name("archive-colorize")
        )
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(place / "slurm.conf"),
            "PATH": f"{programs}:{os.environ['PATH']}",
        }

    def said(self, *words: str | Path, place: Path | None = None) -> str:
        """What a command prints; it must end well."""
        run = subprocess.run(
            words, cwd=place, env=self.environment, capture_output=True, text=True, timeout=60
        )
        assert run.returncode == 0, run.stderr
        return run.stdout.strip()

    def submit(self, place: Path, *words: str | Path) -> str:
        """The number of a job that is submitted from the folder `dataset`."""
        return self.said("sbatch", "--parsable", *words, place=place)

    def fact(self, job: str, name: str) -> str:
        """One of a job's facts, as `scontrol show job` names it."""
        facts = self.said("scontrol", "--oneliner", "show", "job", job).split()
        return dict(one.partition("=")[::2] for one in facts)[name]

    def queue(self) -> list[str]:
        return self.said("squeue", "--noheader", "--format=%i").split()


def slurm_below(place: Path) -> Iterator[Slurm]:
    """Begin one, and end it with all of its jobs; skips where it cannot be begun."""
    search = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    daemons = [shutil.which(name, path=search) for name in ("slurmctld", "slurmd")]
    if os.geteuid() != 0 or None in daemons:
        pytest.skip("needs slurmctld and slurmd, of slurm-wlm, and root, who may begin them")
    host = socket.gethostname().partition(".")[0]
    (place / "slurm.conf").write_text(_CONFIG.format(host=host, place=place, ports=_free_ports(3)))
    (place / "gres.conf").write_text(f"Name=gpu File={place}/gpu[0-3]\n")
    for number in range(4):
        (place / f"gpu{number}").touch()
    for name in ("state", "spool-n1", "spool-n2"):
        (place / name).mkdir()
    slurm = Slurm(place)
    controller, node = map(str, daemons)
    commands = [[controller, "-D"], *([node, "-D", "-N", name] for name in ("n1", "n2"))]
    running = []
    try:
        for number, words in enumerate(commands):
            with (place / f"log-{number}").open("wb") as log:
                running.append(
                    subprocess.Popen(words, env=slurm.environment, stdout=log, stderr=log)
                )
        wait_until(lambda: _idle(slurm) == 2 or any(one.poll() is not None for one in running))
        logs = [log.read_text() for log in sorted(place.glob("log-*"))]
        assert _idle(slurm) == 2, "\n".join(logs)
        yield slurm
        slurm.said("scancel", "--user=root")
        wait_until(lambda: not slurm.queue())
    finally:
        for one in reversed(running):
            one.terminate()
        for one in running:
            one.wait(60)


def _idle(slurm: Slurm) -> int:
    found = subprocess.run(
        ["sinfo", "--noheader", "--Node", "--states=idle"],
        env=slurm.environment,
        capture_output=True,
        text=True,
    )
    return len(found.stdout.splitlines())


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
