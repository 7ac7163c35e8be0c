"""On somebody's cluster: what workers must have, what they lose when they die, what they keep."""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import pytest
from PIL import Image

from archive_colorizer.errors import (
    ArchiveColorizerError,
    ClusterError,
    ModelError,
    OutputError,
    SourceError,
)
from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.cluster.client import SchedulerClient
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.executor import Batch, Executor, LostBatch, open_executor
from archive_colorizer.executors.limits import NO_LIMITS, Limits
from archive_colorizer.model.registry import find_model
from archive_colorizer.pipeline.request import find_models
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import JobContext
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.restore.model_cache import try_models
from tests.executors.cluster.foreign_cluster import (
    REPOSITORY,
    ForeignCluster,
    lay_other_package,
    wait_until,
)
from tests.executors.test_executor import (
    batches,
    die_of_kill,
    gather,
    job,
    leave_when,
    note,
    sleep_long,
)
from tests.photographs import NAMES, photograph

needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="hides folders by mounts: needs root"
)


def hired(
    foreign: ForeignCluster, limits: Limits = NO_LIMITS, workers: int = 0, **asked: object
) -> Executor:
    cluster = Cluster(scheduler=foreign.address, insecure=True, **asked)  # type: ignore[arg-type]
    return open_executor("cluster", WorkerAllocation(workers, 1), limits, cluster)


def blind_to(*folders: Path) -> list[str]:
    """Words before a command that sees empty mount points where these folders are."""
    mounts = " && ".join(f"mount -t tmpfs none '{one}'" for one in folders)
    return ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh"]


@pytest.fixture
def also(foreign: ForeignCluster) -> Iterator[Callable[..., None]]:
    """Adds a worker to the cluster, for one test."""
    added = []

    def add(name: str, *before: str, path: Path = REPOSITORY, **variables: str) -> None:
        added.append(name)
        if before:
            foreign.before[name] = before
        foreign.add_worker(name, path, **variables)
        foreign.wait_for_worker(name)

    yield add
    for name in added:
        if name in foreign.processes:
            foreign.kill(name)
        foreign.before.pop(name, None)
        shutil.rmtree(foreign.folder / name)
    forget_the_dead(foreign, len(foreign.processes) - 1)


def forget_the_dead(foreign: ForeignCluster, count: int) -> None:
    """Until the scheduler has seen that workers are gone."""
    import distributed

    with distributed.Client(foreign.address, set_as_default=False) as client:
        wait_until(lambda: len(client.nthreads()) == count)


# ---- who may work


def complaint(executor: Executor) -> ArchiveColorizerError:
    with executor, pytest.raises(ArchiveColorizerError) as caught:
        list(executor.map(note, batches(2)))
    return caught.value


def test_a_worker_with_another_version_is_told_by_name(
    foreign: ForeignCluster, also: Callable[..., None], tmp_path: Path
) -> None:
    shutil.copytree(REPOSITORY / "archive_colorizer", tmp_path / "archive_colorizer")
    face = tmp_path / "archive_colorizer" / "_version.py"
    face.write_text(face.read_text().replace("__version__ = ", '__version__ = "0.0.9" or '))
    also("carol", path=tmp_path)
    error = complaint(hired(foreign))
    assert isinstance(error, ClusterError)
    assert "worker carol on " in str(error)
    assert "has archive-colorizer 0.0.9" in str(error)


def test_a_worker_without_this_program_is_told_by_address(
    foreign: ForeignCluster, also: Callable[..., None], tmp_path: Path
) -> None:
    also("carol", path=lay_other_package(tmp_path, "0.0.1"))
    error = complaint(hired(foreign))
    assert isinstance(error, ClusterError)
    assert "worker tcp://127.0.0.1:" in str(error)
    assert "No module named" in str(error)


