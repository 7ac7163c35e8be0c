from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("skimage", reason="photographs come with scikit-image")

from skimage import data  # noqa: E402

from archive_colorizer.training.config import TrainingRecipe  # noqa: E402
from archive_colorizer.training.data.crops import to_planes  # noqa: E402
from archive_colorizer.training.objective import OBJECTIVES  # noqa: E402


@pytest.fixture(scope="module")
def scene():
    luma, chroma = to_planes(np.ascontiguousarray(data.coffee()[:128, :128]))
    return torch.from_numpy(luma)[None, None], torch.from_numpy(chroma)[None]


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_truth_is_best_and_nearer_is_better(scene, name):
    luma, chroma = scene
    losses = [
        float(OBJECTIVES[name](chroma * share, luma, chroma, TrainingRecipe()))
        for share in (1.0, 0.6, 0.2, -0.5)
    ]
    assert losses == sorted(losses)
    assert losses[0] < 0.05 * losses[2]


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_every_pixel_gets_a_slope(scene, name):
    luma, chroma = scene
    made = (0.5 * chroma + 0.01).requires_grad_()
    OBJECTIVES[name](made, luma, chroma, TrainingRecipe()).backward()
    assert torch.isfinite(made.grad).all()
    assert (made.grad != 0).float().mean() > 0.9


def test_dullness_costs_more_the_more_colorfulness_weighs(scene):
    luma, chroma = scene
    dull = [
        float(
            OBJECTIVES["perceived"](
                0.5 * chroma, luma, chroma, replace(TrainingRecipe(), colorfulness_weight=weight)
            )
        )
        for weight in (0.0, 0.1, 0.2)
    ]
    assert dull[1] - dull[0] == pytest.approx(dull[2] - dull[1], rel=1e-3)
    assert dull[1] > dull[0]


def test_saturated_pixels_weigh_more_in_the_chroma_objective():
    luma = torch.full((1, 1, 8, 8), 0.5)
    plain = replace(TrainingRecipe(), average_weight=0.0)
    pale, rich = (torch.full((1, 2, 8, 8), value) for value in (0.02, 0.2))
    of = OBJECTIVES["chroma"]
    assert float(of(rich + 0.05, luma, rich, plain)) > 2 * float(of(pale + 0.05, luma, pale, plain))
