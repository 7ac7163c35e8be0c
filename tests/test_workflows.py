"""The files that people copy: each is parsed by who will read it, and run where that can be."""

import importlib.util
import inspect
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from archive_colorizer.cli import program
from archive_colorizer.recipe.explain import find_faults
from archive_colorizer.recipe.files import load_recipes
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe
from archive_colorizer.recipe.schema import build_schema
from archive_colorizer.sample import write_sample
from archive_colorizer.training.data.crops import decode_photo, read_photos
from tests.cli.commands.test_watch import awaited
from tests.locations import REPOSITORY_ROOT
from tests.photographs import photograph
from tests.training.conftest import jpeg_of, write_tar

WORKFLOWS = REPOSITORY_ROOT / "workflows"
TRAINING = sorted(WORKFLOWS.glob("train-*.toml"))
RUNS = sorted(set(WORKFLOWS.glob("*.toml")) - set(TRAINING))
UNITS = sorted((WORKFLOWS / "systemd").iterdir())
NAMED = {path.stem: path for path in RUNS}


def test_the_workflows_are_there():
    wanted = {"nightly-archive", "watch-inbox", "film-16mm", "glass-plates", "family-shoebox"}
    assert wanted <= set(NAMED)
    assert TRAINING


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
def test_every_workflow_is_a_recipe_that_says_something(path):
    assert find_faults(path) == []
    assert load_recipes(path) != (Recipe(), FilmRecipe())
    jsonschema = pytest.importorskip("jsonschema", reason="the judge of schemas")
    jsonschema.validate(tomllib.loads(path.read_text()), build_schema())


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.name)
def test_every_training_workflow_is_a_training_recipe_with_a_known_network(path):
    pytest.importorskip("torch", reason="training needs the train extra")
    from archive_colorizer.training.config import TrainingRecipe
    from archive_colorizer.training.networks.network import build_network

    recipe = TrainingRecipe.load(path)
    assert recipe != TrainingRecipe()
    build_network(recipe.network, recipe.network_kwargs)


# ---- job files do what their own comment says


def command_in(path):
    """The words of the command in a job file's comment, after `archive-colorize`."""
    (line,) = re.findall(r"^#   archive-colorize (.*)$", path.read_text(), re.MULTILINE)
    return shlex.split(line)


def job_of(path, source, output):
    """A job file's own command line, on another source and here."""
    words = command_in(path)
    assert words[words.index("--recipe") + 1] == f"workflows/{path.name}"
    words[1] = str(source)
    words[words.index("--recipe") + 1] = str(path)
    program_file = Path(sys.executable).with_name("archive-colorize")
    return list(map(str, [program_file, *words, "--output", output, "--executor", "serial"]))


def run_job(path, source, output):
    said = job_of(path, source, output)
    return subprocess.run(said, capture_output=True, text=True, timeout=240)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "scans"
    write_sample(folder)
    return folder


def outcomes_in(output):
    lines = map(json.loads, (output / "manifest.jsonl").read_text().splitlines())
    return {one["name"]: one for one in lines if one["kind"] == "outcome"}


@pytest.mark.parametrize(
    ("name", "result", "form"),
    [
        ("nightly-archive", "glass-plates/plate_0001.tif", "TIFF"),
        ("glass-plates", "glass-plates/plate_0002.png.tif", "TIFF"),
        ("family-shoebox", "glass-plates/plate_0001.tif.jpg", "JPEG"),
    ],
)
def test_a_job_restores_the_sample_archive(sample, tmp_path, name, result, form):
    run = run_job(NAMED[name], sample, tmp_path / "out")
    assert run.returncode == 7, run.stderr  # one file of the sample is broken on purpose
    found = outcomes_in(tmp_path / "out")
    assert {one["state"] for one in found.values()} == {"done", "skipped", "failed"}
    assert [one["reason"] for one in found.values() if one["state"] == "failed"] == ["damaged"]
    made = [one["target"] for one in found.values() if one["state"] == "done"]
    assert result in made
    if name == "glass-plates":
        assert all((tmp_path / "out" / f"{one}.xmp").exists() for one in made)
    else:
        assert Image.open(tmp_path / "out" / result).format == form


def test_the_film_job_restores_a_sequence(tmp_path):
    pytest.importorskip("av", reason="films need the film extra")
    frames = tmp_path / "reel"
    frames.mkdir()
    picture = photograph("astronaut")[::4, ::4].mean(axis=2).astype(np.uint8)
    for number in range(6):
        Image.fromarray(np.roll(picture, number, axis=1)).save(frames / f"f_{number:04}.png")
    run = run_job(NAMED["film-16mm"], frames, tmp_path / "out")
    assert run.returncode == 0, run.stderr
    made = sorted((tmp_path / "out").rglob("*.png"))
    assert [path.name for path in made] == [f"f_{number:04}.png" for number in range(6)]


