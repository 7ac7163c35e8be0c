"""Results appear whole, over nobody's file, or not at all."""

import errno
import hashlib
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from archive_colorizer.errors import OutputError, TargetExists, TargetName
from archive_colorizer.output.deliver import deliver, deliver_all
from archive_colorizer.output.deliveries import PendingResult
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, JobContext, Source, Stamp
from archive_colorizer.records.json_lines import parse_outcome
from archive_colorizer.records.outcomes import Outcome, State

DATA = b"a picture" * 1000


@pytest.fixture
def place(tmp_path: Path) -> JobContext:
    work = tmp_path / "out" / ".work" / "run"
    work.mkdir(parents=True)
    return JobContext(str(tmp_path / "out"), str(work), Recipe(), "model.onnx", "0" * 64)


def job(target: str = "box/a.jpg", replaces: bool = False) -> Job:
    return Job("key", Source("/in", "box/a.jpg", Stamp(1, 2, 3, 4)), target, replaces)


SETTLED = Outcome(key="key", name="box/a.jpg", state=State.DONE, warnings=("w",), seconds=1.5)


def write(place: JobContext, one: Job, data: bytes = DATA) -> Outcome:
    return deliver(data, one, place, SETTLED)


def journal(place: JobContext) -> list[Outcome | None]:
    (path,) = Path(place.work).glob("*.jsonl")
    return [parse_outcome(line) for line in path.read_bytes().splitlines(keepends=True)]


def temporary(place: JobContext) -> list[Path]:
    return [path for path in Path(place.work).iterdir() if path.suffix != ".jsonl"]


def raising(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_the_result_and_its_record(place: JobContext) -> None:
    outcome = write(place, job())
    path = Path(place.output, "box/a.jpg")
    assert path.read_bytes() == DATA
    assert outcome.target == "box/a.jpg"
    assert outcome.target_sha256 == hashlib.sha256(DATA).hexdigest()
    assert outcome.target_stamp == Stamp.from_stat(path.lstat())
    assert (outcome.warnings, outcome.seconds, outcome.state) == (("w",), 1.5, State.DONE)
    (note,) = journal(place)
    assert note is not None
    assert (note.key, note.target, note.target_sha256) == (
        "key",
        "box/a.jpg",
        outcome.target_sha256,
    )
    assert not temporary(place)
    assert path.lstat().st_nlink == 1


def test_the_umask_gives_the_mode(place: JobContext) -> None:
    before = os.umask(0o027)
    try:
        write(place, job())
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path(place.output, "box/a.jpg").lstat().st_mode) == 0o640


def test_a_strangers_file_is_kept(place: JobContext) -> None:
    path = Path(place.output, "box/a.jpg")
    path.parent.mkdir()
    path.write_bytes(b"MY OWN WORK")
    with pytest.raises(TargetExists, match=r"box/a\.jpg"):
        write(place, job())
    assert path.read_bytes() == b"MY OWN WORK"
    assert not temporary(place)


def test_the_very_same_bytes_are_ours(place: JobContext) -> None:
    first = write(place, job())
    second = write(place, job())
    assert second == first


def test_a_worker_given_up_for_lost_has_been_faster(place: JobContext) -> None:
    first = write(place, job())
    second = write(place, job(), b"made again, a second later")
    assert second.target_sha256 == first.target_sha256
    assert second.target_stamp == first.target_stamp
    assert Path(place.output, "box/a.jpg").read_bytes() == DATA


def test_another_jobs_note_does_not_count(place: JobContext) -> None:
    write(place, job())
    other = Job("other key", job().source, "box/a.jpg")
    with pytest.raises(TargetExists):
        write(place, other, b"other")
    assert Path(place.output, "box/a.jpg").read_bytes() == DATA


def test_an_earlier_result_is_replaced(place: JobContext) -> None:
    first = write(place, job())
    second = write(place, job(replaces=True), b"better")
    path = Path(place.output, "box/a.jpg")
    assert path.read_bytes() == b"better"
    assert second.target_stamp == Stamp.from_stat(path.lstat()) != first.target_stamp
    assert not temporary(place)


