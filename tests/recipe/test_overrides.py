"""Overrides: which settings one photograph has in the end, and who may say so."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.explain import find_faults
from archive_colorizer.recipe.files import load_recipe
from archive_colorizer.recipe.overrides import (
    MAX_FILE_BYTES,
    GlobOverride,
    OverrideRules,
    parse_glob_overrides,
    parse_override,
)
from archive_colorizer.recipe.presets import PRESETS
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.recipe.schema import build_schema

FREE = OverrideRules()


def effective(recipe, *layers, fixed=()):
    own = OverrideRules(fixed=frozenset(fixed)).resolve(recipe, [("x", one) for one in layers])
    return recipe if own is None else own.apply_to(recipe)


def test_the_nearest_wins_setting_by_setting():
    folder, below, photo = {"hue": 1.0, "saturation": 0.5}, {"hue": 2.0}, {"strength": 0.3}
    assert effective(Recipe(value=1.1), folder, below, photo) == Recipe(
        value=1.1, hue=2.0, saturation=0.5, strength=0.3
    )


def test_options_win_over_all():
    recipe = load_recipe(None, {"hue": 9.0})
    made = effective(recipe, {"hue": 1.0, "saturation": 0.5}, fixed={"hue"})
    assert made == Recipe(hue=9.0, saturation=0.5)


def test_a_preset_of_an_override_is_the_whole_look():
    outer = {"preset": "faded", "hue": 3.0}
    made = effective(Recipe(strength=0.2, saturation=2.0), outer, {"preset": "vivid"})
    assert made == Recipe().apply({**PRESETS["vivid"], "preset": "vivid", "hue": 3.0}, "")


def test_a_preset_given_as_an_option_takes_the_place_of_all_presets():
    recipe = load_recipe(None, {"preset": "vivid"})
    made = effective(recipe, {"preset": "faded", "hue": 3.0}, fixed={"preset"})
    assert made == Recipe().apply({"preset": "vivid", "hue": 3.0}, "")


def test_a_preset_of_an_override_leaves_other_options_alone():
    recipe = load_recipe(None, {"strength": 0.25})
    made = effective(recipe, {"preset": "faded"}, fixed={"strength"})
    assert made.strength == 0.25
    assert made.saturation == PRESETS["faded"].get("saturation", 1.0)


def test_own_settings_hold_what_differs_and_who_said_so():
    own = FREE.resolve(Recipe(hue=1.0), [("a", {"hue": 1.0}), ("b", {"hue_range": [SKIN]})])
    assert own is not None
    assert own.names == ("a", "b")
    assert set(own.settings) == {"hue_range"}
    assert own.run == Recipe(hue=1.0).compute_digest()
    assert own.apply_to(Recipe(hue=1.0)) == Recipe(hue=1.0).apply({"hue_range": [SKIN]}, "")
    assert FREE.resolve(Recipe(), []) is None


SKIN = {"name": "skin", "saturation": 0.8}


def test_settings_that_cannot_stand_together_are_refused():
    with pytest.raises(UsageError, match="choose one of them"):
        FREE.resolve(Recipe(luma="lossless"), [("a.toml", {"sharpen": 0.5})])
    assert effective(Recipe(luma="lossless"), {"sharpen": 0.5, "luma": "encoded"}).sharpen == 0.5


def check_costs(recipe, settings, fixed=()):
    layers = [("box/colorize.toml", settings)]
    OverrideRules(fixed=frozenset(fixed)).check_costs(recipe, layers)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"working_size": 4096}, "working_size 4096 .* which is 1024;"),
        ({"sharpen_radius": 50.0}, "sharpen_radius 50 .* which is 10;"),
        ({"hue_range": [SKIN] * 65}, "hue_range with 65 tables .* which is 64;"),
        ({"hint": [{}] * 1025}, "hint with 1025 tables .* which is 1024;"),
    ],
)
def test_a_file_among_the_scans_cannot_ask_for_any_work(settings, said):
    with pytest.raises(UsageError, match=rf"^box/colorize\.toml: {said} set it in the recipe"):
        check_costs(Recipe(), settings)
    check_costs(Recipe(), settings, fixed=settings)


def test_a_file_may_set_twice_what_the_run_does():
    with pytest.raises(UsageError, match="working_size 2048"):
        check_costs(Recipe(working_size=1000), {"working_size": 2048})
    check_costs(Recipe(working_size=1024), {"working_size": 2048})
    check_costs(Recipe(), {"working_size": 1024, "sharpen_radius": 10, "hue_range": [SKIN] * 64})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"workers = 3", "workers is a setting of the whole run"),
        (b"model = 'x'", "model is a setting of the whole run"),
        (b"reference_sha256 = ''", "reference_sha256 is a setting of the whole run"),
        (b"c2pa = true", "c2pa is a setting of the whole run"),
        (b"saturatoin = 1.2", "did you mean 'saturation'"),
        (b"strength = 7", "between 0 and 1"),
        (b"[film]\nsmoothing = 1", "unknown setting 'film'"),
        (b"strength = ", "Invalid value"),
        (b"\xff", "decode"),
        (b"a = " + b"[" * 5000, "a.toml"),
        (b"#" * (MAX_FILE_BYTES + 1), "no file of settings"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_name(text, said):
    with pytest.raises(UsageError, match=rf"^a\.toml.*{said}|^a\.toml"):
        try:
            parse_override(text, "a.toml")
        except UsageError as error:
            assert re.search(said, str(error))
            raise


@given(st.binary(max_size=60))
def test_any_bytes_are_settings_or_refused(data):
    try:
        parse_override(data, "a.toml")
    except UsageError as error:
        assert str(error).startswith("a.toml")


@pytest.mark.parametrize(
    ("glob", "meant", "others"),
    [
        ("portraits/**", ["portraits/a.jpg", "portraits/x/y.jpg"], ["portraits", "a/portraits/b"]),
        ("**/portraits/*", ["portraits/a", "x/y/portraits/a"], ["portraits/a/b", "aportraits/a"]),
        ("*.jpg", ["a.jpg", "[1].jpg"], ["a/b.jpg", "a.jpgx"]),
        ("**/*.jpg", ["a.jpg", "x/y/b.jpg"], ["a.png"]),
        ("box ?/[ab]*.tif", ["box 1/a.tif", "box 2/bcd.tif"], ["box 1/c.tif", "box 12/a.tif"]),
        ("[!a].tif", ["b.tif", "!.tif"], ["a.tif", "/.tif"]),
        ("a.b+c(1).tif", ["a.b+c(1).tif"], ["aXb+c(1).tif"]),
        ("[x", ["[x"], ["x"]),
        ("new\nline*", ["new\nline.jpg"], ["newline.jpg"]),
    ],
)
def test_globs(glob, meant, others):
    assert [one for one in (*meant, *others) if GlobOverride(glob, {}).is_match(one)] == meant


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_glob_is_one(glob, path):
    GlobOverride(glob, {}).is_match(path)


def test_tables_of_a_recipe(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(
        "hue = 2\n[[override]]\nmatch = 'p/**'\npreset = 'portrait'\n"
        "[[override]]\nmatch = '**/*.tif'\nforce = true\n"
    )
    overriding = OverrideRules.load(path, {"strength": 0.5})
    assert [one.glob for one in overriding.globs if one.is_match("p/a.tif")] == ["p/**", "**/*.tif"]
    assert overriding.fixed == {"strength"}
    assert load_recipe(path) == Recipe(hue=2.0)
    assert find_faults(path) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[override]]\nhue = 3", "needs a match"),
        ("[[override]]\nmatch = 3", "needs a match"),
        ("[[override]]\nmatch = 'a'\nhue = 900", "between -360 and 360"),
        ("[[override]]\nmatch = 'a'\nworkers = 3", "of the whole run"),
        ("[[override]]\nmtch = 'a'", "needs a match"),
        ("[[override]]\nmatch = 'a'\nheu = 3", "did you mean 'hue'"),
        ("[override]\nmatch = 'a'", "must be a table"),
    ],
)
def test_wrong_tables_are_refused_and_found_by_the_check(tmp_path, text, said):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        OverrideRules.load(path, {})
    assert "r.toml" in str(caught.value)
    try:
        assert re.search(said, " ".join(find_faults(path)))
    except UsageError as error:  # of a table that is no list, as by a run
        assert re.search(said, str(error))


def test_the_schema_knows_what_may_be_overridden():
    jsonschema = pytest.importorskip("jsonschema", reason="the judge of schemas")
    judge = jsonschema.Draft7Validator(build_schema())
    assert judge.is_valid({"override": [{"match": "a/**", "preset": "faded", "force": True}]})
    for bad in ({"preset": "faded"}, {"match": "a", "workers": 3}, {"match": ""}):
        assert not judge.is_valid({"override": [bad]})
    assert [one.glob for one in parse_glob_overrides([{"match": "a"}], "")] == ["a"]


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    content = "\ufeffstrength = 0.5\n".encode()
    assert parse_override(content, "x") == {"strength": 0.5}
    (tmp_path / "recipe.toml").write_bytes(content)
    assert load_recipe(tmp_path / "recipe.toml").strength == 0.5
