import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_colorizer.color.space import compute_luma
from archive_colorizer.color.temporal import (
    LARGEST_ERROR,
    FilmFrameMask,
    add_neighbors,
    compute_reach,
    smooth_masks,
)
from tests.photographs import photograph

RED, BLUE = np.float32([-0.1, 0.3]), np.float32([0.3, -0.1])


def scene(size=64):
    """Luma with enough structure to follow, size x size."""
    luma = compute_luma(photograph("astronaut"))[100 : 100 + size, 150 : 150 + size]
    return luma.astype(np.float32) / 255


def noise(frames, height, width, seed=0):
    masks = np.random.default_rng(seed).normal(0, 0.1, (frames, height, width, 2))
    return masks.astype(np.float32)


def smoothed(masks, lumas, smoothing):
    seen = [FilmFrameMask.prepare(mask, luma) for mask, luma in zip(masks, lumas, strict=True)]
    return np.stack(list(smooth_masks(seen, smoothing)))


def painted(luma, *colors):
    return np.stack([np.broadcast_to(color, (*luma.shape, 2)).copy() for color in colors])


def test_no_smoothing_leaves_the_masks_alone():
    masks = noise(4, 64, 64)
    seen = [FilmFrameMask.prepare(mask, scene()) for mask in masks]
    assert all(map(np.array_equal, smooth_masks(seen, 0), masks))
    assert compute_reach(0) == 0


def test_a_film_without_frames_has_no_masks():
    assert not list(smooth_masks([], 0.7))


@pytest.mark.parametrize("smoothing", [0.2, 0.5, 0.7])
def test_in_a_constant_scene_noise_falls_as_two_exponentials_say(smoothing):
    masks = noise(2 * compute_reach(smoothing) + 1, 32, 32)
    middle = smoothed(masks, [scene(32)] * len(masks), smoothing)[len(masks) // 2]
    share = 1 - 20.0**-smoothing
    weights = share ** np.abs(np.arange(len(masks)) - len(masks) // 2)
    expected = np.tensordot(weights / weights.sum(), masks, 1)
    assert np.abs(middle - expected).max() < 1e-3
    factor = np.sqrt((1 - share) * (1 + share**2) / (1 + share) ** 3)
    assert middle.std() == pytest.approx(0.1 * factor, rel=0.05)


def test_each_frame_of_a_constant_color_keeps_it():
    masks = painted(scene(), *[RED] * 9)
    assert np.abs(smoothed(masks, [scene()] * 9, 0.7) - masks).max() < 1e-3


def test_a_moving_square_takes_its_color_along():
    """It is red in every second frame only; where it has been, nothing stays red."""
    texture = compute_luma(photograph("coffee")).astype(np.float32) / 255
    lumas, masks, places = [], [], []
    for at in range(12):
        luma, mask = 0.4 + 0.2 * scene(96), np.zeros((96, 96, 2), np.float32)
        place = (slice(30, 60), slice(10 + 3 * at, 40 + 3 * at))
        luma[place] = texture[150:180, 200:230]
        mask[place] = RED * (at % 2) * 2
        lumas.append(luma)
        masks.append(mask)
        places.append(place)
    result = smoothed(masks, lumas, 0.7)
    for at in range(2, 10):
        inner = tuple(slice(side.start + 6, side.stop - 6) for side in places[at])
        assert np.abs(result[at][inner].mean(axis=(0, 1)) - RED).max() < 0.05
        left = result[at][30:60, : max(places[at][1].start - 8, 1)]
        assert np.abs(left).mean() < 0.02


def test_nothing_comes_across_to_another_picture():
    """Two shots never come into one call, but a cut that was not found does little harm."""
    other = compute_luma(photograph("chelsea"))[100:164, 150:214].astype(np.float32) / 255
    masks = painted(scene(), *[RED] * 5, *[BLUE] * 5)
    result = smoothed(masks, [scene()] * 5 + [other] * 5, 0.7)
    assert np.abs(result - masks).mean() < 0.02
    averaged = smoothed(masks, [scene()] * 10, 0.7)
    assert np.abs(averaged - masks).mean() > 0.1


@pytest.mark.parametrize("light", ["flicker", "fade", "local"])
def test_changing_light_does_not_end_trust(light):
    frames = 12
    gains = {
        "flicker": 1 - 0.3 * (np.arange(frames) % 2),
        "fade": np.linspace(1, 0.25, frames),
        "local": np.ones(frames),
    }[light]
    shade = np.linspace(0.7, 1, 64, dtype=np.float32)
    lumas = [
        scene() * np.float32(gain) * (shade if light == "local" and at % 2 else 1)
        for at, gain in enumerate(gains)
    ]
    masks = noise(frames, 64, 64)
    steadied, ideal = smoothed(masks, lumas, 0.5), smoothed(masks, [scene()] * frames, 0.5)
    assert steadied.std() < 1.35 * ideal.std()


def test_grain_does_not_end_trust():
    grain = np.random.default_rng(1).normal(0, 0.03, (12, 64, 64)).astype(np.float32)
    masks = noise(12, 64, 64)
    grainy = smoothed(masks, np.clip(scene() + grain, 0, 1), 0.5)
    assert grainy.std() < 1.5 * smoothed(masks, [scene()] * 12, 0.5).std()


def test_the_order_of_time_does_not_matter():
    lumas = [np.roll(scene(), 2 * at, axis=1) for at in range(8)]
    masks = noise(8, 64, 64)
    there = smoothed(masks, lumas, 0.7)
    back = smoothed(masks[::-1], lumas[::-1], 0.7)[::-1]
    assert np.abs(there - back).max() < 2e-3


@pytest.mark.parametrize("smoothing", [0.3, 0.7])
def test_a_part_with_its_surroundings_is_as_the_whole(smoothing):
    halo = compute_reach(smoothing)
    frames = 2 * halo + 30
    lumas = [np.roll(scene(32), at // 2, axis=1) for at in range(frames)]
    masks = noise(frames, 32, 32)
    whole = smoothed(masks, lumas, smoothing)
    first, last = halo + 10, halo + 20
    around = add_neighbors(first, last, range(frames), smoothing)
    assert len(around) == 10 + 2 * halo
    part = smoothed(masks[around.start : around.stop], lumas[around.start : around.stop], smoothing)
    away = np.abs(part[first - around.start :][:10] - whole[first:last]).max()
    assert away <= LARGEST_ERROR * np.ptp(masks) + 1e-3


def test_surroundings_end_with_the_shot():
    assert add_neighbors(10, 20, range(5, 22), 0.7) == range(5, 22)
    assert add_neighbors(10, 20, range(1000), 0) == range(10, 20)


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    frames=st.integers(1, 5),
    smoothing=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=30)
def test_results_lie_within_what_the_masks_hold(shape, frames, smoothing, seed):
    """Of any size, dense inverse search's smallest included."""
    random = np.random.default_rng(seed)
    lumas = random.uniform(0, 1, (frames, *shape)).astype(np.float32)
    masks = random.uniform(-0.5, 0.5, (frames, *shape, 2)).astype(np.float16)
    result = smoothed(masks, lumas, smoothing)
    assert result.shape == masks.shape
    assert np.isfinite(result).all()
    assert result.min() >= masks.min() - 2e-3
    assert result.max() <= masks.max() + 2e-3
