"""Settings that explain themselves: what is shown is what a run would use."""

import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.explain import TracedSettings, find_faults
from archive_colorizer.recipe.files import load_recipes
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe
from archive_colorizer.recipe.schema import build_schema, parse_descriptions
from tests.locations import REPOSITORY_ROOT

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def written(folder: Path, text: str, name: str = "r.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_each_setting_says_who_decided_it(tmp_path):
    file = written(tmp_path, "strength = 0.5\nhue = 10\n[film]\nsmoothing = 0.2\n")
    traced = TracedSettings.trace(file, {"hue": 20.0}, {"rate": "24000/1001"})
    assert traced.recipe == Recipe(strength=0.5, hue=20.0)
    assert traced.film == FilmRecipe(smoothing=0.2, rate="24000/1001")
    origins = {name: traced.origins[name] for name in ("strength", "hue", "value")}
    assert origins == {"strength": str(file), "hue": "command line", "value": "default"}
    origins = {name: traced.film_origins[name] for name in ("smoothing", "rate", "codec")}
    assert origins == {"smoothing": str(file), "rate": "command line", "codec": "default"}


@given(model=ANY_TEXT, strength=st.floats(0, 1), timeout=st.floats(0), film=st.floats(0, 1))
def test_what_is_shown_can_be_read_back(tmp_path_factory, model, strength, timeout, film):
    recipe = Recipe(model=model, strength=strength, timeout=timeout)
    options = {"model": model, "strength": strength, "timeout": timeout}
    traced = TracedSettings.trace(None, options, {"smoothing": film})
    for only_changed in (False, True):
        file = written(tmp_path_factory.mktemp("r"), traced.render_toml(only_changed))
        assert load_recipes(file) == (recipe, FilmRecipe(smoothing=film))


def test_a_hostile_file_name_stays_in_its_comment():
    origins = {one.name: "a\nstrength = 0.1\x00" for one in fields(Recipe)}
    text = TracedSettings(Recipe(), FilmRecipe(), origins, {}).render_toml()
    assert tomllib.loads(text)["strength"] == 1.0


def test_only_what_was_changed(tmp_path):
    traced = TracedSettings.trace(written(tmp_path, "hue = 5\n"), {}, {})
    assert tomllib.loads(traced.render_toml(only_changed=True)) == {"hue": 5.0}
    assert TracedSettings.trace(None, {}, {}).render_toml(only_changed=True).strip() == ""


def test_all_faults_are_told_not_the_first_only(tmp_path):
    file = written(
        tmp_path, "strenght = 1\nhue = 900\nluma = 'dim'\n[film]\nrate = 'fast'\nzzz = 1\n"
    )
    said = "\n".join(find_faults(file))
    for part in ("did you mean 'strength'", "between -360", "luma must be", "fast", "'zzz'"):
        assert part in said
    assert len(find_faults(file)) == 5
    with pytest.raises(UsageError, match=r"r\.toml"):
        find_faults(written(tmp_path, "hue ="))


def test_settings_that_cannot_stand_together_are_a_fault(tmp_path):
    (fault,) = find_faults(written(tmp_path, "sharpen = 0.5\nluma = 'lossless'\n"))
    assert "choose one of them" in fault


def test_a_recipe_of_training_is_told_apart():
    file = REPOSITORY_ROOT / "workflows" / "train-celeba-vgg.toml"
    assert len(find_faults(file)) == 1
    assert "train" in find_faults(file)[0]


def test_every_setting_is_described():
    for kind in (Recipe, FilmRecipe):
        assert set(parse_descriptions(kind)) == {one.name for one in fields(kind)}
        assert all(len(said) > 8 for said in parse_descriptions(kind).values())


def test_the_schema_is_one():
    jsonschema = pytest.importorskip("jsonschema", reason="the judge of schemas")
    jsonschema.Draft7Validator.check_schema(build_schema())


VALUES = st.one_of(
    st.booleans(),
    st.floats(allow_nan=False).filter(lambda x: not x.is_integer()),
    st.integers(-400, 400),
    ANY_TEXT,
    st.sampled_from(
        ["cpu", "lossless", "tiff", "corner", "h264", "24", "24000/1001", "2h", " 1H30m ", "1h30"]
    ),
)


@given(
    name=st.sampled_from(["nonsense", *(one.name for one in fields(Recipe))]),
    film_name=st.sampled_from(["nonsense", *(one.name for one in fields(FilmRecipe))]),
    value=VALUES,
    film_value=VALUES,
)
def test_the_schema_and_a_run_agree(name, film_name, value, film_value):
    jsonschema = pytest.importorskip("jsonschema", reason="the judge of schemas")
    judge = jsonschema.Draft7Validator(build_schema())
    assert judge.is_valid({name: value}) == taken(Recipe(), name, value)
    if film_name != "rate":  # how fast is no matter of its form
        assert judge.is_valid({"film": {film_name: film_value}}) == taken(
            FilmRecipe(), film_name, film_value
        )


def taken(settings, name, value):
    try:
        settings.apply({name: value}, "test")
    except UsageError:
        return False
    return True


def test_a_setting_that_changes_nothing_keeps_its_origin_as_given():
    traced = TracedSettings.trace(None, {"strength": 1.0}, {})
    assert traced.origins["strength"] == "command line"
    assert replace(traced.recipe) == Recipe()
