"""Masks, known colors and a reference, through the whole command."""

import json

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.records.json_lines import parse_outcome
from tests.photographs import photograph


def outcomes(output):
    """The newest outcome of each file."""
    lines = (output / "manifest.jsonl").read_bytes().splitlines()
    return {one.name: one for one in map(parse_outcome, lines) if one}


def summary(result):
    assert result.returncode in (0, 7), result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def told(scans):
    """The scans with a mask for one, strokes for another, points for the third."""
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(scans / "a.png.mask.png")
    layer = np.zeros((427, 640, 4), np.uint8)
    layer[200:220, 300:320] = (200, 40, 30, 255)
    Image.fromarray(layer).save(scans / "b.hints.png")
    points = scans / "box" / "c.tif.colorize.toml"
    points.write_text('[[hint]]\nat = [300, 180]\ncolor = "#3a7a3a"\nradius = 8\n')
    return scans


def test_only_the_photograph_whose_companion_changes_is_new(
    command, installed, told, model, tmp_path
):
    output = tmp_path / "out"
    run = ["run", told, "--output", output, "--model", model, "--json"]
    first = summary(installed(*run, "--workers", "2"))
    assert (first["done"], first["skipped"], first["failed"]) == (3, 3, 0)
    known = outcomes(output)
    assert known["a.png.mask.png"].message == "a.png.mask.png is the mask of a.png"
    assert known["b.hints.png"].reason == "companion"
    assert known["box/c.tif"].own.settings["hint"][0]["at"] == [300, 180]
    assert all(one.sha256 for name in ("a.png", "b.jpg") for one in known[name].beside)
    grey = np.asarray(Image.open(output / "a.png").convert("RGB")).astype(int)
    assert np.ptp(grey, axis=2).max() == 0
    run += ["--executor", "serial"]
    again = summary(command(*run))
    assert (again["done"], again["unchanged"]) == (0, {"done": 3, "skipped": 3, "failed": 0})
    with (told / "box" / "c.tif.colorize.toml").open("a") as points:
        points.write('[[hint]]\nat = [10, 10]\ncolor = "#203070"\n')
    assert summary(command(*run))["done"] == 1
    assert outcomes(output)["box/c.tif"].source_stamp == known["box/c.tif"].source_stamp
    assert outcomes(output)["b.jpg"] == known["b.jpg"]
    (told / "a.png.mask.png").unlink()
    assert summary(command(*run))["done"] == 1
    colored = np.asarray(Image.open(output / "a.png").convert("RGB")).astype(int)
    assert np.ptp(colored, axis=2).mean() > 5
    (told / "b.hints.png").write_bytes(b"half")
    broken = summary(command(*run))
    assert broken["failures"] == {"guide": 1}
    assert "b.hints.png" in broken["first_failures"][0]["message"]


def test_a_reference_moves_all_and_its_content_counts(command, scans, model, tmp_path):
    output, reference = tmp_path / "out", tmp_path / "palette.png"
    Image.fromarray(photograph("rocket")).save(reference)
    run = ["run", scans, "--output", output, "--model", model, "--json", "--executor", "serial"]
    assert summary(command(*run))["done"] == 3
    plain = (output / "a.png").read_bytes()
    given = [*run, "--reference", reference]
    assert summary(command(*given))["done"] == 3
    assert (output / "a.png").read_bytes() != plain
    assert summary(command(*given))["done"] == 0
    reference.rename(tmp_path / "moved.png")
    assert summary(command(*run, "--reference", tmp_path / "moved.png"))["done"] == 0
    Image.fromarray(photograph("coffee")).save(reference)
    assert summary(command(*given))["done"] == 3
    recipe = [
        json.loads(line)["recipe"]
        for line in (output / "manifest.jsonl").read_text().splitlines()
        if '"kind": "provenance"' in line
    ][-1]
    assert recipe["reference"] == str(reference)
    assert len(recipe["reference_sha256"]) == 64


def test_a_grey_reference_is_refused_before_anything_is_done(command, scans, tmp_path):
    result = command("run", scans, "--output", tmp_path / "out", "--reference", scans / "a.png")
    assert result.returncode == 2
    assert "a.png is grey; give a photograph in color" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", [("--borders", "auto"), ("--reference", "x.jpg")])
def test_films_say_that_these_are_for_photographs(command, tmp_path, option):
    result = command("film", tmp_path / "reel.mkv", *option)
    assert result.returncode == 2
    assert "is for photographs and not for films; leave it out" in result.stderr


def test_two_roots_have_companions_of_their_own(command, scans, model, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.png").write_bytes((scans / "a.png").read_bytes())
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(other / "a.mask.png")
    output = tmp_path / "out"
    run = ["run", scans, other, "--output", output, "--model", model, "--json"]
    assert summary(command(*run, "--executor", "serial"))["done"] == 4
    one, two = (
        np.ptp(np.asarray(Image.open(output / root / "a.png").convert("RGB")).astype(int), axis=2)
        for root in ("scans", "other")
    )
    assert one.mean() > 5
    assert two.max() == 0
