"""Every kind of film through the whole command, and every kind of bad one."""

import json
import shutil
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.video.reader import open_film
from archive_colorizer.video.sequence.source import list_frame_paths
from tests.video import clips

pytest.importorskip("scenedetect", reason="film needs PySceneDetect")

SEQUENCES = ("png8", "png16", "tiff8", "tiff16", "jpeg", "dpx10", "dpx12")
UNEVEN = [sum((33, 40, 77)[one % 3] for one in range(at)) for at in range(24)]


@pytest.fixture
def recipe(tmp_path, model):
    path = tmp_path / "film.toml"
    path.write_text(
        f'model = "{model}"\nexecutor = "serial"\ndevice = "cpu"\n'
        "[film]\nshortest = 4\nsmoothing = 0.3\n"
    )
    return path


def test_sequences_of_every_kind_stay_what_they_are(command, tmp_path, recipe):
    films = [clips.write_sequence(tmp_path / kind, kind, count=4) for kind in SEQUENCES]
    out = tmp_path / "out"
    done = command("film", *films, "--recipe", recipe, "--output", out)
    assert done.returncode == 0, done.stdout + done.stderr
    for film in films:
        before, after = open_film(film), open_film(out / film.name)
        assert after.facts.has_color
        for same in ("file_format", "codes", "frames", "width", "height"):
            assert getattr(after.facts, same) == getattr(before.facts, same), (film, same)
        names = [[one.name for one in list_frame_paths(at)] for at in (film, out / film.name)]
        assert names[0] == names[1]
    header = (out / "dpx10" / "f.8.dpx").read_bytes()[1920:1924]
    assert header == b"\x01\x02\x03\x04"
    check = command("verify", out, "--deep")
    assert check.returncode == 0, check.stdout
    assert f"frames of films compared: {4 * len(films)}" in check.stdout


