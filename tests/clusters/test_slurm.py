"""The examples for Slurm for real: submitted to one of our own, on two nodes that are here."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.example import (
    WORKFLOWS,
    example,
    lay_scans,
    make_certificates,
    restored,
    states,
)
from tests.clusters.slurm import Slurm, slurm_below
from tests.executors.cluster.foreign_cluster import wait_until

pytestmark = pytest.mark.slow

ONE_JOB = [WORKFLOWS / "slurm.sbatch"]
GPU_JOB = ["--cpus-per-task=1", WORKFLOWS / "clusters" / "cuda_nodes.sbatch"]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    for slurm in slurm_below(tmp_path_factory.mktemp("slurm")):
        tls = make_certificates(tmp_path_factory.mktemp("keys") / "tls")
        slurm.environment["COLORIZER_TLS"] = str(tls)
        yield slurm


def ended(slurm: Slurm, job: str) -> tuple[str, str]:
    """A job's state and its script's exit code, when both are settled."""
    last = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")
    wait_until(lambda: slurm.fact(job, "JobState") in last)
    return slurm.fact(job, "JobState"), slurm.fact(job, "ExitCode").partition(":")[0]


def log_of(place: Path, job: str) -> str:
    return (place / f"archive-colorizer-{job}.log").read_text()


def all_done_once(output: Path, count: int) -> bool:
    made = states(output)
    return len(made) == count and set(map(tuple, made.values())) == {("done",)}


# ---- one node


def test_a_job_queues_itself_again_when_its_budget_is_used(slurm: Slurm, tmp_path: Path) -> None:
    lay_scans(tmp_path / "scans", 30)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('time_budget = "1s"\n')
    words = [*ONE_JOB, "scans", "out", "--recipe", recipe]
    job = slurm.submit(tmp_path, "--cpus-per-task=1", *words)
    wait_until(lambda: slurm.fact(job, "Restarts") != "0")
    assert "the time is used up" in log_of(tmp_path, job)
    assert len(restored(tmp_path / "out")) < 30
    recipe.write_text("")
    assert ended(slurm, job) == ("COMPLETED", "0")
    assert all_done_once(tmp_path / "out", 30)


def test_a_job_that_is_told_to_end_goes_on_later(slurm: Slurm, tmp_path: Path) -> None:
    lay_scans(tmp_path / "scans", 200)
    output = tmp_path / "out"
    job = slurm.submit(tmp_path, "--cpus-per-task=1", *ONE_JOB, "scans", "out")
    wait_until(lambda: len(restored(output)) > 3)
    # As --signal=TERM@120 does: to the steps, and not to the script.
    slurm.said("scancel", "--signal=TERM", job)
    wait_until(lambda: slurm.fact(job, "Restarts") == "1")
    assert "the same command goes on where this run ended" in log_of(tmp_path, job)
    assert 3 < len(states(output)) < 200
    assert ended(slurm, job) == ("COMPLETED", "0")
    assert all_done_once(output, 200)


# ---- workers as jobs


@pytest.fixture
def script(tmp_path: Path) -> Path:
    pytest.importorskip("dask_jobqueue", reason="submits workers to Slurm")
    constants = {
        "JOBS = 8": "JOBS = 2",
        "cores=16": "cores=1",
        "processes=16": "processes=1",
        'memory="64GB"': 'memory="4GB"',
        '"ib0"': '"lo"',
        'python="/opt/archive-colorizer/bin/python"': f'python="{sys.executable}"',
        'Path("~/dask-tls").expanduser()': f"Path({str(make_certificates(tmp_path / 'tls'))!r})",
    }
    return example("slurm_jobs.py", tmp_path, constants)


def started(slurm: Slurm, script: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, script, "scans", "--output", "out"],
        cwd=script.parent,
        env=slurm.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_job_with_a_worker_is_lost_and_the_second_run_does_nothing(
    slurm: Slurm, script: Path, tmp_path: Path
) -> None:
    lay_scans(tmp_path / "scans", 60)
    first, output = started(slurm, script), tmp_path / "out"
    wait_until(lambda: len(restored(output)) > 3)
    jobs = slurm.queue()
    assert len(jobs) == 2
    slurm.said("scancel", "--signal=KILL", "--full", jobs[0])
    _, told = first.communicate(timeout=200)
    assert first.returncode == 0, told
    assert all_done_once(output, 60)
    second = started(slurm, script)
    said, told = second.communicate(timeout=200)
    assert second.returncode == 0, told
    assert "nothing to do" in said
    wait_until(lambda: not slurm.queue())


@pytest.mark.parametrize("at", ["waiting", "working"])
def test_terminated_the_script_takes_its_jobs_back(
    slurm: Slurm, script: Path, tmp_path: Path, at: str
) -> None:
    lay_scans(tmp_path / "scans", 200)
    others = []
    if at == "waiting":
        others = [slurm.submit(tmp_path, "--nodes=2", "--exclusive", "--wrap", "sleep 100")]
        wait_until(lambda: slurm.fact(others[0], "JobState") == "RUNNING")
    process = started(slurm, script)
    if at == "waiting":
        wait_until(lambda: len(slurm.queue()) == 3)
    else:
        wait_until(lambda: len(restored(tmp_path / "out")) > 3)
    process.terminate()
    process.communicate(timeout=100)
    assert process.returncode == 128 + signal.SIGTERM
    wait_until(lambda: slurm.queue() == others)
    assert (tmp_path / "out").exists() == (at == "working")
    for job in others:
        slurm.said("scancel", job)


# ---- nodes with GPUs; `dask cuda worker` is Dask's own worker here


def test_two_nodes_with_gpus(slurm: Slurm, tmp_path: Path) -> None:
    lay_scans(tmp_path / "scans", 40)
    job = slurm.submit(tmp_path, *GPU_JOB, "scans", "out", "--device", "cpu")
    wait_until(lambda: restored(tmp_path / "out"))
    (step,) = [
        one
        for one in slurm.said("scontrol", "--oneliner", "show", "step").splitlines()
        if f"StepId={job}.0 " in one
    ]
    assert " Nodes=2 CPUs=2 " in step
    assert ended(slurm, job) == ("COMPLETED", "0")
    assert all_done_once(tmp_path / "out", 40)
    assert not list(tmp_path.glob("scheduler-*.json"))


def test_nodes_with_gpus_finish_what_is_in_hand(slurm: Slurm, tmp_path: Path) -> None:
    lay_scans(tmp_path / "scans", 200)
    job = slurm.submit(tmp_path, *GPU_JOB, "scans", "out", "--device", "cpu")
    wait_until(lambda: len(restored(tmp_path / "out")) > 3)
    # As --signal=B:TERM@120 does.
    slurm.said("scancel", "--batch", "--signal=TERM", job)
    assert ended(slurm, job) == ("FAILED", "143")
    assert 3 < len(states(tmp_path / "out")) < 200
    assert not list(tmp_path.glob("scheduler-*.json"))


def test_a_scheduler_that_does_not_start_is_not_waited_for(slurm: Slurm, tmp_path: Path) -> None:
    lay_scans(tmp_path / "scans", 1)
    # It cannot write its file below what is a file.
    (tmp_path / "none").write_text("")
    words = ["--export=ALL,SLURM_SUBMIT_DIR=" + str(tmp_path / "none"), *GPU_JOB]
    job = slurm.submit(tmp_path, *words, "scans", "out")
    assert ended(slurm, job) == ("FAILED", "3")
