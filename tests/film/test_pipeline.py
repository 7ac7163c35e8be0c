"""Films from end to end: kept, resumed after any death, honest, and accounted for."""

import json
import os
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.errors import OutputError, UsageError
from archive_colorizer.film.pipeline import restore_films
from archive_colorizer.film.request import FilmRequest, Span
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.recipe.film_shots import ShotSettings
from archive_colorizer.run.signals import Stop
from archive_colorizer.verification.verify import verify_output
from tests.film.killed_film import order_of, run_and_die
from tests.film.samples import CUT, FRAMES, checked, decoded, lumas, pixels, sequence, video
from tests.model.networks import constant_model

pytest.importorskip("av", reason="film needs PyAV")
pytest.importorskip("scenedetect", reason="film needs PySceneDetect")

CUTS = (f"0-{CUT}", f"{CUT}-{FRAMES}")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return constant_model(tmp_path_factory.mktemp("models") / "constant.onnx")


def newest(output, name):
    with Manifest.peek(output) as manifest:
        return manifest.find_newest(name)


def files(output):
    return sorted(
        str(one.relative_to(output))
        for one in output.rglob("*")
        if one.is_file() and ".work" not in one.parts
    )


def test_a_film_whose_time_ends_between_two_stages_is_not_finished(tmp_path, model, monkeypatch):
    film, out = video(tmp_path / "a.mkv"), tmp_path / "out"
    seen = []
    with monkeypatch.context() as late:
        late.setattr(Stop, "out_of_time", property(lambda _: bool(seen)))
        order = order_of(film, out, model)
        summary = restore_films(order, lambda outcome, _: seen.append(outcome.name))
    assert seen == ["a.mkv#shots"]
    assert summary.out_of_time
    again = restore_films(order)
    assert (again.done, again.out_of_time) == (3, False)


def test_a_video_in_color_with_its_own_luma_times_and_sound(tmp_path, model):
    film = video(tmp_path / "a.mkv", sound=True)
    content = film.read_bytes()
    out = tmp_path / "out"
    summary = restore_films(order_of(film, out, model))
    assert (summary.done, summary.failed) == (4, 0)
    assert files(out) == ["a.mkv", "a.mkv.shots.csv", "a.mkv.xmp", "manifest.jsonl"]
    before, after = decoded(film), decoded(out / "a.mkv")
    assert [pts for pts, _ in after] == [pts for pts, _ in before]
    half = len(before[0][1]) * 2 // 3
    assert all(one[:half] == two[:half] for (_, one), (_, two) in zip(before, after, strict=True))
    assert all(one != two for (_, one), (_, two) in zip(before, after, strict=True))
    assert film.read_bytes() == content
    assert not verify_output(out, print).findings


def test_the_file_says_what_made_its_color(tmp_path, model):
    import av

    film, out = video(tmp_path / "a.mkv"), tmp_path / "out"
    restore_films(order_of(film, out, model))
    outcome = newest(out, "a.mkv")
    with av.open(str(out / "a.mkv")) as container:
        said = {key.lower(): value for key, value in container.metadata.items()}["comment"]
    for word in ("algorithm", "model constant", outcome.model_sha256, outcome.settings):
        assert word in said
    beside = (out / "a.mkv.xmp").read_text()
    assert "compositeWithTrainedAlgorithmicMedia" in beside
    assert outcome.source_sha256 in beside


def test_the_same_again_does_nothing(tmp_path, model):
    film, out = video(tmp_path / "a.mkv"), tmp_path / "out"
    order = order_of(film, out, model)
    restore_films(order)
    before = (out / "manifest.jsonl").read_bytes()
    summary = restore_films(order)
    assert (summary.done, summary.failed, summary.skipped) == (0, 0, 0)
    assert (out / "manifest.jsonl").read_bytes() == before


def test_frames_in_kind_with_a_list_of_their_checksums(tmp_path, model):
    film, out = sequence(tmp_path / "scan"), tmp_path / "out"
    summary = restore_films(order_of(film, out, model))
    assert (summary.done, summary.failed) == (4, 0)
    assert sorted(one.name for one in (out / "scan").iterdir()) == sorted(
        one.name for one in film.iterdir()
    )
    assert checked(out, "scan.sha256")
    assert not (out / "segments").exists()
    assert not verify_output(out, print).findings


