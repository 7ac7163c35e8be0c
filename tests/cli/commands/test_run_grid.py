"""`archive-colorize run PHOTO --grid`, as it is typed."""

import pytest
from PIL import Image


@pytest.mark.parametrize(
    "written",
    [
        ["--grid", "saturation=0.8,1", "strength=0.5,1"],
        ["--grid", "saturation=0.8,1 strength=0.5,1"],
        ["--grid", "saturation=0.8,1", "--grid", "strength=0.5,1"],
    ],
)
def test_all_ways_of_writing_a_grid(command, scans, model, tmp_path, written):
    sheet = tmp_path / "sheet.png"
    run = command("run", scans / "a.png", *written, "--output", sheet, "--model", model)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("4 pictures: ")
    with Image.open(sheet) as picture:
        assert picture.height > 640
    assert not scans.with_name("scans-colorized").exists()
    assert not (tmp_path / "a-colorized").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{scans}/a.png", "{scans}/b.jpg", "--output", "{scans}/../s.png"], "one photograph"),
        (["{scans}", "--output", "{scans}/../s.png"], "is no file"),
        (["{scans}/a.png"], "needs an --output"),
        (["{scans}/a.png", "--output", "{scans}/a.png"], "is no contact sheet"),
        (["{scans}/a.png", "--output", "{scans}/../s.jpg"], "must end with .png"),
    ],
)
def test_2_usage(command, scans, arguments, said):
    before = {one: one.stat().st_mtime_ns for one in scans.parent.rglob("*")}
    words = [one.format(scans=scans) for one in arguments]
    run = command("run", *words, "--grid", "hue=0,5")
    assert run.returncode == 2, run.stdout
    assert said in run.stderr
    assert {one: one.stat().st_mtime_ns for one in scans.parent.rglob("*")} == before
