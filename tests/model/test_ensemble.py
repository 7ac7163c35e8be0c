"""Two networks of other spaces, sizes and limits, whose masks become one."""

from dataclasses import replace

import numpy as np
import pytest

from archive_colorizer.color.space import compute_chroma
from archive_colorizer.film.colorize import restore_part
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.pipeline.request import find_models
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Shot, ShotPart
from archive_colorizer.records.outcomes import State
from archive_colorizer.restore.model_cache import load_ensemble
from archive_colorizer.restore.photo import restore_photo
from archive_colorizer.video.film import Layout
from tests.film.restored_films import LIMITED, MemoryFilm, pan
from tests.model.networks import CONTRACT, constant_model, digest, speaking
from tests.restore.studio import Studio, grey, luma_error

CBCR, RGB = (-0.02, 0.04), (0.5, 0.6, 0.45)


@pytest.fixture
def models(tmp_path):
    """A model that speaks CbCr at 64 pixels, and one that speaks RGB in squares, one by one."""
    spoken = speaking(CONTRACT, "grey-rgb", "rgb")
    square = replace(spoken.input, size=96, resize="square")
    other = replace(spoken, name="other", licence="MIT", input=square, max_batch=1)
    return (
        constant_model(tmp_path / "one.onnx", CBCR),
        constant_model(tmp_path / "two.onnx", RGB, other),
    )


def wanted(weight=0.5):
    second = compute_chroma(np.array([[RGB]], dtype=np.float32))[0, 0]
    return (1 - weight) * np.array(CBCR) + weight * second


def workplace(studio, models, **settings):
    recipe = Recipe(model=str(models[0]), merge=str(models[1]), **settings)
    place = studio.workplace(models[0])
    return replace(place, recipe=recipe, **find_models(recipe))


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_a_photograph_gets_the_color_of_both(tmp_path, models, weight):
    studio = Studio(tmp_path)
    luma = np.clip(grey("chelsea"), 70, 180)
    studio.put("cat.png", luma)
    place = workplace(studio, models, merge_weight=weight)
    outcome = restore_photo(studio.job("cat.png"), place)
    assert outcome.state is State.DONE, outcome.message
    result = studio.result("cat.png")
    assert luma_error(result, luma) <= 1
    found = compute_chroma((result / 255).astype(np.float32))
    assert np.abs(found - wanted(weight)).max() < 0.006


def test_both_digests_are_in_the_outcome_and_in_the_file(tmp_path, models):
    studio = Studio(tmp_path)
    studio.put("cat.png", grey("chelsea"))
    place = workplace(studio, models)
    both = f"{digest(models[0])}+{digest(models[1])}"
    assert place.models_sha256 == both
    assert restore_photo(studio.job("cat.png"), place).model_sha256 == both
    content = (studio.output / "cat.png").read_bytes()
    assert f"constant + other sha256 {both}".encode() in content
    ensemble = load_ensemble(place)
    assert (ensemble.name, ensemble.licence) == ("constant + other", "Apache-2.0 + MIT")
    assert ensemble.limit_batch(8) == 1


def test_a_film_gets_the_color_of_both(models):
    ensemble = Ensemble(tuple(map(open_colorizer, models)))
    film = MemoryFilm(pan("coffee", 4))
    shot = Shot(0, 4)
    for smoothing in (0.0, 0.7):
        frames = list(
            restore_part(
                film, ShotPart(shot, 0, 4), ensemble, Recipe(), smoothing, Layout(LIMITED, "4:4:4")
            )
        )
        middle = (frames[0].luma > 80) & (frames[0].luma < 170)
        cb = (frames[0].cb[middle].astype(float) - 128) / 224
        assert np.abs(cb - wanted()[0]).max() < 0.006