def test_the_watching_job_restores_what_comes(sample, tmp_path):
    inbox, output = tmp_path / "inbox", tmp_path / "out"
    shutil.copytree(sample / "glass-plates", inbox)
    said = job_of(NAMED["watch-inbox"], inbox, output)
    assert said[1] == "watch"
    watch = subprocess.Popen([*said, "--settle", "0.5", "--quiet"])
    try:
        awaited(lambda: (output / "manifest.jsonl").exists() and len(outcomes_in(output)) == 3)
    finally:
        watch.terminate()
    assert watch.wait(60) == 143
    assert sorted(one["state"] for one in outcomes_in(output).values()) == [
        "done",
        "done",
        "failed",
    ]


# ---- schedulers


def commands_in(text):
    """Every `archive-colorize COMMAND ...` that a file would run, as words."""
    joined = re.sub(r"\\\n\s*", " ", text)
    for line in joined.splitlines():
        if line.startswith(("#", "PATH")):
            continue
        for said in re.findall(r"archive-colorize ((?:run|watch|verify|film) [^|)]*)", line):
            yield shlex.split(said.replace("2>&1", ""))


@pytest.mark.parametrize(
    "path",
    [
        *(one for one in UNITS if one.suffix == ".service"),
        WORKFLOWS / "cron.example",
        WORKFLOWS / "slurm.sbatch",
    ],
    ids=lambda path: path.name,
)
def test_the_commands_that_are_scheduled_can_be_parsed(path):
    found = list(commands_in(path.read_text()))
    assert found
    for words in found:
        number = [one if "CPU" not in one else "4" for one in words if one != "$@"]
        context = click.Context(program, info_name="archive-colorize")
        program.get_command(context, number[0]).make_context(number[0], number[1:])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
def test_systemd_takes_the_units(tmp_path):
    program_file = Path(sys.executable).with_name("archive-colorize")
    for unit in UNITS:
        text = unit.read_text().replace(
            "/opt/archive-colorizer/bin/archive-colorize", str(program_file)
        )
        (tmp_path / unit.name).write_text(text)
    said = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
    )
    assert (said.returncode, said.stderr.strip()) == (0, "")


@pytest.mark.parametrize(
    "unit", [one for one in UNITS if one.suffix == ".service"], ids=lambda one: one.name
)
def test_services_can_write_the_output_and_nothing_else(unit):
    settings = dict(re.findall(r"^([A-Za-z]+)=(.*)$", unit.read_text(), re.MULTILINE))
    words = next(commands_in(unit.read_text()))
    assert settings["ProtectSystem"] == "strict"
    assert settings["PrivateTmp"] == "true"
    assert settings["ReadWritePaths"] == words[words.index("--output") + 1]
    assert settings["ReadOnlyPaths"] == words[1]
    metrics = Path(words[words.index("--metrics") + 1])
    assert metrics.parent == Path("/var/lib") / settings["StateDirectory"]


