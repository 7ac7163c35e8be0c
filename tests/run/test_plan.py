"""What is to be done, and what is settled."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archive_colorizer.errors import FailureReason, UsageError
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Companion, Job, RejectedEntry, Source, Stamp
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.run.plan import Step, Unchanged, compute_job_key, plan
from archive_colorizer.storage.overlap import check_no_overlap
from tests.executors.tasks import Copy, scans, sources, workplace

RETRYABLE = [reason for reason in FailureReason if reason.is_retryable]


class Archive:
    """A root and an output that was run over once."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "in"
        self.output = folder / "out"
        self.work = self.output / ".work" / "run"
        self.work.mkdir(parents=True)
        self.root.mkdir()
        self.recipe = Recipe()

    def steps(self, retry_failed: bool = False) -> list[Step]:
        place = workplace(self.output, self.work, self.recipe)
        with Manifest.open(self.output) as manifest:
            return list(plan(sources(self.root), manifest, place, retry_failed))

    def run(self) -> list[Step]:
        steps = self.steps()
        jobs = tuple(step for step in steps if isinstance(step, Job))
        outcomes = Copy(workplace(self.output, self.work, self.recipe))(jobs)
        self.record(*outcomes)
        return steps

    def record(self, *outcomes: Outcome) -> None:
        with Manifest.open(self.output) as manifest:
            manifest.append(outcomes)

    def write(self, name: str, content: str = "scan") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


def jobs(steps: list[Step]) -> list[Job]:
    return [step for step in steps if isinstance(step, Job)]


def test_a_second_run_has_nothing_to_do(archive: Archive) -> None:
    scans(archive.root, 5)
    assert len(jobs(archive.run())) == 5
    steps = archive.steps()
    assert len(steps) == 5
    assert all(isinstance(step, Unchanged) and not step.has_new_stamps for step in steps)


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"saturation": 0.5}, True),
        ({"hue": 10.0}, True),
        ({"workers": 7}, False),
        ({"executor": "serial"}, False),
        ({"force": True}, False),
    ],
)
def test_only_settings_that_change_pixels_count(
    archive: Archive, change: dict[str, Any], again: bool
) -> None:
    scans(archive.root, 2)
    archive.run()
    archive.recipe = Recipe(**change)
    todo = jobs(archive.steps())
    assert len(todo) == (2 if again else 0)
    assert all(job.replaces for job in todo)


def test_keys_differ_in_all_that_they_are_made_of() -> None:
    keys = {
        compute_job_key("a", "", "m", "s"),
        compute_job_key("b", "", "m", "s"),
        compute_job_key("a", "1", "m", "s"),
        compute_job_key("a", "", "n", "s"),
        compute_job_key("a", "", "m", "t"),
        compute_job_key("caf\udce9", "", "m", "s"),
    }
    assert len(keys) == 6


def test_content_decides_and_not_the_time(archive: Archive) -> None:
    path = archive.write("a.jpg", "one")
    archive.run()
    os.utime(path, (1, 1))
    (step,) = archive.steps()
    assert isinstance(step, Unchanged)
    assert step.has_new_stamps
    archive.record(step.outcome)
    (step,) = archive.steps()
    assert isinstance(step, Unchanged)
    assert not step.has_new_stamps


def test_other_content_of_the_same_size_and_time_is_noticed(archive: Archive) -> None:
    path = archive.write("a.jpg", "one")
    archive.run()
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (job,) = jobs(archive.steps())
    assert job.replaces


def test_a_lost_or_damaged_target_is_made_again(archive: Archive, tmp_path: Path) -> None:
    original = archive.write("c.jpg", "three")
    for name in ("a.jpg", "b.jpg", "d.jpg"):
        archive.write(name, name)
    archive.run()
    (archive.output / "a.jpg").unlink()
    (archive.output / "b.jpg").write_text("damaged")
    (archive.output / "c.jpg").unlink()
    (archive.output / "c.jpg").symlink_to(original)
    todo = jobs(archive.run())
    assert [job.target for job in todo] == ["a.jpg", "b.jpg", "c.jpg"]
    assert all(job.replaces for job in todo)
    assert original.read_text() == "three"
    assert (archive.output / "b.jpg").read_bytes() == b"made of b.jpg"
    assert not jobs(archive.steps())


def test_a_copied_output_is_known_by_its_content(archive: Archive) -> None:
    archive.write("a.jpg")
    archive.run()
    target = archive.output / "a.jpg"
    data = target.read_bytes()
    target.unlink()
    target.write_bytes(data)
    (step,) = archive.steps()
    assert isinstance(step, Unchanged)
    assert step.has_new_stamps
    assert step.outcome.target_stamp == Stamp.from_stat(target.lstat())