@needs_mounts
@pytest.mark.parametrize(("hidden", "kind"), [("scans", SourceError), ("out", OutputError)])
def test_a_worker_that_does_not_see_a_folder_is_told_by_name(
    foreign: ForeignCluster,
    also: Callable[..., None],
    tmp_path: Path,
    hidden: str,
    kind: type[ArchiveColorizerError],
) -> None:
    scans, output = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    (scans / "a.jpg").write_bytes(b"a")
    (output / ".work").mkdir(parents=True)
    with hired(foreign, roots=(scans,), output=output) as both:
        assert len(gather(both, note, batches(3))) == 6
    also("carol", *blind_to(tmp_path / hidden))
    error = complaint(hired(foreign, roots=(scans,), output=output))
    assert isinstance(error, kind)
    assert "worker carol on " in str(error)
    assert str(tmp_path / hidden) in str(error)
    assert not list((output / ".work").iterdir())


@needs_mounts
def test_models_are_found_by_path_or_by_name_and_must_be_the_same(
    foreign: ForeignCluster, also: Callable[..., None], tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    shutil.copy(find_model("default"), ours / "mine.onnx")
    place = JobContext("", "", Recipe(), **find_models(Recipe(model=str(ours / "mine.onnx"))))
    also("carol", *blind_to(ours), ARCHIVE_COLORIZER_MODELS=str(theirs))

    error = complaint(hired(foreign, trial=partial(try_models, place)))
    assert isinstance(error, ModelError)
    assert "worker carol on " in str(error)
    assert f"model {ours / 'mine.onnx'}: there is no such file" in str(error)

    (theirs / "mine.onnx").write_bytes(b"another one")
    error = complaint(hired(foreign, trial=partial(try_models, place)))
    assert isinstance(error, ModelError)
    assert f"model {theirs / 'mine.onnx'}: another file" in str(error)

    shutil.copy(find_model("default"), theirs / "mine.onnx")
    with hired(foreign, trial=partial(try_models, place)) as all_three:
        assert len(gather(all_three, note, batches(3))) == 6


@needs_mounts
def test_who_joins_later_is_looked_at_too(
    foreign: ForeignCluster, also: Callable[..., None], tmp_path: Path
) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "a.jpg").write_bytes(b"a")
    told: list[str] = []
    with hired(foreign, roots=(scans,), notify=told.append) as executor:
        assert len(gather(executor, note, batches(3))) == 6
        also("blind", *blind_to(scans))
        also("carol")
        outcomes = []
        for answer in executor.map(note_slowly_enough, batches(400)):
            assert isinstance(answer, list)
            outcomes += answer
            if told and len({one.provider for one in outcomes}) == 3:
                break
    (said,) = told
    assert "worker blind on " in said
    assert "this worker is not used" in said
    assert len({one.provider for one in outcomes}) == 3


def note_slowly_enough(batch: Batch) -> list[Outcome]:
    time.sleep(0.1)
    return note(batch)


@pytest.mark.parametrize("place", ["scheduler.json", "localhost:8786", "tcp://127.0.0.1:1"])
def test_without_a_scheduler(place: str) -> None:
    import dask
    import distributed  # noqa: F401 (whose own configuration comes first)

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ClusterError, match="cannot be reached"),
    ):
        list(
            open_executor(
                "cluster", WorkerAllocation(0, 1), cluster=Cluster(scheduler=place, insecure=True)
            ).map(note, batches(1))
        )


# ---- what workers keep


def dask_workers(foreign: ForeignCluster) -> list[psutil.Process]:
    return [foreign.worker_process(name) for name in ("alice", "bob")]


def test_a_picture_that_ends_its_process_costs_the_cluster_nothing(
    foreign: ForeignCluster,
) -> None:
    before = dask_workers(foreign)
    fatal = (job(999, "kill"),)
    given = [*batches(6), fatal, *batches(6)]
    with hired(foreign) as executor:
        answers = list(executor.map(die_of_kill, iter(given)))
        (lost,) = [answer for answer in answers if isinstance(answer, LostBatch)]
        assert lost.batch == fatal
        assert not lost.worker_left
        assert len(answers) == len(given)
        assert len(gather(executor, note, batches(10))) == 20
    assert dask_workers(foreign) == before


