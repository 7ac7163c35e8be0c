"""The jobs of a film: names, keys, and what is settled."""

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import UsageError
from archive_colorizer.film.assembly import plan_cut_list
from archive_colorizer.film.plan import Assembly, FilmPlan
from archive_colorizer.film.request import FilmRequest, Span, format_clock, parse_seconds
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe
from archive_colorizer.records.jobs import Job, JobContext, Shot, ShotPart, Source, Stamp
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.run.plan import Unchanged
from archive_colorizer.run.summary import Summary
from tests.film.restored_films import MemoryFilm, pan

SHOT = Shot(0, 100)
PARTS = (ShotPart(SHOT, 0, 50), ShotPart(SHOT, 50, 100), ShotPart(Shot(100, 120), 100, 120))


@pytest.fixture
def film(tmp_path: Path) -> Source:
    path = tmp_path / "in" / "a.mkv"
    path.parent.mkdir()
    path.write_bytes(b"a film")
    return Source(str(path.parent), path.name, Stamp.from_stat(path.lstat()))


@pytest.fixture
def place(tmp_path: Path) -> JobContext:
    out = tmp_path / "out"
    out.mkdir()
    return JobContext(str(out), "", Recipe(), "m.onnx", "0" * 64, film=FilmRecipe())


def plan(film: Source, manifest: Manifest, place: JobContext) -> FilmPlan:
    assembly = Assembly(film, PARTS, "a.mkv", ".nut", {"other": "1" * 64})
    return FilmPlan(assembly, manifest, place)


def opened(place: JobContext) -> Manifest:
    return Manifest.open(Path(place.output))


def done(job: Job, place: JobContext, content: bytes = b"made") -> Outcome:
    path = Path(place.output, job.target)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Outcome(
        key=job.key,
        name=job.name,
        state=State.DONE,
        source_stamp=job.source.stamp,
        source_sha256=hashlib.sha256(b"a film").hexdigest(),
        target=job.target,
        target_stamp=Stamp.from_stat(path.lstat()),
        target_sha256=hashlib.sha256(content).hexdigest(),
        frames=1,
    )


def jobs(film: Source, manifest: Manifest, place: JobContext) -> list[object]:
    return list(plan(film, manifest, place).plan_parts(retry_failed=False))


def test_a_part_is_named_by_its_frames(film: Source, place: JobContext) -> None:
    with opened(place) as manifest:
        job = plan(film, manifest, place).build_part_job(PARTS[1])
    assert job.name == "a.mkv#50-100"
    assert job.target == "segments/a.mkv/50-100.nut"
    assert not job.replaces


@pytest.mark.parametrize(
    "other",
    [
        ShotPart(Shot(0, 90), 0, 50),
        ShotPart(Shot(0, 100, strength=0.5), 0, 50),
        ShotPart(Shot(0, 100, model="other"), 0, 50),
        ShotPart(SHOT, 0, 49),
    ],
)
def test_whatever_decides_about_a_part_is_in_its_key(
    film: Source, place: JobContext, other: ShotPart
) -> None:
    with opened(place) as manifest:
        first = plan(film, manifest, place).build_part_job(PARTS[0])
        assert plan(film, manifest, place).build_part_job(other).key != first.key
        wished = replace(place, film=FilmRecipe(smoothing=0.1))
        assert plan(film, manifest, wished).build_part_job(PARTS[0]).key != first.key
        running = replace(place, film=FilmRecipe(longest=500, allow_missing=True))
        assert plan(film, manifest, running).build_part_job(PARTS[0]).key == first.key


def test_finished_parts_are_settled_and_the_film_waits_for_all(
    film: Source, place: JobContext
) -> None:
    with opened(place) as manifest:
        first, *rest = jobs(film, manifest, place)
        assert isinstance(first, Job)
        manifest.append([done(first, place)])
        again = jobs(film, manifest, place)
        assert isinstance(again[0], Unchanged)
        assert again[1:] == rest
        step = plan(film, manifest, place).plan_film(retry_failed=False)
        assert isinstance(step, Outcome)
        assert (step.state, step.reason) == (State.FAILED, "missing-shots")
        assert "2 of 3 parts are missing (50-100, 100-120)" in str(step.message)


def finish(film: Source, manifest: Manifest, place: JobContext) -> None:
    for step in jobs(film, manifest, place):
        assert isinstance(step, Job)
        manifest.append([done(step, place)])
    whole = plan(film, manifest, place).plan_film(retry_failed=False)
    assert isinstance(whole, Job)
    manifest.append([done(whole, place)])


def test_a_finished_film_settles_its_parts_though_they_are_gone(
    film: Source, place: JobContext
) -> None:
    with opened(place) as manifest:
        finish(film, manifest, place)
        manifest.append(list(plan(film, manifest, place).remove_segments()))
        assert not Path(place.output, "segments").exists()
        assert all(isinstance(step, Unchanged) for step in jobs(film, manifest, place))
        whole = plan(film, manifest, place).plan_film(retry_failed=False)
        assert isinstance(whole, Unchanged)
        Path(place.output, "a.mkv").unlink()
        assert all(isinstance(step, Job) for step in jobs(film, manifest, place))