def test_a_video_keeps_all_that_it_holds(command, tmp_path, recipe):
    film = clips.write_video(
        tmp_path / "reel.mkv", "libx264", rate=Fraction(24), sound="pcm_s16le",
        subtitles="subrip", chapters=["One", "Two"], metadata={"title": "A film"},
        timecode="01:02:03:04", aspect=Fraction(16, 15), options={"qp": "0"},
    )  # fmt: skip
    uneven = clips.write_video(tmp_path / "uneven.mkv", pixels="gray10le", times=UNEVEN)
    out = tmp_path / "out"
    done = command(
        "film", film, uneven, "--recipe", recipe, "--output", out, "--codec", "ffv1", "--json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [one for one in json.loads(done.stdout)["outcomes"] if one["warnings"]]
    for path in (film, uneven):
        before, after = open_film(path).facts, open_film(out / path.name).facts
        assert (after.codec, after.codes) == ("ffv1", before.codes)
        assert after.pixel_aspect == before.pixel_aspect
        told = [round(after.get_seconds(at) / before.time_base) for at in range(after.frames)]
        assert told == [time - before.times[0] for time in before.times]
    kinds = ("audio", "subtitle")
    assert inside(out / "reel.mkv", kinds) == inside(film, kinds)
    with clips.av.open(str(out / "reel.mkv")) as container:
        assert container.metadata["title"] == "A film"
        assert [one["metadata"]["title"] for one in container.chapters()] == ["One", "Two"]
        assert container.streams.video[0].metadata["TIMECODE"] == "01:02:03:04"
    check = command("verify", out, "--deep")
    assert check.returncode == 0, check.stdout
    assert "luma identical: 2 of 2 files" in check.stdout


def inside(path, kinds):
    with clips.av.open(str(path)) as container:
        streams = [one for one in container.streams if one.type in kinds]
        return [bytes(packet) for packet in container.demux(*streams) if packet.size]


def bad_films(folder):
    """Each with words of what must be said of it."""
    (folder / "text.mkv").write_text("a letter, and no film at all\n" * 40)
    yield "text.mkv", ("text.mkv", "no video")
    clips.write_sound(folder / "sound.mkv")
    yield "sound.mkv", ("sound.mkv", "audio only")
    with clips.av.open(str(folder / "empty.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    yield "empty.mkv", ("empty.mkv", "no frames")
    whole = clips.write_video(folder / "index.mp4", "libx264", count=12).read_bytes()
    (folder / "index.mp4").write_bytes(whole[: whole.index(b"moov") - 4])
    yield "index.mp4", ("index.mp4", "index is damaged")
    for name in ("gap", "mixed", "unnumbered", "nothing", "torn"):
        clips.write_sequence(folder / name, "png8", count=5)
    (folder / "gap" / "f.10.png").unlink()
    yield "gap", ("gap", "frames 10 are missing")
    Image.new("L", (50, 48)).save(folder / "mixed" / "f.10.png")
    yield "mixed", ("frame 10", "f.10.png", "50 x 48", "64 x 48")
    (folder / "unnumbered" / "f.10.png").rename(folder / "unnumbered" / "poster.png")
    yield "unnumbered", ("poster.png", "no number")
    shutil.rmtree(folder / "nothing")
    (folder / "nothing").mkdir()
    yield "nothing", ("nothing", "no numbered pictures")
    torn = folder / "torn" / "f.11.png"
    torn.write_bytes(torn.read_bytes()[:400])
    yield "torn", ("torn", "frame 11", "f.11.png")


def test_bad_films_are_named_with_their_frames(command, tmp_path, recipe):
    films = tmp_path / "films"
    films.mkdir()
    bad = dict(bad_films(films))
    good = clips.write_sequence(films / "good", "png8", count=4)
    out = tmp_path / "out"
    given = [*(films / name for name in bad), good]
    done = command("film", *given, "--recipe", recipe, "--output", out, "--json")
    assert done.returncode == 7, done.stderr
    outcomes = json.loads(done.stdout)["outcomes"]
    for name, words in bad.items():
        failed = [
            one for one in outcomes
            if one["name"].split("#")[0] == name and one["state"] == "failed"
        ]  # fmt: skip
        assert failed, name
        said = " ".join(one["message"] for one in failed)
        assert all(word in said for word in words), said
        assert not (out / name).exists()
    assert (out / "good").is_dir()
    kept = command("film", *given, "--recipe", recipe, "--output", out, "--allow-missing", "--json")
    states = {one["name"]: one["state"] for one in json.loads(kept.stdout)["outcomes"]}
    assert kept.returncode == 7
    assert states["gap"] == states["torn"] == "done"
    assert states["torn#3-4"] == "failed"


def test_a_cut_film_says_how_much_was_promised(command, tmp_path, recipe):
    film = clips.write_video(tmp_path / "cut.avi", count=24)
    data = film.read_bytes()
    film.write_bytes(data[: len(data) // 2])
    done = command("film", film, "--recipe", recipe)
    assert done.returncode == 7
    assert "cut.avi: the file is cut: its header says 24 frames" in done.stderr
    assert "cut.avi: frame 10 cannot be decoded" in done.stderr
    done = command("film", film, "--recipe", recipe, "--allow-missing", "--json")
    (film_outcome,) = [
        one for one in json.loads(done.stdout)["outcomes"] if one["name"] == "cut.avi"
    ]
    assert (done.returncode, film_outcome["frames"]) == (7, 11)
    assert "frame 10 is a neighbor in grey" in film_outcome["warnings"][0]


def test_settings_of_single_shots_by_recipe_and_by_list(command, tmp_path, recipe):
    from tests.film.samples import CUT, FRAMES, sequence

    film = sequence(tmp_path / "scan")
    own = tmp_path / "own.toml"
    own.write_text(recipe.read_text() + "[[film.shot]]\nframe = 3\nstrength = 0\n")
    for how, neutral in (
        (("--recipe", own), range(CUT)),
        (("--recipe", recipe, "--shots", tmp_path / "own.csv"), range(CUT, FRAMES)),
    ):
        (tmp_path / "own.csv").write_text(f"first,last,strength\n0,{CUT},\n{CUT},{FRAMES},0\n")
        done = command("film", film, *how, "--output", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        pictures = [
            np.asarray(Image.open(one)) for one in sorted((tmp_path / "out/scan").iterdir())
        ]
        grey = [at for at, one in enumerate(pictures) if np.ptp(one.astype(int), axis=2).max() == 0]
        assert grey == list(neutral)


@pytest.mark.parametrize("kind", ["a.mkv", "scan"])
def test_a_stretch_of_time_of_both_kinds(command, tmp_path, recipe, kind):
    from tests.film.samples import decoded, sequence, video

    film = video(tmp_path / kind) if kind == "a.mkv" else sequence(tmp_path / kind)
    out, rate = tmp_path / "out", () if kind == "a.mkv" else ("--rate", "12")
    span = ("--from", "0:00:00.5", "--to", "1.5")
    listed = command("film", film, "--recipe", recipe, *rate, *span, "--dry-run")
    assert "12 frames" in listed.stdout
    done = command("film", film, "--recipe", recipe, *rate, *span, "--output", out)
    assert done.returncode == 0, done.stderr
    if kind == "a.mkv":
        assert len(decoded(out / "a.mkv")) == 12
    else:
        names = sorted(one.name for one in (out / "scan").iterdir())
        assert names == [f"f_{number:04}.png" for number in range(13, 25)]