DEATHS = (
    "in the search for cuts",
    "before the list",
    "after the list",
    "in a part",
    "after a part",
    "within the join",
    "in the join",
    "after the join",
    "before the parts are removed",
)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("unbroken")
    films = video(folder / "a.mkv"), sequence(folder / "scan")
    for film in films:
        restore_films(order_of(film, folder / "out", model))
    return folder


@pytest.mark.parametrize("when", DEATHS)
def test_killed_and_resumed_a_video_is_the_same(tmp_path, model, unbroken, when):
    out = tmp_path / "out"
    run_and_die(when, unbroken / "a.mkv", out, model)
    if "join" not in when and "removed" not in when:
        assert not (out / "a.mkv").exists()
    summary = restore_films(order_of(unbroken / "a.mkv", out, model))
    assert not summary.failures
    assert decoded(out / "a.mkv") == decoded(unbroken / "out" / "a.mkv")
    assert files(out) == ["a.mkv", "a.mkv.shots.csv", "a.mkv.xmp", "manifest.jsonl"]
    assert [one.name for one in (out / ".work").iterdir()] == ["lock"]
    assert not verify_output(out, print).findings


@pytest.mark.parametrize(
    "when", [*DEATHS, "between a folder and its list", "before the final list"]
)
def test_killed_and_resumed_frames_are_the_same(tmp_path, model, unbroken, when):
    out = tmp_path / "out"
    run_and_die(when, unbroken / "scan", out, model)
    summary = restore_films(order_of(unbroken / "scan", out, model))
    assert not summary.failures
    assert pixels(out / "scan") == pixels(unbroken / "out" / "scan")
    assert checked(out, "scan.sha256")
    assert not (out / "segments").exists()
    assert not verify_output(out, print).findings


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid():
        pytest.skip("needs root to mount a small tmpfs")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize(("name", "left"), [("a.mkv", 24_576), ("a.mkv", 0), ("scan", 0)])
def test_a_disk_that_is_full_when_the_film_is_put_together(
    tmp_path, small_disk, model, unbroken, name, left
):
    film, out = unbroken / name, small_disk / "out"
    run_and_die("within the join", film, out, model)
    made = sorted((out / "segments").rglob("*"))
    stuffing = small_disk / "stuffing"
    with stuffing.open("wb", buffering=0) as stream:
        free = os.statvfs(small_disk)
        stream.write(bytes(free.f_bavail * free.f_bsize - left))
    with pytest.raises(OutputError, match="No space left on device"):
        restore_films(order_of(film, out, model))
    # A folder may have its name by then, whole, and not yet its list.
    assert not (out / ("a.mkv" if name == "a.mkv" else "scan.sha256")).exists()
    assert sorted((out / "segments").rglob("*")) == made
    stuffing.unlink()
    assert not restore_films(order_of(film, out, model)).failures
    content = decoded if name == "a.mkv" else pixels
    assert content(out / name) == content(unbroken / "out" / name)
    assert not verify_output(out, print, deep=True).findings


def test_a_finished_part_is_not_made_again(tmp_path, model, unbroken):
    out = tmp_path / "out"
    run_and_die("after a part", unbroken / "a.mkv", out, model)
    made = {one.name: one.stat().st_ino for one in (out / "segments" / "a.mkv").iterdir()}
    assert len(made) == 2
    summary = restore_films(order_of(unbroken / "a.mkv", out, model))
    assert summary.done == 1
    assert summary.adopted == 1


def damaged(folder, at):
    path = sorted(folder.iterdir())[at]
    path.write_bytes(path.read_bytes()[:200])


def test_a_damaged_shot_fails_alone_and_the_film_waits(tmp_path, model):
    film, out = sequence(tmp_path / "scan"), tmp_path / "out"
    order = order_of(film, out, model)
    damaged(film, CUT + 5)
    summary = restore_films(order)
    assert summary.failures == {"damaged": 1, "missing-shots": 1}
    assert f"f_{CUT + 5 + 7:04}.png" in newest(out, f"scan#{CUTS[1]}").message
    assert newest(out, f"scan#{CUTS[0]}").state == "done"
    assert "--allow-missing" in newest(out, "scan").message
    assert not (out / "scan").exists()
    again = restore_films(order)
    assert (again.done, again.failed) == (0, 0)
    assert again.failures == {"damaged": 1, "missing-shots": 1}


def grey_frames(folder):
    """Which frames of a sequence have no color."""
    pictures = [np.asarray(Image.open(one)).astype(int) for one in sorted(folder.iterdir())]
    return [at for at, one in enumerate(pictures) if np.ptp(one, axis=2).max() == 0]