def test_time_is_limited_there_too(foreign: ForeignCluster, tmp_path: Path) -> None:
    before = dask_workers(foreign)
    with hired(foreign, Limits(1.0)) as executor:
        (answer,) = executor.map(sleep_long, iter([(job(1, str(tmp_path / "begun")),)]))
    assert isinstance(answer, LostBatch)
    assert answer.timeout
    assert dask_workers(foreign) == before


def test_a_run_that_is_left_ends_its_own_processes_only(
    foreign: ForeignCluster, tmp_path: Path
) -> None:
    before = dask_workers(foreign)
    begun = tmp_path / "begun"
    with hired(foreign) as other:
        answers = other.map(note_slowly_enough, batches(60))
        next(answers)
        lanes = {one.pid for name in ("alice", "bob") for one in foreign.lanes(name)}
        assert lanes
        with hired(foreign) as executor:
            leave_when(begun, executor.map(sleep_long, iter([(job(1, str(begun)),)])))
        left = {one.pid for name in ("alice", "bob") for one in foreign.lanes(name)}
        assert lanes <= left
        assert sum(1 for _ in answers) == 59
    wait_until(lambda: not any(foreign.lanes(name) for name in ("alice", "bob")))
    assert dask_workers(foreign) == before


def test_no_more_at_once_than_asked_for(foreign: ForeignCluster) -> None:
    with hired(foreign, workers=1) as executor:
        outcomes = gather(executor, note_slowly_enough, batches(8))
    assert len(outcomes) == 16
    assert len({one.provider for one in outcomes}) <= 2


def test_what_a_worker_had_that_left_is_nobodys_fault(
    foreign: ForeignCluster, also: Callable[..., None]
) -> None:
    also("carol")
    with hired(foreign) as executor:
        answers = []
        killer = threading.Timer(1.0, foreign.kill, ("carol",))
        for answer in executor.map(note_slowly_enough, batches(60)):
            if not answers:
                killer.start()
            answers.append(answer)
    killer.join()
    lost = [answer for answer in answers if isinstance(answer, LostBatch)]
    assert len(answers) == 60
    assert 1 <= len(lost) <= 4  # two that it had, and what it had done that was not fetched yet
    assert all(one.worker_left for one in lost)


# ---- whole runs


def archive(folder: Path, count: int) -> Path:
    """Grey photographs in three folders, each a different piece of a real one."""
    for number in range(count):
        picture = photograph(NAMES[number % len(NAMES)])
        top = 4 * number
        piece = picture[top : top + 200, 20:300].mean(axis=2).astype(np.uint8)
        place = folder / f"box {number % 3}" / f"photo_{number:02}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(piece).save(place)
    return folder


def pixels_in(output: Path) -> dict[str, npt.NDArray[np.uint8]]:
    return {
        str(path.relative_to(output)): np.asarray(Image.open(path))
        for path in output.rglob("*.png")
    }


def outcomes_in(output: Path) -> list[dict[str, object]]:
    lines = map(json.loads, (output / "manifest.jsonl").read_text().splitlines())
    return [one for one in lines if one["kind"] == "outcome"]


class Runs:
    """The installed command, over and over with the same scans, from a folder of its own."""

    def __init__(self, program: str, folder: Path, count: int) -> None:
        self._program = program
        self._folder = folder
        self.scans = archive(folder / "scans", count)

    def start(self, output: str, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self._program, "run", "scans", "--output", output, *options],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, output: str, *options: str) -> tuple[int, str]:
        process = self.start(output, *options)
        _, said = process.communicate(timeout=200)
        return process.returncode, said


@pytest.fixture
def runs(tmp_path: Path) -> Callable[[int], Runs]:
    import sys

    program = Path(sys.executable).with_name("archive-colorize")
    return lambda count: Runs(str(program), tmp_path, count)