def test_a_strangers_file_is_named_and_kept(archive: Archive) -> None:
    archive.write("a.jpg")
    stranger = archive.output / "a.jpg"
    stranger.write_text("MY OWN WORK")
    for _ in range(2):
        (step,) = archive.run()
        assert isinstance(step, Outcome)
        assert (step.state, step.reason) == (State.FAILED, "target-exists")
        assert str(stranger) in (step.message or "")
        archive.record(step)
    assert stranger.read_text() == "MY OWN WORK"
    stranger.unlink()
    assert len(jobs(archive.steps())) == 1


def test_twins_get_a_place_each_and_keep_it(archive: Archive) -> None:
    names = ["Case/x.jpg", "case/x.jpg", "a.JPG", "a.jpg", "e\u0301.png", "\xe9.png"]
    for name in names:
        archive.write(name, name)
    first = {job.source.name: job.target for job in jobs(archive.run())}
    assert len({target.casefold() for target in first.values()}) == len(names)
    assert first["Case/x.jpg"] == "Case/x.jpg"
    assert first["a.JPG"] == "a.JPG"
    assert first["a.jpg"].startswith("a~")
    archive.recipe = Recipe(strength=0.5)
    # One that sorts before all its twins comes later, and gets what is left.
    archive.write("A.JPG", "late")
    again = {job.source.name: job.target for job in jobs(archive.run())}
    assert {name: again[name] for name in names} == first
    assert again["A.JPG"].startswith("A~")


def test_twins_resumed_in_between_get_the_same_places(archive: Archive, tmp_path: Path) -> None:
    for name in ("A.jpg", "a.jpg"):
        archive.write(name, name)
    whole = jobs(archive.steps())
    archive.record(*Copy(workplace(archive.output, archive.work))((whole[1],)))
    (job,) = jobs(archive.steps())
    assert job == whole[0]


def test_a_scan_called_like_the_manifest(archive: Archive) -> None:
    archive.write("manifest.jsonl")
    archive.write(".work/lock")
    assert len(jobs(archive.run())) == 2
    assert all(isinstance(step, Unchanged) for step in archive.steps())


@pytest.mark.parametrize("reason", ["damaged", "not-a-picture", *RETRYABLE])
def test_failures_are_tried_again_when_that_may_help(archive: Archive, reason: str) -> None:
    archive.write("a.jpg")
    (job,) = jobs(archive.steps())
    archive.record(Outcome.from_failure(job, reason, "said why"))
    assert bool(jobs(archive.steps())) == (reason in RETRYABLE)
    assert jobs(archive.steps(retry_failed=True)) == [job]


def test_a_failure_of_other_content_is_not_settled(archive: Archive) -> None:
    path = archive.write("a.jpg")
    (job,) = jobs(archive.steps())
    archive.record(Outcome.from_failure(job, "damaged", "cut"))
    path.write_text("mended")
    assert len(jobs(archive.steps())) == 1


def test_force_takes_colour_photographs_after_all(archive: Archive) -> None:
    archive.write("a.jpg")
    (job,) = jobs(archive.steps())
    outcome = Outcome.from_failure(job, "already-color", "has colour")
    archive.record(replace(outcome, state=State.SKIPPED))
    assert not jobs(archive.steps())
    archive.recipe = Recipe(force=True)
    assert len(jobs(archive.steps())) == 1


def test_a_result_whose_source_failed_since_is_still_ours(archive: Archive) -> None:
    path = archive.write("a.jpg", "good")
    archive.run()
    path.write_text("bad")
    archive.run()
    path.write_text("good again")
    (job,) = jobs(archive.run())
    assert job.replaces
    assert (archive.output / "a.jpg").read_bytes() == b"made of good again"


def test_what_is_unfit_is_recorded_once(archive: Archive) -> None:
    link = RejectedEntry("/in", "l.jpg", "symlink", "l.jpg is a link")
    broken = RejectedEntry("/in", "x.nef", "unsupported", "x.nef: raw", failed=True, prefix="p")
    place = workplace(archive.output, archive.work)
    with Manifest.open(archive.output) as manifest:
        first = list(plan([link, broken], manifest, place))
        states = [step.state for step in first if isinstance(step, Outcome)]
        assert states == [State.SKIPPED, State.FAILED]
        manifest.append([step for step in first if isinstance(step, Outcome)])
        second = list(plan([link, broken], manifest, place))
        assert all(isinstance(step, Unchanged) for step in second)
        third = list(plan([replace(link, reason="special-file")], manifest, place))
        assert isinstance(third[0], Outcome)