@pytest.fixture
def stubs(tmp_path):
    """A PATH on which srun runs, scontrol notes, and archive-colorize ends as it is told."""
    for name, text in {
        "srun": 'shift; exec "$@"',
        "scontrol": f'echo "$@" > {tmp_path}/requeued',
        "archive-colorize": f'echo "$@" > {tmp_path}/given; exit $CODE',
        "nice": 'shift 2; exec "$@"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_CPUS_PER_TASK": "3",
        "SLURM_JOB_ID": "42",
    }


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize("code", [0, 7, 8, 9, 143])
def test_the_slurm_job_goes_on_when_its_time_is_over(tmp_path, stubs, code):
    run = subprocess.run(
        ["bash", WORKFLOWS / "slurm.sbatch", "/a b/scans", "/out", "--recipe", "/c d.toml"],
        env={**stubs, "CODE": str(code)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == code
    assert "/a b/scans --output /out" in (tmp_path / "given").read_text()
    assert "--workers 3 --quiet --recipe /c d.toml" in (tmp_path / "given").read_text()
    assert (tmp_path / "requeued").exists() == (code in (9, 143))
    assert ("some files failed" in run.stdout) == (code == 7)


@pytest.mark.skipif(not shutil.which("sh"), reason="needs sh")
@pytest.mark.parametrize(
    ("code", "night", "week"), [(0, 0, 0), (8, 0, 0), (9, 0, 0), (7, 1, 0), (6, 1, 0)]
)
def test_the_crontab_mails_what_matters(stubs, tmp_path, code, night, week):
    text = (WORKFLOWS / "cron.example").read_text()
    jobs = [line.split(maxsplit=5) for line in text.splitlines() if line[:1].isdigit()]
    assert len(jobs) == 2
    assert all(re.fullmatch(r"[\d*]+", field) for job in jobs for field in job[:5])
    ended = [
        subprocess.run(["sh", "-c", job[5]], env={**stubs, "CODE": str(code)}, capture_output=True)
        for job in jobs
    ]
    assert [bool(one.returncode) for one in ended] == [bool(night), bool(week)]


def manifests():
    yaml = pytest.importorskip("yaml", reason="comes with dask")
    return list(yaml.safe_load_all((WORKFLOWS / "kubernetes" / "cronjob.yaml").read_text()))


def test_kubernetes_takes_the_job():
    judge = pytest.importorskip("kubernetes_validate", reason="the judge of Kubernetes files")
    for one in manifests():
        judge.validate(one, judge.latest_version(), strict=True)


def test_the_kubernetes_job_runs_what_it_mounts():
    config, job = manifests()
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    context = click.Context(program, info_name="archive-colorize")
    program.get_command(context, "run").make_context("run", container["args"][1:])
    mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
    assert mounts["/archive/scans"]["readOnly"]
    assert {one["name"] for one in pod["volumes"]} == {one["name"] for one in mounts.values()}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    Recipe().apply(tomllib.loads(config["data"]["recipe.toml"]), "test")


def test_the_container_is_built_from_files_that_are_there():
    parse = pytest.importorskip("dockerfile_parse", reason="the judge of Dockerfiles")
    found = parse.DockerfileParser(fileobj=(WORKFLOWS / "Dockerfile").open("rb")).structure
    said = [(one["instruction"], one["value"]) for one in found]
    assert [one for one, _ in said].count("FROM") == 2
    root = WORKFLOWS.parent
    let_in = (root / ".dockerignore").read_text().split()
    for instruction, value in said:
        if instruction == "COPY" and "--from" not in value:
            for name in value.split()[:-1]:
                assert (root / name).exists(), name
                assert f"!{name}" in let_in
    assert said[-2] == ("ENTRYPOINT", '["archive-colorize"]')
    assert dict(said)["USER"] == "10001"


def read_lock(name):
    """The names that a lock file pins, and how many hashes it has for each."""
    text = (WORKFLOWS / "locks" / f"{name}.lock").read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE))
    pinned = [re.match(r"([a-z0-9][\w.-]*)==", block) for block in blocks]
    assert all(pinned), name
    return {
        match[1]: block.count("--hash=sha256:") for match, block in zip(pinned, blocks, strict=True)
    }


@pytest.mark.parametrize("name", ["image", "image-cuda", "build", "ci"])
def test_every_package_is_pinned_by_hashes(name):
    assert all(read_lock(name).values())