@pytest.mark.parametrize("known", [True, False], ids=["known before", "found now"])
def test_only_what_cannot_be_decoded_is_grey_and_it_is_said(tmp_path, model, known):
    film, out = sequence(tmp_path / "scan"), tmp_path / "out"
    lost = [CUT + 5, CUT + 6, CUT + 9]
    for at in lost:
        damaged(film, at)
    if known:
        restore_films(order_of(film, out, model))
    order = order_of(film, out, model, allow_missing=True)
    summary = restore_films(order)
    assert summary.failures == {"damaged": 2}
    assert sorted(one.name for one in summary.first_failures) == [
        f"scan#{CUT + 5}-{CUT + 7}",
        f"scan#{CUT + 9}-{CUT + 10}",
    ]
    assert newest(out, "scan").warnings == (
        f"frames {CUT + 5} to {CUT + 6} are a neighbor in grey: nothing there could be decoded",
        f"frame {CUT + 9} is a neighbor in grey: nothing there could be decoded",
    )
    assert grey_frames(out / "scan") == lost
    held = np.asarray(Image.open(out / "scan" / f"f_{CUT + 6 + 7:04}.png"))
    assert np.array_equal(held[..., 0], lumas()[CUT + 4])
    assert len(list((out / "scan").iterdir())) == FRAMES
    assert not verify_output(out, print, deep=True).findings
    before = pixels(out / "scan")
    again = restore_films(order)
    assert (again.done, again.failed, again.failures) == (0, 0, {"damaged": 2})
    assert pixels(out / "scan") == before


def test_a_shot_that_fails_otherwise_is_the_grey_original(tmp_path, model):
    film, out = sequence(tmp_path / "scan"), tmp_path / "out"
    listed = tmp_path / "own.csv"
    listed.write_text(f"first,last,model\n0,{CUT},\n{CUT},{FRAMES},{tmp_path / 'nan.onnx'}\n")
    constant_model(tmp_path / "nan.onnx", (float("nan"), 0.0))
    order = replace(order_of(film, out, model, allow_missing=True), shots=listed)
    assert restore_films(order).failures == {"model-output": 1}
    (said,) = newest(out, "scan").warnings
    assert said.startswith(f"frames {CUT} to {FRAMES - 1} are the grey original: ")
    assert grey_frames(out / "scan") == list(range(CUT, FRAMES))
    assert not verify_output(out, print, deep=True).findings


def test_gaps_in_the_numbers_are_left_when_that_is_allowed(tmp_path, model):
    film, out = sequence(tmp_path / "scan", 8), tmp_path / "out"
    for number in (9, 10):
        (film / f"f_{number:04}.png").unlink()
    assert restore_films(order_of(film, out, model)).failures == {"unreadable": 1}
    assert "frames 9 to 10 are missing" in newest(out, "scan#shots").message
    assert restore_films(order_of(film, out, model, allow_missing=True)).failures == {}
    assert "frames 9 to 10 are missing" in newest(out, "scan#shots").warnings[0]
    assert sorted(pixels(out / "scan")) == sorted(one.name for one in film.iterdir())
    assert checked(out, "scan.sha256")


def test_a_recipe_has_settings_for_single_shots(tmp_path, model):
    film, out = sequence(tmp_path / "scan"), tmp_path / "out"
    neutral = (ShotSettings(frame=3, strength=0.0),)
    order = replace(order_of(film, out, model), shot_settings=neutral)
    assert restore_films(order).failed == 0
    assert grey_frames(out / "scan") == list(range(CUT))
    assert restore_films(order).done == 0
    # The line of a shot in a list is nearer to the shot than a recipe.
    listed = tmp_path / "own.csv"
    listed.write_text(f"first,last,strength\n0,{CUT},1\n{CUT},{FRAMES},0\n")
    restore_films(replace(order, shots=listed))
    assert grey_frames(out / "scan") == list(range(CUT, FRAMES))
    with pytest.raises(UsageError, match="last frame is 29"):
        restore_films(replace(order, shot_settings=(ShotSettings(frame=30, hue=1.0),)))


