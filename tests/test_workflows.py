from pathlib import Path

import pytest

from archive_colorizer.recipe import Recipe, load_recipe

WORKFLOWS = Path(__file__).parent.parent / "workflows"


def test_there_are_workflows():
    assert list(WORKFLOWS.glob("*.toml"))


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.toml")), ids=lambda path: path.name)
def test_every_workflow_is_a_recipe_that_says_something(path):
    assert load_recipe(path) != Recipe()
