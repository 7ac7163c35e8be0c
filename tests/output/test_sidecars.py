"""Sidecars in planning, in what a killed run leaves, and in verification."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.output import deliver as delivery
from archive_colorizer.output.deliver import deliver
from archive_colorizer.output.journal import WorkFolder, sweep
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.run.plan import Unchanged, plan
from archive_colorizer.verification.verify import verify_output
from tests.executors.tasks import scans, sources, workplace


class Small:
    """An output with one picture that has a sidecar."""

    def __init__(self, folder: Path) -> None:
        self.root = scans(folder / "in", 1)
        self.output = folder / "out"
        (self.output / ".work").mkdir(parents=True)
        self.work = WorkFolder.open(self.output, "1")
        self.place = workplace(self.output, self.work.path)

    def step(self):
        with Manifest.open(self.output) as manifest:
            (step,) = plan(sources(self.root), manifest, self.place)
            return step

    def deliver(self, job: Job, sidecar: bytes | None) -> Outcome:
        settled = Outcome(
            key=job.key, name=job.source.name, state=State.DONE, source_stamp=job.source.stamp
        )
        return deliver(b"picture", job, self.place, settled, sidecar)

    def record(self, outcome: Outcome) -> Path:
        with Manifest.open(self.output) as manifest:
            manifest.append([outcome])
        return self.output / f"{outcome.target}.xmp"

    def findings(self) -> list[tuple[str, str]]:
        found = []
        verify_output(self.output, lambda one: found.append((str(one.kind), one.path)))
        return found


@pytest.fixture
def small(tmp_path):
    return Small(tmp_path)


def test_a_job_knows_the_sidecar_that_stands_there(small):
    made = small.deliver(small.step(), b"metadata")
    small.record(made)
    small.place = replace(small.place, model_sha256="1" * 64)
    assert small.step().sidecar_sha256 == made.sidecar_sha256


def test_a_sidecar_that_is_gone_is_made_again(small):
    beside = small.record(small.deliver(small.step(), b"metadata"))
    assert isinstance(small.step(), Unchanged)
    beside.write_bytes(b"edited, and theirs now")
    assert isinstance(small.step(), Unchanged)
    beside.unlink()
    assert isinstance(small.step(), Job)


def test_a_sidecar_without_its_picture_is_taken_back(small, monkeypatch):
    """Killed between the two: the next run must not take its own file for somebody's."""
    job = small.step()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "_publish_target", killed)
        with pytest.raises(KeyboardInterrupt):
            small.deliver(job, b"metadata")
    beside = small.output / f"{job.target}.xmp"
    assert beside.exists()
    with Manifest.open(small.output) as manifest:
        assert sweep(small.output, manifest) == 0
    assert not beside.exists()


def test_a_hostile_journal_removes_nothing_outside(small, tmp_path):
    job = small.step()
    made = small.deliver(job, b"metadata")
    victim = tmp_path / "victim.jpg.xmp"
    victim.write_bytes(b"metadata")
    (small.output / "link").symlink_to(tmp_path)
    (journal,) = small.work.path.glob("*.jsonl")
    line = json.loads(journal.read_text())
    line |= {"name": "other", "target": "link/victim.jpg"}
    journal.write_text(json.dumps(line) + "\n")
    with Manifest.open(small.output) as manifest:
        sweep(small.output, manifest)
    assert victim.exists()
    assert made.sidecar_sha256 == line["sidecar_sha256"]


def test_verification_knows_sidecars(small):
    beside = small.record(small.deliver(small.step(), b"metadata"))
    assert small.findings() == []
    beside.write_bytes(b"edited")
    target = str(beside.relative_to(small.output))
    assert small.findings() == [("ChecksumMismatch", target)]
    beside.unlink()
    assert small.findings() == [("FileMissing", target)]


def test_a_sidecar_that_no_result_has_is_unexpected(small):
    beside = small.record(small.deliver(small.step(), None))
    beside.write_bytes(b"whose?")
    assert [kind for kind, _ in small.findings()] == ["UnexpectedFile"]
