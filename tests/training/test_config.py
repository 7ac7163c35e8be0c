import tomllib
from dataclasses import asdict

import pytest

from archive_colorizer.errors import UsageError
from archive_colorizer.training.config import Aging, Phase, TrainingRecipe
from tests.locations import REPOSITORY_ROOT

SHIPPED = REPOSITORY_ROOT / "models" / "default.toml"


def test_the_shipped_recipe_is_read_and_says_something_on_every_line():
    recipe = TrainingRecipe.load(SHIPPED)
    written = tomllib.loads(SHIPPED.read_text())
    assert len(recipe.phases) == len(written["phases"])
    assert recipe.families["books"] == ("openstax", "openstax_until_2026")
    assert recipe.aging == Aging(**written["aging"])
    assert recipe.rate == written["rate"]


def test_settings_survive_the_way_through_a_checkpoint():
    recipe = TrainingRecipe.load(SHIPPED)
    assert TrainingRecipe().replace_settings(asdict(recipe), "checkpoint") == recipe


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("saturation_wieght = 2.0", "did you mean 'saturation_weight'"),
        ("[aging]\ngrian = 0.1", "did you mean 'grain'"),
        ("[[phases]]\nshare = 1.0\nsize = 100\nbatch = 4", "multiple of 32"),
        ("[aging]\nfade = 2.0", "aging.fade"),
        ("[aging]\nborder = 0.5", "aging.border must be between 0 and 0.3"),
        ("[aging]\ndust_share = -0.1", "aging.dust_share"),
        ("phases = []", "at least one phase"),
        ("seed = 1.5", "seed must be int"),
        ("ema = 1.5", "ema"),
        ("rate = nan", "rate"),
        ("aging = 3", "aging must be a table"),
        ("working_size = 250", "multiple of 32"),
        ("rate = ", "mine.toml"),
    ],
)
def test_a_wrong_recipe_is_refused_by_name(tmp_path, text, named):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=named) as caught:
        TrainingRecipe.load(path)
    assert "mine.toml" in str(caught.value)


def test_phases_follow_one_another_by_their_shares():
    recipe = TrainingRecipe(
        phases=(Phase(share=3, size=64, batch=4), Phase(share=1, size=96, batch=2))
    )
    sizes = [recipe.get_phase(progress).size for progress in (0.0, 0.74, 0.76, 1.0)]
    assert sizes == [64, 64, 96, 96]


def test_two_views_need_even_batches():
    with pytest.raises(UsageError, match="even batch"):
        TrainingRecipe(consistency_weight=0.3, phases=(Phase(share=1.0, size=64, batch=5),))
    TrainingRecipe(phases=(Phase(share=1.0, size=64, batch=5),))
