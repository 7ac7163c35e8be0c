import csv
from dataclasses import replace

import numpy as np
import pytest

from archive_colorizer.evaluation.dataset import Subject
from archive_colorizer.evaluation.metrics import PhotoFigures
from archive_colorizer.evaluation.runner import GREY
from archive_colorizer.evaluation.summary import summarize_groups, write_figures, write_summary

pytest.importorskip("scipy")

PLAIN = PhotoFigures(
    psnr=20, ab_psnr=22, ssim=0.9, ciede2000=10, colorfulness=0, truth=40, gap=40, b=0,
    luma_error=0,
)  # fmt: skip


@pytest.fixture
def figures():
    """Hard and easy photographs; the model is always a tenth better than grey."""
    hardness = np.random.default_rng(1).uniform(4, 20, 40)
    grey = [replace(PLAIN, ciede2000=float(one)) for one in hardness]
    model = [
        replace(one, ciede2000=0.9 * one.ciede2000, colorfulness=20.0, gap=20.0, luma_error=0.5)
        for one in grey
    ]
    return {GREY: grey, "m": model}


def table_of(figures, groups):
    return {(row.group, row.model): row for row in summarize_groups(figures, groups)}


def test_the_ratio_to_grey_is_paired(figures):
    row = table_of(figures, {"all": range(40)})["all", "m"]
    # How hard the photographs are is uncertain; how much better the model is, is not.
    assert row.estimates["ciede2000"].within > 1
    ratio = row.estimates["of_grey_percent"]
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((90, 90, 90))
    assert row.estimates["colorfulness_percent"].value == pytest.approx(50)
    assert row.estimates["gap"].value == pytest.approx(20)
    assert row.estimates["worse_percent"].value == 0
    assert row.worst_luma_error == 0.5


def test_photographs_worse_than_grey_are_counted(figures):
    spoiled = [
        replace(photo, ciede2000=photo.ciede2000 + (1 if n < 10 else -1))
        for n, photo in enumerate(figures[GREY])
    ]
    found = table_of({**figures, "m": spoiled}, {"all": range(40), "first": range(10)})
    assert found["all", "m"].estimates["worse_percent"].value == 25
    assert found["first", "m"].estimates["worse_percent"].value == 100
    assert found["all", GREY].estimates["worse_percent"].value == 0


def test_the_interval_is_that_of_the_mean(figures):
    errors = np.array([one.ciede2000 for one in figures[GREY]])
    found = table_of(figures, {"all": range(40)})["all", GREY].estimates["ciede2000"]
    assert found.value == pytest.approx(errors.mean())
    normal = 1.96 * errors.std() / np.sqrt(len(errors))
    assert found.within == pytest.approx(normal, rel=0.1)


def test_a_group_has_its_own_means_and_one_photograph_no_interval(figures):
    found = table_of(figures, {"all": range(40), "one": [3]})
    row = found["one", "m"]
    assert row.photos == 1
    assert row.estimates["ciede2000"].value == figures["m"][3].ciede2000
    assert np.isnan(row.estimates["ciede2000"].low)


def test_csv_files_hold_every_figure(figures, tmp_path):
    subjects = [Subject("s", f"{n}.jpg", np.zeros((7, 7, 3), np.uint8), {"k": "v"}) for n in "ab"]
    two = {model: found[:2] for model, found in figures.items()}
    write_figures(tmp_path / "f.csv", two, subjects)
    lines = list(csv.DictReader((tmp_path / "f.csv").open()))
    assert [(x["model"], x["photo"], x["k"]) for x in lines] == [
        (m, f"{n}.jpg", "v") for m in (GREY, "m") for n in "ab"
    ]
    assert float(lines[3]["ciede2000"]) == pytest.approx(figures["m"][1].ciede2000, abs=1e-4)

    write_summary(tmp_path / "s.csv", summarize_groups(two, {"all": [0, 1]}), {"m": (12.5, 3.25)})
    grey, model = csv.DictReader((tmp_path / "s.csv").open())
    assert (grey["milliseconds"], model["milliseconds"], model["megabytes"]) == (
        "",
        "12.50",
        "3.25",
    )
    assert float(model["of_grey_percent"]) == pytest.approx(90)
    assert float(model["ciede2000_low"]) <= float(model["ciede2000"])