def test_the_locks_cover_the_dependencies_of_the_project():
    project = tomllib.loads((REPOSITORY_ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = {
        "image": [*project["dependencies"], *extras["lossless"], *extras["film"]],
        "ci": [*project["dependencies"], *extras["test"], *extras["train"], *extras["docs"]],
    }
    for name, requirements in needed.items():
        names = {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}
        # ci.lock is for Linux on x86_64, where onnxruntime-gpu takes the place of onnxruntime.
        elsewhere = {"archive-colorizer", "torch", *(["onnxruntime"] if name == "ci" else [])}
        missing = names - read_lock(name).keys() - elsewhere
        assert not missing, f"{name}: run workflows/locks/update.sh"


def test_base_images_are_pinned_and_nothing_comes_without_a_hash():
    text = (WORKFLOWS / "Dockerfile").read_text()
    assert re.search(r"^ARG PYTHON=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${PYTHON}"] * 2
    for command in re.findall(r"pip install [^&]*", text.replace("\\\n", " ")):
        assert "--require-hashes" in command or "--no-deps --no-index" in command


def test_the_licence_of_every_package_of_the_image_is_listed():
    listed = (REPOSITORY_ROOT / "docs" / "licences.md").read_text()
    names = {row.split("|")[1].strip().lower().replace("_", "-") for row in listed.splitlines()
             if row.startswith("|")}  # fmt: skip
    # Others come on Windows, or with another version of Python.
    elsewhere = {"colorama", "onnxruntime", "wheel", "setuptools"}
    assert read_lock("image").keys() - names <= elsewhere


# ---- clusters


CLUSTERS = WORKFLOWS / "clusters"


class AnyCluster:
    """Stands for each of Dask's clusters; notes what it was asked for."""

    scheduler_address = "tls://host:8786"

    def __init__(self, *given, **named):
        AnyCluster.given, AnyCluster.named, AnyCluster.asked = given, named, []

    def scale(self, **how):
        self.asked.append(("scale", how))

    def wait_for_workers(self, count):
        self.asked.append(("wait", count))

    def sync(self, *_):
        self.asked.append(("sync", None))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.asked.append(("close", None))


@pytest.fixture
def script(monkeypatch, stubs, tmp_path):
    """A script of clusters/ as a module, with AnyCluster in place of the library's."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    def load(name, library, kind):
        if library not in sys.modules and importlib.util.find_spec(library) is None:
            monkeypatch.setitem(sys.modules, library, types.SimpleNamespace(**{kind: AnyCluster}))
        module = types.ModuleType("script")
        exec(compile((CLUSTERS / name).read_text(), name, "exec"), vars(module))  # noqa: S102
        theirs = getattr(module, kind)
        monkeypatch.setattr(module, kind, AnyCluster)
        for variable, value in {**stubs, "CODE": "7"}.items():
            monkeypatch.setenv(variable, value)
        return module, theirs

    return load


@pytest.mark.parametrize(
    ("name", "library", "kind"),
    [
        ("ssh_hosts.py", "dask.distributed", "SSHCluster"),
        ("slurm_jobs.py", "dask_jobqueue", "SLURMCluster"),
    ],
)
def test_a_cluster_is_begun_as_its_library_wants_and_ends_with_the_run(
    script, tmp_path, name, library, kind
):
    module, theirs = script(name, library, kind)
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert module.main(["/a b/scans", "--output", "/out"]) == 7
    finally:
        for number, kept in before.items():
            signal.signal(number, kept)
    given = (tmp_path / "given").read_text().strip()
    files = [f"--tls-{one} {module.FILES[one]}" for one in ("ca", "cert", "key")]
    assert given == f"run /a b/scans --output /out --scheduler tls://host:8786 {' '.join(files)}"
    assert AnyCluster.asked[-1] == ("close", None)
    if theirs is not AnyCluster:
        inspect.signature(theirs).bind(*AnyCluster.given, **AnyCluster.named)


def make_certificates(folder):
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, which makes the certificates")
    script = CLUSTERS / "make_certificates.sh"
    subprocess.run(["sh", script, folder], check=True, capture_output=True, timeout=60)
    return folder


def test_certificates_are_private_are_not_laid_over_others_and_serve_a_cluster(tmp_path):
    from distributed import Client, Security
    from distributed.deploy.spec import SpecCluster
    from distributed.scheduler import Scheduler

    folder = make_certificates(tmp_path / "tls")
    assert {path.name for path in folder.iterdir()} == {"ca.pem", "cert.pem", "key.pem"}
    for path in (folder, *folder.iterdir()):
        assert not path.stat().st_mode & 0o077
    script = CLUSTERS / "make_certificates.sh"
    assert subprocess.run(["sh", script, folder], capture_output=True).returncode != 0
    roles = ("client", "scheduler", "worker")
    pair = {f"tls_{role}_{kind}": f"{folder}/{kind}.pem" for role in roles for kind in KINDS}
    security = Security(require_encryption=True, tls_ca_file=f"{folder}/ca.pem", **pair)
    options = {"protocol": "tls://", "security": security, "host": "127.0.0.1", "port": 0}
    options["dashboard"] = False
    with (
        SpecCluster(scheduler={"cls": Scheduler, "options": options}, security=security) as one,
        Client(one, set_as_default=False) as client,
    ):
        assert client.scheduler.address.startswith("tls://")
        with pytest.raises(OSError):
            Client(client.scheduler.address, security=Security.temporary(), timeout=3)


KINDS = ("cert", "key")


def test_no_example_speaks_without_tls():
    for path in CLUSTERS.iterdir():
        assert "tcp://" not in path.read_text(), path
        assert "tls" in path.read_text(), path


@pytest.fixture
def dask_stub(tmp_path, stubs):
    """A `dask` that stays; only workers write the scheduler's file, so that both have begun."""
    (tmp_path / "dask").write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/dask-given\n'
        '[ "$1" = scheduler ] || echo "{}" > "$4"\n'
        "exec sleep 60\n"
    )
    (tmp_path / "dask").chmod(0o755)
    tls = make_certificates(tmp_path / "tls")
    return {**stubs, "SLURM_SUBMIT_DIR": str(tmp_path), "COLORIZER_TLS": str(tls)}


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_nodes_with_gpus_have_a_worker_a_gpu_and_end_with_the_run(tmp_path, dask_stub):
    run = subprocess.run(
        ["bash", CLUSTERS / "cuda_nodes.sbatch", "/a b/scans", "/out", "--nice", "3"],
        env={**dask_stub, "CODE": "7"},
        capture_output=True,
        text=True,
        timeout=50,  # less than the stubs would stay
    )
    assert run.returncode == 7, run.stderr
    file = tmp_path / "scheduler-42.json"
    keys = " ".join(f"--tls-{one} {tmp_path}/tls/{one}.pem" for one in ("ca", "cert", "key"))
    given = (tmp_path / "given").read_text()
    assert (
        f"run /a b/scans --output /out --scheduler {file} {keys} --device cuda --quiet --nice 3"
        in given
    )
    begun = (tmp_path / "dask-given").read_text()
    assert f"scheduler --scheduler-file {file}" in begun
    assert begun.count(f"--tls-ca-file {tmp_path}/tls/ca.pem") == 2
    assert "--local-directory /tmp/" in begun
    assert f"cuda worker --scheduler-file {file}" in begun
    assert not file.exists()


def test_the_commands_on_clusters_can_be_parsed():
    (words,) = commands_in((CLUSTERS / "cuda_nodes.sbatch").read_text())
    words = words[: words.index("$@")]
    program.get_command(click.Context(program), "run").make_context("run", words[1:])


def documents(name):
    yaml = pytest.importorskip("yaml", reason="comes with dask")
    return list(yaml.safe_load_all((CLUSTERS / name).read_text()))


def pod(spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}


def test_kubernetes_takes_the_cluster_and_the_run_on_it():
    judge = pytest.importorskip("kubernetes_validate", reason="the judge of Kubernetes files")
    cluster, job = documents("dask-cluster.yaml")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": cluster["spec"]["scheduler"]["service"],
    }
    pods = [pod(cluster["spec"][one]["spec"]) for one in ("worker", "scheduler")]
    for one in (job, service, *pods):
        judge.validate(one, judge.latest_version(), strict=True)