def test_a_damaged_shot_of_a_video_is_filled_too(tmp_path, model):
    film, out = video(tmp_path / "a.mkv"), tmp_path / "out"
    before = decoded(film)
    data = bytearray(film.read_bytes())
    middle = len(data) * 8 // 10
    data[middle : middle + 40] = bytes(byte ^ 0xFF for byte in data[middle : middle + 40])
    film.write_bytes(data)
    summary = restore_films(order_of(film, out, model))
    assert summary.failures == {"damaged": 1, "missing-shots": 1}
    message = newest(out, f"a.mkv#{CUTS[1]}").message
    assert "a.mkv: frame " in message
    lost = int(message.partition("frame ")[2].split()[0])
    summary = restore_films(order_of(film, out, model, allow_missing=True))
    assert summary.failures == {"damaged": 1}
    after = decoded(out / "a.mkv")
    assert [pts for pts, _ in after] == [pts for pts, _ in before]
    luma = len(before[0][1]) * 2 // 3
    assert after[lost][1][:luma] == after[lost - 1][1][:luma]
    assert set(after[lost][1][luma:]) == {128}
    for at in set(range(FRAMES)) - {lost}:
        assert after[at][1][:luma] == before[at][1][:luma]
        assert after[at][1][luma:] != before[at][1][luma:]