def test_a_link_in_a_results_place_is_replaced_and_not_written_through(
    place: JobContext, tmp_path: Path
) -> None:
    original = tmp_path / "original.jpg"
    original.write_bytes(b"PRECIOUS")
    Path(place.output, "s.jpg").symlink_to(original)
    os.link(original, Path(place.output, "h.jpg"))
    for target in ("s.jpg", "h.jpg"):
        write(place, job(target, replaces=True))
        assert Path(place.output, target).read_bytes() == DATA
    assert original.read_bytes() == b"PRECIOUS"


def test_a_link_in_a_folders_place_is_not_followed(place: JobContext, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Path(place.output, "box").symlink_to(elsewhere)
    for replaces in (False, True):
        with pytest.raises(TargetExists):
            write(place, job(replaces=replaces))
    assert not list(elsewhere.iterdir())


def test_a_file_or_a_folder_in_the_way(place: JobContext) -> None:
    Path(place.output, "box").write_bytes(b"a file")
    Path(place.output, "a.jpg").mkdir()
    for target in ("box/a.jpg", "a.jpg"):
        for replaces in (False, True):
            with pytest.raises(TargetExists):
                write(place, job(target, replaces))
    assert not temporary(place)


def test_names_of_any_length_and_kind(place: JobContext) -> None:
    deep = "/".join(["d" * 200] * 25)
    for target in ("n" * 255, "caf\udce9\n.jpg", "-rf", f"{deep}/p.jpg"):
        outcome = write(place, job(target))
        assert outcome.target == target
    assert Path(place.output, "n" * 255).read_bytes() == DATA


def test_a_name_too_long_fails_alone(place: JobContext) -> None:
    with pytest.raises(TargetName, match="File name too long"):
        write(place, job("n" * 256))


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_without_hard_links(
    place: JobContext, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "link", raising(number))
    outcome = write(place, job())
    assert outcome.target_stamp == Stamp.from_stat(Path(place.output, "box/a.jpg").lstat())
    stranger = Path(place.output, "b.jpg")
    stranger.write_bytes(b"MY OWN WORK")
    with pytest.raises(TargetExists):
        write(place, job("b.jpg"))
    assert stranger.read_bytes() == b"MY OWN WORK"
    assert not temporary(place)


@pytest.mark.parametrize("call", ["write", "fsync", "link", "open"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_an_output_that_fails(
    place: JobContext, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, call, raising(number))
        with pytest.raises(OutputError, match=os.strerror(number)) as caught:
            write(place, job())
    assert caught.value.reason == "output"
    assert not Path(place.output, "box/a.jpg").exists()
    assert not temporary(place)


def test_half_a_note_is_taken_back(place: JobContext, monkeypatch: pytest.MonkeyPatch) -> None:
    write(place, job("first.jpg"))
    real = os.fsync

    def full(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().suffix == ".jsonl":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError):
            write(place, job("second.jpg"))
    write(place, job("third.jpg"))
    notes = [note.target for note in journal(place) if note]
    assert notes == ["first.jpg", "third.jpg"]


def test_a_worker_whose_run_was_taken_over_makes_nothing(place: JobContext) -> None:
    Path(place.work).rename(Path(place.work + ".dead"))
    with pytest.raises(OutputError):
        write(place, job())
    assert not Path(place.output, "box").exists()


def parcels(count: int) -> list[PendingResult]:
    """In two folders."""
    targets = [f"box{number % 2}/{number}.jpg" for number in range(count)]
    return [PendingResult(b"%d" % number, job(one), SETTLED) for number, one in enumerate(targets)]


def test_several_results_share_the_fsync_of_journal_and_folders(
    place: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for box in ("box0", "box1"):
        Path(place.output, box).mkdir()
    real, synced = os.fsync, []

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().suffix)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    answers = deliver_all(parcels(10), place)
    # The folder of the new journal comes before what is noted in it.
    assert synced == [".tmp"] * 10 + ["", ".jsonl"] + ["", ""]
    for number, outcome in enumerate(answers):
        assert isinstance(outcome, Outcome)
        path = Path(place.output, f"box{number % 2}", f"{number}.jpg")
        assert path.read_bytes() == b"%d" % number
        assert outcome.target_stamp == Stamp.from_stat(path.lstat())
    assert [note.target for note in journal(place) if note] == [
        outcome.target for outcome in answers if isinstance(outcome, Outcome)
    ]
    assert not temporary(place)


def test_of_several_results_each_fails_alone(place: JobContext) -> None:
    Path(place.output, "box1").mkdir()
    Path(place.output, "box1", "3.jpg").write_bytes(b"MY OWN WORK")
    Path(place.output, "box0").write_bytes(b"a file where a folder belongs")
    answers = deliver_all(parcels(6), place)
    said = [type(answer) for answer in answers]
    assert said == [TargetExists, Outcome, TargetExists, TargetExists, TargetExists, Outcome]
    assert Path(place.output, "box1", "3.jpg").read_bytes() == b"MY OWN WORK"
    assert Path(place.output, "box1", "5.jpg").read_bytes() == b"5"
    assert not temporary(place)


@pytest.mark.parametrize(
    ("wrong", "call", "failures"),
    [(".tmp", 1, 1), ("", 1, 4), (".jsonl", 1, 4), ("", 2, 2)],
    ids=["result", "folder-of-the-journal", "journal", "folder-of-two-results"],
)
def test_of_several_results_those_fail_that_are_not_on_the_disk(
    place: JobContext, monkeypatch: pytest.MonkeyPatch, wrong: str, call: int, failures: int
) -> None:
    for box in ("box0", "box1"):
        Path(place.output, box).mkdir()
    real, calls = os.fsync, 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        if Path(f"/proc/self/fd/{descriptor}").readlink().suffix == wrong:
            calls += 1
            if calls == call:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    answers = deliver_all(parcels(4), place)
    assert sum(isinstance(answer, OutputError) for answer in answers) == failures
    if failures == 4:
        assert not list(Path(place.output).rglob("*.jpg"))
    assert not temporary(place)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs root to mount a small tmpfs")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    work = small_disk / ".work" / "run"
    work.mkdir(parents=True)
    place = JobContext(str(small_disk), str(work), Recipe(), "model.onnx", "0" * 64)
    made = 0
    with pytest.raises(OutputError, match="No space left on device"):
        for made in range(100):
            write(place, job(f"p{made}.jpg"))
    assert made > 2
    assert not temporary(place)
    found = sorted(small_disk.glob("*.jpg"))
    assert len(found) == made
    assert all(path.read_bytes() == DATA for path in found)


def test_a_large_file_appears_like_any_other(place: JobContext) -> None:
    written = Path(place.work, "part.mkv")
    written.write_bytes(DATA)
    outcome = deliver(Path(place.work, "part.mkv"), job(), place, SETTLED, b"said of it")
    path = Path(place.output, "box/a.jpg")
    assert path.read_bytes() == DATA
    assert outcome.target_sha256 == hashlib.sha256(DATA).hexdigest()
    assert outcome.target_stamp == Stamp.from_stat(path.lstat())
    assert path.with_name("a.jpg.xmp").read_bytes() == b"said of it"
    (note,) = journal(place)
    assert note is not None
    assert note.target_sha256 == outcome.target_sha256
    assert not temporary(place)


def test_a_large_file_keeps_a_strangers(place: JobContext) -> None:
    path = Path(place.output, "box/a.jpg")
    path.parent.mkdir()
    path.write_bytes(b"MY OWN WORK")
    Path(place.work, "part.mkv").write_bytes(DATA)
    with pytest.raises(TargetExists):
        deliver(Path(place.work, "part.mkv"), job(), place, SETTLED)
    assert path.read_bytes() == b"MY OWN WORK"
    assert not temporary(place)


def test_a_large_file_that_was_not_written_is_said(place: JobContext) -> None:
    with pytest.raises(OutputError, match="No such file"):
        deliver(Path(place.work, "part.mkv"), job(), place, SETTLED)
