from pathlib import Path

import pytest

from archive_colorizer.recipe import Recipe, load_recipe

WORKFLOWS = Path(__file__).parent.parent / "workflows"
TRAINING = sorted(WORKFLOWS.glob("train-*.toml"))
RUNS = sorted(set(WORKFLOWS.glob("*.toml")) - set(TRAINING))


def test_there_are_workflows():
    assert RUNS
    assert TRAINING


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
def test_every_workflow_is_a_recipe_that_says_something(path):
    assert load_recipe(path) != Recipe()


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.name)
def test_every_training_workflow_is_a_training_recipe_with_a_known_network(path):
    pytest.importorskip("torch", reason="training needs the train extra")
    from archive_colorizer.training.network import build_network
    from archive_colorizer.training.recipe import TrainingRecipe, load_training_recipe

    recipe = load_training_recipe(path)
    assert recipe != TrainingRecipe()
    build_network(recipe.network, recipe.network_kwargs)
