import csv

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from archive_colorizer.cli.commands.evaluate import command
from archive_colorizer.color.space import compute_chroma
from archive_colorizer.evaluation.dataset import group_subjects, load_subjects
from archive_colorizer.evaluation.runner import GREY, measure, restore_subjects
from archive_colorizer.evaluation.summary import summarize_groups
from archive_colorizer.recipe.recipe import Recipe
from tests.model.networks import constant_model
from tests.photographs import photograph

pytest.importorskip("skimage")


def crop(name):
    return photograph(name)[:160, :192]


@pytest.fixture
def places(tmp_path):
    """Two sets with a photograph of the same name, which is of something else."""
    for place, name in (("a", "chelsea"), ("b", "coffee")):
        (tmp_path / place).mkdir()
        Image.fromarray(crop(name)).save(tmp_path / place / "p.jpg", quality=95)
    return [tmp_path / "a", tmp_path / "b"]


@pytest.fixture
def model(tmp_path):
    """Knows nothing but the mean color of the two."""
    chroma = [
        compute_chroma(crop(n).astype(np.float32) / 255).reshape(-1, 2)
        for n in ("chelsea", "coffee")
    ]
    return str(constant_model(tmp_path / "mean.onnx", tuple(np.concatenate(chroma).mean(axis=0))))


def test_a_model_that_knows_the_mean_color_beats_grey(places, model):
    subjects = load_subjects(places)
    figures = measure(restore_subjects([model], subjects, Recipe(executor="serial")), subjects)
    assert list(figures) == [GREY, model]
    table = {
        (row.group, row.model): row.estimates
        for row in summarize_groups(figures, group_subjects(subjects))
    }
    assert table["all", model]["of_grey_percent"].value < 95
    assert table["all", model]["luma_error"].value <= 1
    # Each set's own photograph came back, although both have one name.
    assert table["set a", model]["truth"].value != table["set b", model]["truth"].value
    assert table["set b", model]["ssim"].value > 0.5


def test_the_command_writes_what_it_says(places, model, tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text('executor = "serial"\n')
    output = tmp_path / "out"
    given = [model, "--recipe", recipe, "--output", output, "--curve", "--stability"]
    for place in places:
        given += ["--data", place]
    result = CliRunner().invoke(command, [str(one) for one in given], catch_exceptions=False)
    assert result.exit_code == 0
    assert {"set a", "set b"} <= {
        line.split(" (")[0].strip() for line in result.output.splitlines()
    }
    assert max(len(line) for line in result.output.splitlines() if "±" in line) <= 100
    assert "ms a picture on one core" in result.output
    assert Image.open(output / "sheet.png").width > 3 * 192
    # One color for every picture cannot change with the picture.
    assert "crop of a tenth 0.0" in result.output
    lines = list(csv.DictReader((output / "figures.csv").open()))
    measured = [GREY, model, *(f"{model} at {percent} %" for percent in (50, 75, 125))]
    assert [(x["model"], x["set"]) for x in lines] == [(m, s) for m in measured for s in "ab"]
    colorful = [float(x["colorfulness"]) for x in lines if x["set"] == "a"]
    assert colorful[0] < colorful[2] < colorful[3] < colorful[1] < colorful[4]
    assert len(list(csv.DictReader((output / "summary.csv").open()))) == len(measured) * 3
