"""`archive-colorize film`, as a user has it."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.film.samples import CUT, FRAMES, RATE, decoded, sequence, video

pytest.importorskip("av", reason="film needs PyAV")
pytest.importorskip("scenedetect", reason="film needs PySceneDetect")


@pytest.fixture
def recipe(tmp_path, model):
    path = tmp_path / "film.toml"
    path.write_text(
        f'model = "{model}"\nexecutor = "serial"\ndevice = "cpu"\n'
        "[film]\nshortest = 4\nsmoothing = 0.3\n"
    )
    return path


def test_help_shows_the_restoration_and_the_comparison(command):
    done = command("film", "--help")
    assert done.returncode == 0
    assert "--smoothing" in done.stdout
    assert "film compare SOURCE RESULT" in done.stdout
    assert "--wipe" in command("film", "compare", "--help").stdout


def test_a_film_and_its_summary(command, tmp_path, recipe):
    film = video(tmp_path / "a.mkv")
    done = command("film", film, "--recipe", recipe)
    assert done.returncode == 0, done.stderr
    assert f"done frames 0-{CUT}" in done.stdout
    assert f"{FRAMES} frames" in done.stdout
    assert (tmp_path / "a-colorized" / "a.mkv").exists()
    again = command("film", film, "--recipe", recipe, "--json")
    said = json.loads(again.stdout)
    assert said["done"] == 0
    assert all(one["unchanged"] for one in said["outcomes"])
    assert {one["name"] for one in said["outcomes"]} == {
        "a.mkv",
        "a.mkv#shots",
        f"a.mkv#0-{CUT}",
        f"a.mkv#{CUT}-{FRAMES}",
    }


def test_workers_of_their_own_give_the_same_film(installed, tmp_path, recipe):
    film = video(tmp_path / "a.mkv")
    for name, how in (("one", ("--executor", "serial")), ("two", ("--executor", "dask"))):
        done = installed(
            "film", film, "--recipe", recipe, *how, "--workers", "2", "--output", tmp_path / name
        )
        assert done.returncode == 0, done.stderr
    assert decoded(tmp_path / "one" / "a.mkv") == decoded(tmp_path / "two" / "a.mkv")


def test_a_dry_run_lists_shots_and_writes_nothing(command, tmp_path, recipe):
    film = video(tmp_path / "a.mkv")
    done = command("film", film, "--recipe", recipe, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"frames 0 to {CUT - 1}" in done.stdout
    assert f"frames {CUT} to {FRAMES - 1}" in done.stdout
    said = json.loads(command("film", film, "--recipe", recipe, "--dry-run", "--json").stdout)
    assert said["films"][0]["frames"] == FRAMES
    assert said["films"][0]["shots"][1]["begins"] == pytest.approx(CUT / RATE, abs=1e-3)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.mkv", "film.toml"]


def test_a_preview_is_a_sheet_and_nothing_else(command, tmp_path, recipe):
    film, sheet = sequence(tmp_path / "scan"), tmp_path / "sheet.png"
    done = command("film", film, "--recipe", recipe, "--preview", sheet)
    assert done.returncode == 0, done.stderr
    assert "2 shots" in done.stdout
    picture = np.asarray(Image.open(sheet)).astype(int)
    assert np.ptp(picture, axis=2).max() > 20
    assert sorted(one.name for one in tmp_path.iterdir()) == ["film.toml", "scan", "sheet.png"]
    wrong = command("film", film, "--recipe", recipe, "--preview", tmp_path / "sheet.jpg")
    assert wrong.returncode == 2


@pytest.mark.parametrize("how", [(), ("--wipe",)])
def test_a_comparison_is_a_video_with_the_sound(command, tmp_path, recipe, how):
    import av

    film = video(tmp_path / "a.mkv", sound=True)
    assert command("film", film, "--recipe", recipe).returncode == 0
    result, shown = tmp_path / "a-colorized" / "a.mkv", tmp_path / "both.mkv"
    done = command("film", "compare", film, result, "--output", shown, *how)
    assert done.returncode == 0, done.stderr
    with av.open(str(shown)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == FRAMES
    assert frames[0].shape[1] == (64 if how else 128)
    middle = frames[FRAMES // 2].astype(int)
    colored = np.ptp(middle, axis=2)
    assert colored[:, :10].mean() < 8
    assert colored[:, -10:].mean() > 8
    again = command("film", "compare", film, result, "--output", shown)
    assert again.returncode == 2
    assert "exists" in again.stderr


def test_frames_are_compared_too(command, tmp_path, recipe):
    film = sequence(tmp_path / "scan", 8)
    assert command("film", film, "--recipe", recipe).returncode == 0
    result, shown = tmp_path / "scan-colorized" / "scan", tmp_path / "both.mp4"
    done = command("film", "compare", film, result, "--output", shown, "--rate", "12")
    assert done.returncode == 0, done.stderr
    assert len(decoded(shown)) == 8


def test_failures_and_misuse_have_their_codes(command, tmp_path, recipe):
    sound = tmp_path / "sound.mkv"
    import av

    with av.open(str(sound), "w") as container:
        voice = container.add_stream("pcm_s16le", rate=8000)
        voice.layout = "mono"
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        heard.sample_rate = 8000
        container.mux(voice.encode(heard))
        container.mux(voice.encode(None))
    done = command("film", sound, "--recipe", recipe)
    assert done.returncode == 7
    assert "sound.mkv has no pictures: it holds audio only" in done.stdout + done.stderr
    assert command("film", tmp_path / "none.mkv").returncode == 5
    film = sequence(tmp_path / "scan", 2)
    for wrong in (
        ("--smoothing", "2"),
        ("--codec", "divx"),
        ("--rate", "0"),
        ("--from", "now"),
        ("--dry-run", "--preview", "x.png"),
    ):
        assert command("film", film, *wrong).returncode == 2, wrong
    bad = tmp_path / "bad.toml"
    bad.write_text("[film]\nsmothing = 1\n")
    done = command("film", film, "--recipe", bad)
    assert done.returncode == 2
    assert "did you mean 'smoothing'" in done.stderr