def test_workers_and_run_see_the_same_folders():
    cluster, job = documents("dask-cluster.yaml")
    worker = cluster["spec"]["worker"]["spec"]
    run = job["spec"]["template"]["spec"]
    for what in ("volumes", "securityContext"):
        assert worker[what] == run[what]
    mounts = [one["containers"][0]["volumeMounts"] for one in (worker, run)]
    assert mounts[0] == mounts[1]
    (words,) = [one["args"] for one in run["containers"]]
    context = program.get_command(click.Context(program), "run").make_context("run", words[1:])
    service = cluster["metadata"]["name"] + "-scheduler"
    assert context.params["scheduler"] == f"tls://{service}:8786"
    (values,) = documents("helm-values.yaml")
    shared = [one for one in mounts[0] if one["name"] not in ("tmp", "tls")]
    assert values["worker"]["mounts"]["volumeMounts"] == shared
    assert values["worker"]["mounts"]["volumes"] == worker["volumes"][:-2]


# ---- training elsewhere


def test_photographs_are_shrunk_into_parts_that_can_be_sent(tmp_path):
    pytest.importorskip("skimage", reason="photographs come with scikit-image")
    script = WORKFLOWS / "training" / "shrink_photographs.py"
    for name in ("first", "second", "third"):
        members = {
            f"{name}/{n}.jpg": jpeg_of(photograph("coffee")[n:, :]) for n in range(0, 160, 20)
        }
        write_tar(tmp_path / f"{name}.tar", {**members, f"{name}/torn.jpg": b"\xff\xd8 nothing"})
    tars = sorted(tmp_path.glob("*.tar"))
    command = [sys.executable, script, *tars, "--output", tmp_path / "pack"]
    limits = ["--short-side", "400", "--part-mib", "1"]
    made = subprocess.run([*command, *limits], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    parts = sorted((tmp_path / "pack").iterdir())
    assert made.stdout.startswith(f"{len(parts)} parts")
    assert len(parts) > 1
    assert all(sum(tar.stat().st_size for tar in part.iterdir()) <= 2**20 for part in parts)
    photos = read_photos(parts)
    assert sorted({photo.source for photo in photos}) == ["first", "second", "third"]
    assert len(photos) == 24
    assert min(min(decode_photo(photo.content).shape[:2]) for photo in photos) > 200
    again = subprocess.run([*command, *limits], capture_output=True, text=True)
    assert again.returncode != 0
    assert "exists" in again.stderr