def test_parts_of_an_earlier_list_go_with_the_others_and_strangers_stay(
    film: Source, place: JobContext
) -> None:
    output = Path(place.output)
    with opened(place) as manifest:
        old = plan(film, manifest, place).build_part_job(ShotPart(Shot(0, 7), 0, 7))
        bad = plan(film, manifest, place).build_part_job(ShotPart(Shot(7, 9), 7, 9))
        manifest.append([done(old, place)])
        manifest.append([replace(done(bad, place), state=State.FAILED, target=None)])
        finish(film, manifest, place)
        own = output / "segments" / "a.mkv" / "notes.txt"
        own.write_text("mine")
        manifest.append(list(plan(film, manifest, place).remove_segments()))
        assert not (output / old.target).exists()
        assert own.read_text() == "mine"
        newest = manifest.find_newest(bad.name)
        assert newest is not None
        assert (newest.state, newest.reason) == (State.SKIPPED, "superseded")


def test_a_film_without_some_parts_is_another_film(film: Source, place: JobContext) -> None:
    with opened(place) as manifest:
        whole = plan(film, manifest, place).build_film_job(())
        assert plan(film, manifest, place).build_film_job(PARTS[:1]).key != whole.key


def test_a_list_that_was_edited_is_a_person_s(film: Source, place: JobContext) -> None:
    output = Path(place.output)
    request = FilmRequest(roots=(film.path,), output=output, recipe=place.recipe, film=FilmRecipe())
    with opened(place) as manifest:
        step, path = plan_cut_list(film, request, manifest, place)
        assert isinstance(step, Job)
        assert path is None
        detected = done(step, place)
        manifest.append([detected])
        settled, path = plan_cut_list(film, request, manifest, place)
        assert isinstance(settled, Unchanged)
        assert path is None
        listed = output / "a.mkv.shots.csv"
        listed.write_bytes(b"edited")
        own, path = plan_cut_list(film, request, manifest, place)
        assert isinstance(own, Job)
        assert path == listed
        assert own.key != step.key
        assert own.replaces
        taken = done(own, place, b"edited")
        manifest.append([taken])
        settled, path = plan_cut_list(film, request, manifest, place)
        assert isinstance(settled, Unchanged)
        assert path == listed


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("75.5", Fraction(151, 2)), ("1:15.5", Fraction(151, 2)), ("01:00:00.04", 3600.04)],
)
def test_times_as_people_write_them(text: str, seconds: float) -> None:
    assert float(parse_seconds(text, "--to")) == float(seconds)


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "x", "1:75x", "1e3", "٣"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--to"):
        parse_seconds(text, "--to")


@given(st.integers(0, 10**8))
def test_clock_and_back(thousandths: int) -> None:
    exact = Fraction(thousandths, 1000)
    assert parse_seconds(format_clock(exact), "--to") == exact


def test_a_span_takes_the_frames_that_begin_in_it() -> None:
    times, base = tuple(range(1000, 1250, 25)), Fraction(1, 1000)
    facts = MemoryFilm(pan("astronaut", 10), name="a", times=times, time_base=base).facts
    assert Span.parse("0.05", "0.1").select_frames(facts) == range(2, 4)
    assert Span.parse("0.051", None).select_frames(facts) == range(3, 10)
    assert Span().select_frames(facts) == range(10)
    with pytest.raises(UsageError, match="a: no frame"):
        Span.parse("9", None).select_frames(facts)
    with pytest.raises(UsageError, match="later than"):
        Span.parse("2", "1")


def test_several_drives_have_one_summary() -> None:
    def summary(done: int, failures: dict[str, int], interrupted: int | None = None) -> Summary:
        return Summary(
            done=done,
            skipped=0,
            failed=sum(failures.values()),
            unchanged={State.DONE: 1},
            adopted=1,
            failures=failures,
            first_failures=(),
            seconds=1.5,
            interrupted=interrupted,
        )

    whole = Summary.combine([summary(2, {"damaged": 1}), summary(3, {"damaged": 2, "bug": 1}, 15)])
    assert (whole.done, whole.failed, whole.adopted, whole.seconds) == (5, 4, 2, 3.0)
    assert whole.failures == {"damaged": 3, "bug": 1}
    assert whole.unchanged[State.DONE] == 2
    assert whole.interrupted == 15


def test_a_merged_model_changes_every_part_also_where_a_shot_has_its_own(film, place):
    shots = (SHOT, Shot(0, 100, model="other"))
    merged = replace(place, merge="n.onnx", merge_sha256="2" * 64)
    again = replace(place, merge="n.onnx", merge_sha256="3" * 64)
    with Manifest.open(Path(place.output)) as manifest:
        keys = {
            plan(film, manifest, one).build_part_job(ShotPart(shot, 0, 50)).key
            for shot in shots
            for one in (place, merged, again)
        }
    assert len(keys) == 6
