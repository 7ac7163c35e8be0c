from dataclasses import replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("skimage", reason="photographs come with scikit-image")

from skimage import data  # noqa: E402
from skimage.color import deltaE_ciede2000, rgb2lab  # noqa: E402

from archive_colorizer.training.config import TrainingRecipe  # noqa: E402
from archive_colorizer.training.data.crops import (  # noqa: E402
    CropSampler,
    TrainingPhoto,
    to_planes,
)
from archive_colorizer.training.objective import (  # noqa: E402
    OBJECTIVES,
    compute_ciede2000,
    compute_consistency_loss,
    compute_doubt_loss,
    measure_chroma,
    to_lab,
    to_srgb,
)


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


def test_chroma_is_rewarded_only_in_the_direction_of_the_truth(scene):
    luma, chroma = scene

    def compute_reward(predicted):
        losses = [
            OBJECTIVES["aligned"](
                predicted, luma, chroma, replace(TrainingRecipe(), colorfulness_weight=weight)
            )
            for weight in (0.0, 1.0)
        ]
        return float(losses[0] - losses[1])

    assert compute_reward(0.5 * chroma) > 0.0
    assert compute_reward(-0.5 * chroma) < 0.0
    # Turned by a right angle, a color is neither right nor wrong.
    turned = torch.stack([-chroma[:, 1], chroma[:, 0]], 1)
    assert abs(compute_reward(0.5 * turned)) < 0.3 * compute_reward(0.5 * chroma)
    # More chroma than the truth has is no gain.
    assert compute_reward(1.5 * chroma) == pytest.approx(compute_reward(chroma), rel=0.05)


def test_views_of_the_truth_agree_and_others_do_not():
    photos = [
        TrainingPhoto("s", f"s/{name}.png", encode_png(getattr(data, name)()))
        for name in ("astronaut", "coffee", "chelsea")
    ]
    recipe = replace(TrainingRecipe(), consistency_weight=1.0)
    batch = CropSampler(photos, recipe).make_batch(0, 16, 96)
    luma, chroma, transforms = map(torch.from_numpy, (batch.luma, batch.chroma, batch.transforms))
    agreement = float(compute_consistency_loss(chroma, luma, transforms))
    elsewhere = transforms * torch.tensor([[-1.0], [1.0]])  # mirrored the other way
    assert agreement < 0.25 * float(compute_consistency_loss(chroma, luma, elsewhere))
    assert agreement < 0.02


def test_the_best_doubt_is_the_mean_error(scene):
    luma, chroma = scene
    predicted = 0.4 * chroma
    pooled = [torch.nn.functional.avg_pool2d(x, 2) for x in (luma, predicted, chroma)]
    labs = [to_lab(to_srgb(pooled[0], planes)) for planes in pooled[1:]]
    mean = float(compute_ciede2000(*labs).mean())
    losses = [
        float(
            compute_doubt_loss(
                torch.full_like(luma, float(np.log(mean * factor))), predicted, luma, chroma
            )
        )
        for factor in (0.7, 1.0, 1.4)
    ]
    assert min(losses) == losses[1]


def encode_png(picture):
    return cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))[1].tobytes()


def test_saturated_pixels_weigh_more_in_the_chroma_objective():
    luma = torch.full((1, 1, 8, 8), 0.5)
    plain = replace(TrainingRecipe(), average_weight=0.0)
    pale, rich = (torch.full((1, 2, 8, 8), value) for value in (0.02, 0.2))
    of = OBJECTIVES["chroma"]
    assert float(of(rich + 0.05, luma, rich, plain)) > 2 * float(of(pale + 0.05, luma, pale, plain))


def read_planes(name):
    luma, chroma = to_planes(np.ascontiguousarray(getattr(data, name)()[:128, :128]))
    return torch.from_numpy(luma)[None, None], torch.from_numpy(chroma)[None]


def pixels(x):
    return x.detach().permute(0, 2, 3, 1).numpy().astype(np.float64)[0]


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_srgb_and_lab_are_those_of_scikit_image(name):
    luma, chroma = read_planes(name)
    srgb = to_srgb(luma, chroma)
    photo = getattr(data, name)()[:128, :128] / 255.0
    np.testing.assert_allclose(pixels(srgb), photo, atol=2e-3)
    np.testing.assert_allclose(pixels(to_lab(srgb)), rgb2lab(pixels(srgb)), atol=0.02)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
@pytest.mark.parametrize("strength", [0.0, 0.7, -1.0])
def test_differences_are_those_of_scikit_image(name, strength):
    luma, chroma = read_planes(name)
    truth, made = (to_lab(to_srgb(luma, chroma * by)) for by in (1.0, strength))
    wanted = deltaE_ciede2000(pixels(truth), pixels(made))
    ours = compute_ciede2000(made, truth).numpy()[0]
    assert abs(ours.mean() - wanted.mean()) < 0.01
    # Near grey the published hue term itself jumps; a few pixels there may be off.
    assert np.quantile(np.abs(ours - wanted), 0.99) < 0.05


def test_published_pairs_come_out():
    """Sharma, Wu and Dalal's test data: rows 1, 4, 10, 17, 21 and 25."""
    pairs = [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0),
        ((50.0, -0.001, 2.49), (50.0, 0.0009, -2.49), 4.8045),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (50.0, 3.1736, 0.5854), 1.0),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ]
    first, second = (
        torch.tensor([pair[side] for pair in pairs]).T[None, :, None] for side in (0, 1)
    )
    made = compute_ciede2000(first, second)[0, 0]
    wanted = torch.tensor([pair[2] for pair in pairs])
    torch.testing.assert_close(made, wanted, atol=5e-3, rtol=1e-3)


def test_going_down_the_slope_finds_the_color():
    luma, chroma = read_planes("coffee")
    found = torch.zeros_like(chroma).add_(0.01).requires_grad_()
    truth = to_lab(to_srgb(luma, chroma))
    mover = torch.optim.Adam([found], lr=0.02)
    for _ in range(150):
        mover.zero_grad()
        loss = compute_ciede2000(to_lab(to_srgb(luma, found)), truth).mean()
        loss.backward()
        assert torch.isfinite(found.grad).all()
        mover.step()
    assert float(loss.detach()) < 1.0


def test_slopes_stay_finite_at_grey_and_outside_the_gamut():
    luma = torch.full((1, 1, 4, 4), 0.9)
    for value in (0.0, 0.5, -0.5):
        chroma = torch.full((1, 2, 4, 4), value, requires_grad=True)
        truth = to_lab(to_srgb(luma, torch.full((1, 2, 4, 4), 0.1)))
        srgb = to_srgb(luma, chroma)
        assert float(srgb.detach().min()) >= 0.0 and float(srgb.detach().max()) <= 1.0
        (
            compute_ciede2000(to_lab(srgb), truth).mean() + measure_chroma(to_lab(srgb)).mean()
        ).backward()
        assert torch.isfinite(chroma.grad).all()
    # The last color was far out of gamut: the slope must still lead back.
    assert (chroma.grad < 0).any()


def test_chroma_is_the_distance_from_grey():
    luma, chroma = read_planes("astronaut")
    lab = to_lab(to_srgb(luma, chroma))
    wanted = np.hypot(*(pixels(lab)[..., axis] for axis in (1, 2)))
    np.testing.assert_allclose(measure_chroma(lab).numpy()[0], wanted, atol=1e-2)
