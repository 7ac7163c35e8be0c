"""Hue ranges as they are written: in tables of a recipe, in options, by name."""

import numpy as np
import pytest

from archive_colorizer.color.correct import HueBand
from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.explain import TracedSettings, find_faults
from archive_colorizer.recipe.files import load_recipe
from archive_colorizer.recipe.hue_ranges import NAMED_RANGES, HueRange
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.recipe.schema import build_schema, parse_descriptions

WRITTEN = """
strength = 0.5
[[hue_range]]
from = 20
to = 60
soft = 10
shift = 5
saturation = 0.8
[[hue_range]]
name = "blues"
value = 1.2
[film]
smoothing = 0.5
"""
MEANT = (
    HueRange(from_=20.0, to=60.0, soft=10.0, shift=5.0, saturation=0.8),
    HueRange(from_=195.0, to=265.0, value=1.2),
)


def test_tables_and_options_mean_the_same(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(WRITTEN)
    assert load_recipe(path) == Recipe(strength=0.5, hue_range=MEANT)
    options = ("20-60: soft=10, shift=5, saturation=0.8", "blues:value=1.2")
    assert tuple(map(HueRange.parse, options)) == MEANT


def test_what_is_shown_can_be_read_back(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(WRITTEN)
    shown = tmp_path / "shown.toml"
    for only_changed in (False, True):
        shown.write_text(TracedSettings.trace(path, {"hue": 3.0}, {}).render_toml(only_changed))
        assert load_recipe(shown) == Recipe(strength=0.5, hue=3.0, hue_range=MEANT)
        assert find_faults(shown) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"from": 20}, "needs from and to"),
        ({"from": 20, "to": 20}, "are the same"),
        ({"from": 20, "to": 361}, "to must be between 0 and 360"),
        ({"from": 20, "to": 60, "softness": 3}, "did you mean 'soft'"),
        ({"name": "skin", "to": 60}, "one or the other"),
        ({"name": "teal"}, "name must be one of reds"),
        ({"name": ["skin"]}, "name must be one of reds"),
        ({"from": "red", "to": 60}, "from must be float"),
        (3, "must be a table"),
    ],
)
def test_wrong_ranges_are_refused_with_their_place(row, said):
    with pytest.raises(UsageError, match=rf"r\.toml: .*hue_range.*{said}"):
        Recipe().apply({"hue_range": [row]}, "r.toml")


@pytest.mark.parametrize("text", ["20", "20-x:shift=3", "skin:shift", "skin:shift=a", "", "-5:x=1"])
def test_wrong_options_are_refused(text):
    with pytest.raises(UsageError, match="hue range"):
        HueRange.parse(text)


def test_the_schema_takes_what_a_run_takes():
    jsonschema = pytest.importorskip("jsonschema", reason="the judge of schemas")
    judge = jsonschema.Draft7Validator(build_schema())
    good = [{"from": 20, "to": 60, "shift": 5}, {"name": "skin", "saturation": 0.9}]
    bad = [{"from": 20}, {"name": "skin", "to": 60}, {"name": "teal"}, {"from": 1, "to": 2, "x": 3}]
    assert judge.is_valid({"hue_range": good})
    for row in bad:
        assert not judge.is_valid({"hue_range": [row]})


def test_every_part_of_a_range_is_described():
    assert set(parse_descriptions(HueRange)) == {
        "from",
        "to",
        "soft",
        "shift",
        "saturation",
        "value",
    }


def test_named_ranges_divide_the_circle():
    hues = np.arange(0, 360, 0.25, dtype=np.float32)
    ranges = [HueRange.from_table({"name": name}, "") for name in NAMED_RANGES if name != "skin"]
    total = sum(HueBand(one.from_, one.width, one.soft).compute_weight(hues) for one in ranges)
    assert np.abs(total - 1).max() < 1e-5