def test_a_worker_dies_in_the_middle_and_nothing_is_lost_and_nothing_twice(
    foreign: ForeignCluster,
    also: Callable[..., None],
    runs: Callable[[int], Runs],
    tmp_path: Path,
) -> None:
    also("carol")
    archives, output = runs(24), tmp_path / "out"
    process = archives.start("out", "--scheduler", foreign.address, "--insecure", "--quiet")
    wait_until(lambda: len(list(output.rglob("photo_*"))) > 3)
    assert foreign.lanes("carol")
    foreign.kill("carol")
    _, told = process.communicate(timeout=200)
    assert (process.returncode, told) == (0, "")
    done = outcomes_in(output)
    assert len(done) == 24
    assert len({one["name"] for one in done}) == 24
    assert {one["state"] for one in done} == {"done"}
    assert [path.name for path in (output / ".work").iterdir()] == ["lock"]

    assert archives.run("alone", "--executor", "serial", "--quiet") == (0, "")
    here, there = pixels_in(tmp_path / "alone"), pixels_in(output)
    assert here.keys() == there.keys()
    assert all(np.array_equal(here[name], there[name]) for name in here)


def test_interrupted_the_run_ends_and_the_cluster_stays(
    foreign: ForeignCluster, runs: Callable[[int], Runs], tmp_path: Path
) -> None:
    before = dask_workers(foreign)
    archives, output = runs(30), tmp_path / "out"
    process = archives.start("out", "--scheduler", str(foreign.file), "--insecure", "--quiet")
    wait_until(lambda: len(list(output.rglob("photo_*"))) > 2)
    process.terminate()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 143
    assert told == "interrupted; the same command goes on where this run ended\n"
    assert dask_workers(foreign) == before
    wait_until(lambda: not any(foreign.lanes(name) for name in ("alice", "bob")))
    assert 2 < len(outcomes_in(output)) < 30


def credentials(folder: Path) -> Sequence[str]:
    """The words that give scheduler and workers an authority, a certificate and its key."""
    pytest.importorskip("cryptography", reason="makes certificates")
    from distributed.security import Security

    made = Security.temporary()
    for name, text in {
        "ca.pem": made.tls_ca_file,
        "cert.pem": made.tls_scheduler_cert,
        "key.pem": made.tls_scheduler_key,
    }.items():
        (folder / name).write_text(text)
    files = {"--tls-ca-file": "ca.pem", "--tls-cert": "cert.pem", "--tls-key": "key.pem"}
    return [word for option, name in files.items() for word in (option, str(folder / name))]


def test_tls_and_the_scheduler_that_goes_away(runs: Callable[[int], Runs], tmp_path: Path) -> None:
    options = ["--protocol", "tls", *credentials(tmp_path)]
    with_tls = ForeignCluster(tmp_path / "cluster", options)
    archives, output = runs(30), tmp_path / "out"
    ours = ["--tls-ca", "ca.pem", "--tls-cert", "cert.pem", "--tls-key", "key.pem"]
    try:
        with_tls.start("alice")
        with_tls.wait_for_worker("alice")
        address = with_tls.address
        assert address.startswith("tls://")
        with pytest.raises(ClusterError, match="give --tls-ca"):
            SchedulerClient.connect(Cluster(scheduler=address))
        patience = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s"}
        os.environ.update(patience)
        process = archives.start("out", "--scheduler", address, *ours, "--quiet")
        for name in patience:
            del os.environ[name]
        wait_until(lambda: len(list(output.rglob("photo_*"))) > 2)
        with_tls.kill("scheduler")
        _, told = process.communicate(timeout=100)
    finally:
        with_tls.stop()
    assert process.returncode == 3, told
    assert f"the connection to the scheduler {address} is lost" in told
    made = len(outcomes_in(output))
    assert 2 < made < 30
    assert archives.run("out", "--executor", "serial", "--quiet") == (0, "")
    done = outcomes_in(output)
    assert len(done) == 30
    assert len({one["name"] for one in done}) == 30
