import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.fields import to_plain
from archive_colorizer.recipe.files import load_recipe
from archive_colorizer.recipe.presets import PRESETS
from archive_colorizer.recipe.recipe import Recipe

PIXELS = {
    "strength": 0.5,
    "saturation": 2.0,
    "hue": 30.0,
    "value": 0.5,
    "jpeg_quality": 80,
    "luma": "lossless",
    "profile": "keep",
    "format": "tiff",
    "page": 2,
    "mark": "corner",
    "sidecar": True,
    "c2pa": True,
    "source_type": "algorithmicallyEnhanced",
    "merge_mode": "luma-masked",
    "merge_weight": 0.25,
    "strength_shadows": 0.5,
    "strength_highlights": 0.5,
    "hue_range": [{"name": "reds", "shift": 5}],
    "blend": "soft-light",
    "working_size": 512,
    "sharpen": 0.5,
    "sharpen_radius": 2.0,
    "sharpen_threshold": 3.0,
    "reference_strength": 0.5,
    "reference_sha256": "0" * 64,
    "borders": "auto",
    "hint": [{"at": [3, 4], "color": "#8a5a44"}],
}
RUNNING = {
    "workers": 7,
    "device": "cpu",
    "executor": "serial",
    "scheduler": "tcp://host:8786",
    "tls_ca": "ca.pem",
    "tls_cert": "cert.pem",
    "tls_key": "key.pem",
    "timeout": 5.0,
    "max_memory": 2.0,
    "max_megapixels": 1.0,
    "time_budget": 7200.0,
    "nice": 10,
    "insecure": True,
    "force": True,
    "paranoid": True,
    "weak_grey": 0.02,
    "weak_one_color": 0.9,
    "weak_blotches": 0.01,
    "weak_clipped": 0.1,
    "weak_skin": 3.0,
    "cert": "c.pem",
    "key": "k.pem",
    "model": "other",
    "merge": "another",
    "preset": "none",
    "reference": "palette.jpg",
}


def test_every_setting_is_known_to_change_pixels_or_not():
    assert {one.name for one in dataclasses.fields(Recipe)} == {*PIXELS, *RUNNING}


@pytest.mark.parametrize(("name", "value"), PIXELS.items())
def test_what_changes_pixels_changes_the_digest(name, value):
    assert Recipe().apply({name: value}, "test").compute_digest() != Recipe().compute_digest()


@pytest.mark.parametrize(("name", "value"), RUNNING.items())
def test_what_does_not_change_pixels_does_not(name, value):
    assert Recipe().apply({name: value}, "test").compute_digest() == Recipe().compute_digest()


@pytest.mark.parametrize("written", ["2h", "120m", 7200, 7200.0, "7200"])
def test_a_time_budget_may_have_units(written):
    assert Recipe().apply({"time_budget": written}, "test").time_budget == 7200


def test_a_time_budget_that_is_none_is_named_with_its_place():
    with pytest.raises(UsageError, match=r"recipe x.toml: .*90m, 2h.*'tonight'"):
        Recipe().apply({"time_budget": "tonight"}, "recipe x.toml")


def test_a_file_is_read_and_whole_numbers_are_taken_for_floats(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('strength = 1\nsaturation = 1.5\ndevice = "cpu"\n')
    assert load_recipe(path) == Recipe(saturation=1.5, device="cpu")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("strenght = 1", "did you mean 'strength'"),
        ("zzz = 1", "known are preset, strength"),
        ("strength = 'much'", "strength must be float"),
        ("strength = true", "strength must be float"),
        ("workers = 1.5", "workers must be int"),
        ("strength = 1.01", "between 0 and 1"),
        ("hue = nan", "between -360 and 360"),
        ("max_megapixels = -1", "at least 0"),
        ("strength = ", "Invalid value"),
        ("\x00", "r.toml"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_the_reason(tmp_path, text, said):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        load_recipe(path)
    assert "r.toml" in str(caught.value)


def test_a_missing_or_binary_file_is_a_usage_error(tmp_path):
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("b.toml", "missing.toml"):
        with pytest.raises(UsageError, match=name):
            load_recipe(tmp_path / name)


@given(
    st.dictionaries(
        st.text(max_size=12), st.none() | st.booleans() | st.floats() | st.text(), max_size=3
    )
)
def test_any_settings_are_taken_or_refused(given):
    try:
        changed = Recipe().apply(given, "test")
    except UsageError as error:
        assert str(error).startswith("test: ")
    else:
        assert changed.as_dict() == {**Recipe().as_dict(), **given}


def test_a_preset_lies_below_its_file_and_both_below_the_options(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("strength = 0.3\npreset = 'faded'\n")
    look = PRESETS["faded"]
    assert load_recipe(path) == Recipe().apply({**look, "preset": "faded", "strength": 0.3}, "")
    vivid = load_recipe(path, {"preset": "vivid"})
    assert (vivid.strength, vivid.saturation) == (0.3, PRESETS["vivid"]["saturation"])
    assert load_recipe(path, {"strength": 0.9}).strength == 0.9


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_sound_look_and_the_next_one_leaves_nothing_of_it(name):
    chosen = Recipe().apply({"preset": name}, "test")
    for key, value in PRESETS[name].items():
        assert chosen.as_dict()[key] == to_plain(Recipe().apply({key: value}, "").as_dict()[key])
    again = Recipe(strength=0.1, hue=50.0).apply({"preset": name}, "test")
    assert (
        again.apply({"preset": "none", "hue": 0.0}, "test").compute_digest()
        == Recipe().compute_digest()
    )


def test_a_preset_that_is_none_is_refused():
    with pytest.raises(UsageError, match=r"test: preset must be one of none, .*vivid"):
        Recipe().apply({"preset": "gaudy"}, "test")