def test_a_person_s_edits_of_the_list_are_taken(tmp_path, model):
    film, out = video(tmp_path / "a.mkv"), tmp_path / "out"
    order = order_of(film, out, model)
    restore_films(order)
    listed = out / "a.mkv.shots.csv"
    own = f"first,last,strength\n0,10,0\n10,{FRAMES},\n"
    listed.write_text(own)
    assert restore_films(order).failed == 0
    assert listed.read_text() == own
    assert newest(out, "a.mkv#0-10").state == "done"
    frames = decoded(out / "a.mkv")
    chroma = [np.frombuffer(planes[len(planes) * 2 // 3 :], np.uint8) for _, planes in frames]
    assert all((one == 128).all() for one in chroma[:10])
    assert not any((one == 128).all() for one in chroma[10:])
    assert restore_films(order).done == 0
    assert not verify_output(out, print).findings


def test_with_kept_segments_only_changed_shots_are_made_again(tmp_path, model):
    film, out = video(tmp_path / "a.mkv"), tmp_path / "out"
    order = replace(order_of(film, out, model), keep_segments=True)
    restore_films(order)
    before = decoded(out / "a.mkv")
    listed = out / "a.mkv.shots.csv"
    listed.write_text(f"first,last,hue\n0,{CUT},\n{CUT},{FRAMES},60\n")
    again = restore_films(order)
    assert (again.done, again.unchanged["done"]) == (3, 1)
    after = decoded(out / "a.mkv")
    assert after[:CUT] == before[:CUT]
    assert all(one != two for one, two in zip(after[CUT:], before[CUT:], strict=True))
    restore_films(replace(order, keep_segments=False))
    assert not (out / "segments").exists()


def test_a_list_that_does_not_fit_is_refused_with_its_line(tmp_path, model):
    film, out = video(tmp_path / "a.mkv"), tmp_path / "out"
    listed = tmp_path / "own.csv"
    listed.write_text("first,last\n0,5\n7,30\n")
    summary = restore_films(replace(order_of(film, out, model), shots=listed))
    assert summary.failures == {"usage": 1}
    assert "own.csv, line 3" in summary.first_failures[0].message


def test_a_stretch_of_time(tmp_path, model):
    film, out = video(tmp_path / "a.mkv", sound=True), tmp_path / "out"
    restore_films(replace(order_of(film, out, model), span=Span.parse("0.5", "1.5")))
    assert len(decoded(out / "a.mkv")) == 12
    assert "0:00:00.500 to 0:00:01.500" in " ".join(newest(out, "a.mkv").warnings)


def test_long_shots_are_shared_out(tmp_path, model, unbroken):
    out = tmp_path / "out"
    summary = restore_films(order_of(unbroken / "a.mkv", out, model, longest=16))
    assert summary.done == 4
    other = restore_films(
        order_of(unbroken / "a.mkv", tmp_path / "b", model, shortest=40, longest=16)
    )
    assert other.done == 4
    assert newest(tmp_path / "b", "a.mkv#0-15").state == "done"


def test_bad_films_fail_alone(tmp_path, model):
    good, gap = sequence(tmp_path / "good", 6), sequence(tmp_path / "gap", 6)
    sorted(gap.iterdir())[2].unlink()
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(b"\x1aE\xdf\xa3" + b"no film" * 50)
    out = tmp_path / "out"
    order = replace(order_of(good, out, model), roots=(gap, broken, good))
    summary = restore_films(order)
    assert sum(summary.failures.values()) == 2
    assert "9" in newest(out, "gap#shots").message
    assert newest(out, "broken.mkv#shots").state == "failed"
    assert newest(out, "good").state == "done"


def test_two_films_that_would_have_one_name(tmp_path, model):
    first, second = video(tmp_path / "a.mkv", count=6), video(tmp_path / "a.avi", count=6)
    out = tmp_path / "out"
    restore_films(replace(order_of(first, out, model), roots=(first, second)))
    targets = {newest(out, "a.mkv").target, newest(out, "a.avi").target}
    assert len(targets) == 2
    assert all((out / target).exists() for target in targets)


def test_a_pattern_names_one_of_several_sequences(tmp_path, model):
    film = sequence(tmp_path / "scan", 6)
    (film / "other_1.png").write_bytes(b"of another sequence")
    out = tmp_path / "out"
    restore_films(order_of(film / "f_####.png", out, model))
    assert newest(out, "f_####.png").frames == 6
    assert len(pixels(out / "f_####")) == 6
    assert checked(out, "f_####.sha256")


def test_a_film_in_color_is_left_alone(tmp_path, model):
    film = tmp_path / "scan"
    film.mkdir()
    for number in range(4):
        Image.new("RGB", (64, 48), (200, 40, 40)).save(film / f"{number}.png")
    summary = restore_films(order_of(film, tmp_path / "out", model))
    assert (summary.skipped, summary.done, summary.failed) == (1, 0, 0)


@pytest.mark.parametrize("output", ["a.mkv", "sub/../a.mkv"])
def test_the_film_itself_is_no_output(tmp_path, output):
    film = video(tmp_path / "a.mkv", count=2)
    (tmp_path / "sub").mkdir()
    with pytest.raises(UsageError, match="the film itself"):
        order_of(film, tmp_path / output, tmp_path)


def test_a_file_for_an_output(tmp_path, model):
    film = video(tmp_path / "a.mkv", count=6)
    restore_films(order_of(film, tmp_path / "new.mkv", model))
    assert len(decoded(tmp_path / "new.mkv")) == 6
    restore_films(order_of(film, tmp_path / "b" / "new.mp4", model))
    assert len(decoded(tmp_path / "b" / "new.mp4")) == 6
    with pytest.raises(UsageError, match="MOV does not hold FFV1"):
        restore_films(order_of(film, tmp_path / "c" / "new.mov", model))


def test_a_stranger_s_file_is_kept(tmp_path, model):
    film, out = video(tmp_path / "a.mkv", count=6), tmp_path / "out"
    out.mkdir()
    (out / "a.mkv").write_bytes(b"MY OWN WORK")
    summary = restore_films(order_of(film, out, model))
    assert summary.failures == {"target-exists": 1}
    assert (out / "a.mkv").read_bytes() == b"MY OWN WORK"


def test_other_settings_make_the_film_anew(tmp_path, model):
    film, out = sequence(tmp_path / "scan", 6), tmp_path / "out"
    order = order_of(film, out, model)
    restore_films(order)
    before = pixels(out / "scan")
    restore_films(replace(order, recipe=order.recipe.apply({"strength": 0.3}, "test")))
    assert pixels(out / "scan") != before
    assert checked(out, "scan.sha256")


def test_the_manifest_names_the_film_s_settings(tmp_path, model):
    film, out = video(tmp_path / "a.mkv", count=6), tmp_path / "out"
    order: FilmRequest = order_of(film, out, model)
    restore_films(order)
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    runs = [line for line in lines if line["kind"] == "provenance"]
    assert len(runs) == 1
    assert runs[0]["recipe"]["film"]["smoothing"] == order.film.smoothing
    assert {line["settings"] for line in lines} == {runs[0]["settings"]}


def test_films_are_not_sharpened(tmp_path):
    order = order_of(sequence(tmp_path / "one", 2), tmp_path / "out", tmp_path)
    with pytest.raises(UsageError, match="films keep their luma"):
        replace(order, recipe=replace(order.recipe, sharpen=0.5)).validate(None)


def test_several_films_need_a_folder(tmp_path):
    one, two = sequence(tmp_path / "one", 2), sequence(tmp_path / "two", 2)
    order = replace(order_of(one, tmp_path / "out", tmp_path), roots=(one, two))
    with pytest.raises(UsageError, match="need an --output"):
        order.validate(None)
    with pytest.raises(UsageError, match="do not fit"):
        order.validate(tmp_path / "x.mkv")
