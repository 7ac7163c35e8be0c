"""Settings next to the photographs, through the whole command."""

import json

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.report.marks import KIND
from tests.photographs import photograph


@pytest.fixture
def run(command, installed, scans, model):
    """A run over the scans; what it has newly recorded, by name."""

    def again(*arguments, code=0, executor="serial"):
        path = scans.with_name("scans-colorized") / "manifest.jsonl"
        before = len(path.read_text().splitlines()) if path.exists() else 0
        start = command if executor == "serial" else installed
        done = start("run", scans, "--model", model, "--executor", executor, "--json", *arguments)
        assert done.returncode == code, done.stderr
        lines = map(json.loads, path.read_text().splitlines()[before:])
        return {one["name"]: one for one in lines if one["kind"] == "outcome"}

    return again


def color_of(scans, name):
    with Image.open(scans.with_name("scans-colorized") / name) as picture:
        return np.ptp(np.asarray(picture.convert("RGB")).astype(int), axis=2).mean()


def test_each_photograph_gets_its_own_settings_and_only_it_is_made_again(run, scans):
    first = run()
    assert {name: one["state"] for name, one in first.items()} == dict.fromkeys(
        ("a.png", "b.jpg", "box/c.tif"), "done"
    )
    plain = color_of(scans, "a.png")
    (scans / "a.png.colorize.toml").write_text("strength = 0.5\n")
    assert set(run()) == {"a.png", "a.png.colorize.toml"}
    assert color_of(scans, "a.png") == pytest.approx(plain / 2, rel=0.1)
    (scans / "box" / "colorize.toml").write_text("saturation = 0\n")
    changed = run()
    assert set(changed) == {"box/c.tif", "box/colorize.toml"}
    assert color_of(scans, "box/c.tif") == 0
    assert changed["box/c.tif"]["own"]["names"] == ["box/colorize.toml"]
    assert changed["box/c.tif"]["own"]["settings"] == {"saturation": 0.0}
    assert run() == {}
    (scans / "box" / "colorize.toml").unlink()
    assert set(run()) == {"box/c.tif"}
    assert color_of(scans, "box/c.tif") > 1


def test_options_win_and_globs_lose_against_files(run, scans, tmp_path):
    recipe = tmp_path / "job.toml"
    recipe.write_text("[[override]]\nmatch = '**/*.tif'\nstrength = 0\nhue = 90\n")
    (scans / "box" / "colorize.toml").write_text("strength = 1\n")
    made = run("--recipe", recipe, "--hue", "10", executor="dask")["box/c.tif"]
    assert made["own"]["names"] == ["[[override]] **/*.tif", "box/colorize.toml"]
    assert made["own"]["settings"] == {}
    assert color_of(scans, "box/c.tif") > 1


def test_a_bad_file_fails_its_photographs_and_no_others(run, scans):
    place = scans / "box" / "colorize.toml"
    place.write_text("saturatoin = 1.2\n")
    found = run(code=7)
    assert found["box/c.tif"]["state"] == "failed"
    assert found["box/c.tif"]["reason"] == "usage"
    assert (
        "box/colorize.toml: unknown setting 'saturatoin'; did you mean 'saturation'?"
        in (found["box/c.tif"]["message"])
    )
    assert found["a.png"]["state"] == found["b.jpg"]["state"] == "done"
    place.write_text("saturation = 1.2\n")
    assert run()["box/c.tif"]["state"] == "done"


def test_a_link_is_not_followed_and_not_passed_over(run, scans, tmp_path):
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text("strength = 0.1\n")
    (scans / "a.png.colorize.toml").symlink_to(elsewhere)
    found = run(code=7)
    assert "it is a link" in found["a.png"]["message"]
    assert found["a.png.colorize.toml"]["reason"] == "symlink"
    assert found["b.jpg"]["state"] == "done"


def test_force_of_one_photograph(run, scans):
    Image.fromarray(photograph("rocket")).save(scans / "b.jpg")
    assert run()["b.jpg"]["reason"] == "already-color"
    (scans / "b.jpg.colorize.toml").write_text("force = true\n")
    assert run()["b.jpg"]["state"] == "done"


def test_reports_and_verify_know_the_settings_of_one(run, command, scans):
    (scans / "a.png.colorize.toml").write_text("mark = 'corner'\nstrength = 0.5\n")
    run()
    output = scans.with_name("scans-colorized")
    rows = command("report", output, "--format", "csv", "--output", output / "../t.csv")
    assert rows.returncode == 0, rows.stderr
    table = (output / "../t.csv").read_text()
    assert "a.png.colorize.toml" in table.splitlines()[1]
    checked = command("verify", output, "--deep")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_marked_photographs_are_made_again_with_their_own(run, scans, tmp_path):
    (scans / "a.png.colorize.toml").write_text("strength = 0\n")
    run()
    marked = tmp_path / "marked.json"
    marks = [{"name": "a.png", "mark": "redo"}]
    marked.write_text(json.dumps({"kind": KIND, "version": 1, "marks": marks}))
    found = run("--retry", marked)
    assert found["a.png"]["own"]["settings"] == {"strength": 0.0}