def test_it_is_lazy(archive: Archive) -> None:
    asked = 0

    def endless() -> Any:
        nonlocal asked
        while True:
            asked += 1
            yield Source(str(archive.root), f"{asked}.jpg", Stamp(1, 1, 1, 1))

    with Manifest.open(archive.output) as manifest:
        steps = plan(endless(), manifest, workplace(archive.output, archive.work))
        for _ in range(3):
            next(steps)
    assert asked == 3


def test_apart(tmp_path: Path) -> None:
    for name in ("in/sub", "out", "in2"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "in")
    root = tmp_path / "in"
    check_no_overlap([root, tmp_path / "in2"], tmp_path / "out")
    check_no_overlap([root], tmp_path / "in-colorized")
    for output in (
        root,
        root / "out",
        root / "sub" / "new",
        tmp_path,
        tmp_path / "link",
        tmp_path / "link" / "out",
        tmp_path / "out" / ".." / "in" / "x",
    ):
        with pytest.raises(UsageError, match="--output"):
            check_no_overlap([tmp_path / "in2", root], output)


def test_apart_sees_through_mounts(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "in").mkdir()
    (tmp_path / "other").mkdir()
    bind = ["mount", "--bind", str(tmp_path / "in"), str(tmp_path / "other")]
    if os.geteuid() or subprocess.run(bind, capture_output=True).returncode:
        pytest.skip("needs root to mount")
    try:
        with pytest.raises(UsageError):
            check_no_overlap([tmp_path / "in"], tmp_path / "other" / "out")
    finally:
        subprocess.run(["umount", "-l", str(tmp_path / "other")], check=True)


def beside(archive, name="a.mask.png", content="mask"):
    """A source with a file beside it, as it is found now."""
    path = archive.write(name, content)
    (source,) = [one for one in sources(archive.root) if one.relative == "a"]
    return replace(source, beside=(Companion("mask", name, Stamp.from_stat(path.lstat())),))


def steps_over(archive, source):
    place = workplace(archive.output, archive.work, archive.recipe)
    with Manifest.open(archive.output) as manifest:
        return list(plan([source], manifest, place))


def restored_with_mask(archive):
    """Run over one source with a mask, whose digest is recorded."""
    archive.write("a")
    source = beside(archive)
    (job,) = jobs(steps_over(archive, source))
    (outcome,) = Copy(workplace(archive.output, archive.work))((job,))
    digest = hashlib.sha256(b"mask").hexdigest()
    archive.record(replace(outcome, beside=(replace(source.beside[0], sha256=digest),)))
    return source


def test_what_lies_beside_a_source_is_settled_with_it(archive):
    source = restored_with_mask(archive)
    (step,) = steps_over(archive, source)
    assert isinstance(step, Unchanged)
    assert not step.has_new_stamps


def test_a_mask_that_was_only_touched_is_asked_for_its_content(archive):
    source = restored_with_mask(archive)
    path = archive.root / "a.mask.png"
    os.utime(path, (1, 1))
    now = replace(source, beside=(replace(source.beside[0], stamp=Stamp.from_stat(path.lstat())),))
    (step,) = steps_over(archive, now)
    assert isinstance(step, Unchanged)
    assert step.has_new_stamps
    assert step.outcome.beside[0].stamp == Stamp.from_stat(path.lstat())


@pytest.mark.parametrize("change", ["content", "gone", "renamed", "role", "unseen"])
def test_a_change_beside_a_source_makes_it_new(archive, change):
    source = restored_with_mask(archive)
    one = source.beside[0]
    now = {
        "content": lambda: beside(archive, content="other").beside,
        "gone": tuple,
        "renamed": lambda: beside(archive, name="a.a.mask.png").beside,
        "role": lambda: (replace(one, role="hints"),),
        "unseen": lambda: (replace(one, stamp=None),),
    }[change]()
    assert len(jobs(steps_over(archive, replace(source, beside=now)))) == 1


def test_a_new_mask_makes_a_source_new(archive):
    archive.write("a")
    archive.run()
    assert len(jobs(steps_over(archive, beside(archive)))) == 1


def test_a_failure_over_a_mask_is_settled_until_the_mask_changes(archive):
    archive.write("a")
    source = beside(archive)
    (job,) = jobs(steps_over(archive, source))
    archive.record(Outcome.from_failure(job, "guide", "a.mask.png is broken"))
    assert isinstance(steps_over(archive, source)[0], Unchanged)
    assert len(jobs(steps_over(archive, beside(archive, content="whole")))) == 1
