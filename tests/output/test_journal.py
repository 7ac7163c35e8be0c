"""What a killed run made is found again."""

import fcntl
from dataclasses import replace
from pathlib import Path

import pytest

from archive_colorizer.errors import OutputBusy, OutputError
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.output import journal as workfolder
from archive_colorizer.output.journal import WorkFolder, sweep
from archive_colorizer.records.jobs import Job, Stamp
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.run.plan import Unchanged, plan
from tests.executors.tasks import Copy, scans, sources, workplace


class Killed:
    """A run that made three results and was killed before it recorded any."""

    def __init__(self, folder: Path) -> None:
        self.output = folder / "out"
        (self.output / ".work").mkdir(parents=True)
        self.root = scans(folder / "in", 5)
        self.work = WorkFolder.open(self.output, "2026-11-23T10:00/1")
        self.place = workplace(self.output, self.work.path)
        with Manifest.open(self.output) as manifest:
            steps = plan(sources(self.root), manifest, self.place)
            self.jobs = tuple(step for step in steps if isinstance(step, Job))
        self.made = Copy(self.place)(self.jobs[:3])
        (self.work.path / "0123.tmp").write_bytes(b"half")

    def settled(self) -> list[Unchanged]:
        with Manifest.open(self.output) as manifest:
            steps = plan(sources(self.root), manifest, self.place)
            return [step for step in steps if isinstance(step, Unchanged)]

    def sweep(self) -> int:
        with Manifest.open(self.output) as manifest:
            return sweep(self.output, manifest)


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    return Killed(tmp_path)


def test_the_next_run_adopts(killed: Killed) -> None:
    assert killed.sweep() == 3
    assert [step.outcome for step in killed.settled()] == killed.made
    assert not any(step.has_new_stamps for step in killed.settled())
    assert not list((killed.output / ".work").iterdir())
    assert killed.sweep() == 0


def test_what_is_recorded_is_not_recorded_again(killed: Killed) -> None:
    with Manifest.open(killed.output) as manifest:
        manifest.append(killed.made[:2])
    assert killed.sweep() == 1


def test_a_result_that_is_not_as_noted_is_not_adopted(killed: Killed) -> None:
    (killed.output / killed.jobs[0].target).write_bytes(b"other")
    (killed.output / killed.jobs[1].target).unlink()
    assert killed.sweep() == 1


def test_a_sweep_that_was_killed_is_finished(killed: Killed) -> None:
    killed.work.path.rename(killed.work.path.with_name(killed.work.path.name + ".dead"))
    assert killed.sweep() == 3
    assert not list((killed.output / ".work").iterdir())


def test_hostile_journals_do_nothing(killed: Killed, tmp_path: Path) -> None:
    victim = tmp_path / "victim.jpg"
    victim.write_bytes(b"PRECIOUS")
    (journal,) = killed.work.path.glob("*.jsonl")
    text = journal.read_bytes()
    target = killed.jobs[0].target.encode()
    journal.write_bytes(text.replace(target, b"../victim.jpg") + b'{"kind": "outcome", "torn')
    (killed.work.path / "link.jsonl").symlink_to(victim)
    (killed.work.path / "binary.jsonl").write_bytes(b"\0\xff\n[" * 1000)
    (killed.output / ".work" / "loose").symlink_to(tmp_path)
    (killed.output / ".work" / "file").write_bytes(b"x")
    assert killed.sweep() == 2
    assert victim.read_bytes() == b"PRECIOUS"
    assert not list((killed.output / ".work").iterdir())


def test_the_lock_is_not_swept(killed: Killed) -> None:
    (killed.output / ".work" / "lock").touch()
    killed.sweep()
    assert (killed.output / ".work" / "lock").exists()


def test_an_orphan_that_still_writes_is_waited_for(
    killed: Killed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workfolder, "_ORPHAN_SECONDS", 0.2)
    (journal,) = killed.work.path.glob("*.jsonl")
    with journal.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(OutputBusy, match="killed run"):
            killed.sweep()
    assert killed.sweep() == 3


def test_a_lost_batch_is_looked_up(killed: Killed) -> None:
    found = killed.work.find_finished(killed.jobs)
    assert list(found.values()) == killed.made
    other = replace(killed.jobs[0], target="elsewhere.jpg")
    assert not killed.work.find_finished([other, replace(killed.jobs[1], key="other")])


def test_rescue_records_and_removes(killed: Killed) -> None:
    with Manifest.open(killed.output) as manifest:
        manifest.append(killed.made[:1])
        assert killed.work.rescue(manifest) == killed.made[1:]
    assert not list((killed.output / ".work").iterdir())


def test_a_rescue_that_cannot_record_keeps_the_journals(
    killed: Killed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Manifest, _records: object) -> None:
        raise OutputError("No space left on device")

    with Manifest.open(killed.output) as manifest, monkeypatch.context() as patch:
        patch.setattr(Manifest, "append", full)
        assert killed.work.rescue(manifest) == []
    left = [path for path in (killed.output / ".work").rglob("*") if path.is_file()]
    assert [path.suffix for path in left] == [".jsonl"]
    assert killed.sweep() == 3


def test_discard(killed: Killed) -> None:
    killed.work.discard()
    assert not list((killed.output / ".work").iterdir())


def test_an_old_note_never_beats_the_manifest(killed: Killed) -> None:
    newer: list[Outcome] = []
    for made in killed.made:
        target = killed.output / str(made.target)
        target.write_bytes(b"newer")
        newer.append(
            replace(made, target_sha256="1" * 64, target_stamp=Stamp.from_stat(target.lstat()))
        )
    with Manifest.open(killed.output) as manifest:
        manifest.append(newer)
    assert killed.sweep() == 0
    assert [step.outcome for step in killed.settled()] == newer
