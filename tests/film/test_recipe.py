"""The settings that only films have, in a recipe's table of their own."""

import dataclasses
import re
from fractions import Fraction

import pytest

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.explain import TracedSettings, find_faults
from archive_colorizer.recipe.files import load_recipe, load_recipes
from archive_colorizer.recipe.film_shots import ShotSettings, load_shots
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe
from archive_colorizer.records.jobs import JobContext

PIXELS = {"smoothing": 0.2, "codec": "ffv1", "rate": "25"}
RUNNING = {"shortest": 30, "longest": 100, "allow_missing": True}


def test_every_setting_is_known_to_change_pixels_or_not():
    assert {one.name for one in dataclasses.fields(FilmRecipe)} == {*PIXELS, *RUNNING}


@pytest.mark.parametrize(("name", "value"), [*PIXELS.items(), *RUNNING.items()])
def test_what_changes_pixels_changes_the_digest_of_the_workplace(name, value):
    plain, film = FilmRecipe(), FilmRecipe().apply({name: value}, "test")
    places = [JobContext("o", "w", Recipe(), "m", "0", film=one) for one in (plain, film)]
    assert (places[0].settings != places[1].settings) is (name in PIXELS)


def test_photographs_keep_the_digest_that_they_had():
    assert JobContext("o", "w", Recipe(), "m", "0").settings == Recipe().compute_digest()


def test_a_file_holds_both(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("strength = 0.5\n[film]\nsmoothing = 1\nrate = 25\n")
    recipe, film = load_recipes(path)
    assert recipe == load_recipe(path) == Recipe(strength=0.5)
    assert film == FilmRecipe(smoothing=1.0, rate="25")
    assert film.parse_rate() == 25
    assert load_shots(path) == ()


def test_settings_of_single_shots(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("[film]\nsmoothing = 1\n[[film.shot]]\nframe = 50\nhue = 5\n")
    assert load_recipes(path) == (Recipe(), FilmRecipe(smoothing=1.0))
    (shot,) = load_shots(path)
    assert shot == ShotSettings(frame=50, hue=5.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("film = 3", "must be a table"),
        ("[film]\nsmothing = 1", "did you mean 'smoothing'"),
        ("[film]\nsmoothing = 1.5", "between 0 and 1"),
        ("[film]\nlongest = 2", "at least 16"),
        ("[film]\nrate = 0", "rate must be frames a second"),
        ("[film]\nrate = '24000/0'", "rate must be frames a second"),
        ("[film]\ncodec = 'divx'", "codec must be one of"),
        ("[film]\nallow_missing = 1", "must be bool"),
        ("[film]\nshot = 3", r"must be a table, \[\[film.shot\]\]"),
    ],
)
def test_a_wrong_table_is_refused_by_every_command(tmp_path, text, said):
    path = tmp_path / "r.toml"
    path.write_text(text)
    for load in (load_recipe, load_recipes):
        with pytest.raises(UsageError, match=said) as caught:
            load(path)
        assert "r.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[film]\nshot = [3]", "must be a table"),
        ("[[film.shot]]\nstrength = 0.5", "needs a frame"),
        ("[[film.shot]]\nframe = -1", "needs a frame"),
        ("[[film.shot]]\nframe = 1\nstrength = 2", "between 0 and 1"),
        ("[[film.shot]]\nframe = 1\nstrenght = 1", "did you mean 'strength'"),
    ],
)
def test_wrong_settings_of_a_shot_are_refused_and_found_by_the_check(tmp_path, text, said):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        load_shots(path)
    assert "r.toml" in str(caught.value)
    assert re.search(said, " ".join(find_faults(path)))


def test_a_shown_recipe_has_its_shots(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(
        '[[film.shot]]\nframe = 50\nmodel = "m\\"1"\n[[film.shot]]\nframe = 9\nhue = 3\n'
    )
    shown = tmp_path / "shown.toml"
    shown.write_text(TracedSettings.trace(path, {}, {}).render_toml())
    assert load_shots(shown) == load_shots(path)
    assert find_faults(shown) == []


def test_rates_are_exact():
    assert FilmRecipe(rate="24000/1001").parse_rate() == Fraction(24000, 1001)
    assert FilmRecipe().parse_rate() is None
