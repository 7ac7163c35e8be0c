"""Borders are found and content is not cut, on frames of every kind around real photographs."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_colorizer.color.analysis.borders import find_content
from archive_colorizer.color.space import compute_luma
from tests.photographs import NAMES, photograph

TONES = {"black": 12, "white": 242, "album": 70, "paper": 215}


@dataclass
class Framed:
    """A picture in a frame: its luma, and where it is the photograph."""

    luma: np.ndarray
    content: np.ndarray
    tone: int

    def cut(self, found):
        """Share of the photograph that is taken for border, and of the border that is found.

        What has the border's own tone nobody can tell from it: it does not count as lost.
        """
        kept = np.ones(self.luma.shape, bool) if found is None else _whole(found, self.luma.shape)
        unlike = np.abs(self.luma.astype(int) - self.tone) > 26
        return (~kept)[self.content & unlike].mean(), (~kept)[~self.content].mean()


def _whole(found, shape):
    return cv2.resize(found, shape[::-1], interpolation=cv2.INTER_LINEAR) > 127


def framed(name, tone, width=60, grain=3.0, seed=0):
    """An even frame with a little grain."""
    photo = compute_luma(photograph(name))
    shape = photo.shape[0] + 2 * width, photo.shape[1] + 2 * width
    rng = np.random.default_rng(seed)
    luma = TONES[tone] + rng.normal(0, grain, shape)
    content = np.zeros(shape, bool)
    content[width:-width, width:-width] = True
    luma[content] = photo.reshape(-1)
    return Framed(np.clip(luma, 0, 255).astype(np.uint8), content, TONES[tone])


def tilted(one, degrees, tone):
    height, width = one.luma.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    luma = cv2.warpAffine(one.luma, turn, (width, height), borderValue=TONES[tone])
    content = cv2.warpAffine(one.content.astype(np.uint8), turn, (width, height))
    return Framed(luma, content > 0, TONES[tone])


@pytest.mark.parametrize("tone", TONES)
@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_an_even_frame_is_found_and_the_photograph_kept(name, tone):
    one = framed(name, tone)
    lost, found = one.cut(find_content(one.luma))
    assert lost < 0.02
    assert found > 0.9


@pytest.mark.parametrize("degrees", [-3, -1.5, 1, 2.5])
@pytest.mark.parametrize("tone", ["black", "white"])
def test_a_tilted_frame_is_found(degrees, tone):
    one = tilted(framed("astronaut", tone, width=70), degrees, tone)
    lost, found = one.cut(find_content(one.luma))
    assert lost < 0.02
    assert found > 0.75


@pytest.mark.parametrize("tone", ["black", "white"])
def test_a_rough_edge_is_followed(tone):
    one = framed("chelsea", tone)
    rng = np.random.default_rng(2)
    wander = np.cumsum(rng.normal(0, 0.6, one.luma.shape[1]))
    wander = np.clip(np.rint(wander - wander.mean()), -3, 6).astype(int)
    for column, more in enumerate(wander):
        rows = slice(0, 60 + more)
        one.luma[rows, column] = TONES[tone]
        one.content[rows, column] = False
    lost, found = one.cut(find_content(one.luma))
    assert lost < 0.02
    assert found > 0.9


def test_round_corners_belong_to_the_frame():
    one = framed("astronaut", "white")
    height, width = one.luma.shape
    down, across = np.mgrid[:height, :width]
    corner = (
        one.content & (down < 90) & (across < 90) & ((down - 90) ** 2 + (across - 90) ** 2 > 900)
    )
    one.luma[corner] = TONES["white"]
    one.content[corner] = False
    found = find_content(one.luma)
    lost, _ = one.cut(found)
    assert lost < 0.02
    assert (~_whole(found, one.luma.shape))[corner].mean() > 0.6


def test_captions_and_sprocket_holes_do_not_hide_a_border():
    one = framed("coffee", "black")
    for at in range(20, one.luma.shape[1] - 30, 42):
        one.luma[18:40, at : at + 18] = 250
        one.luma[-40:-18, at : at + 18] = 250
    cv2.putText(one.luma, "No. 1423 N.Y.", (40, 52), 0, 0.6, 230, 2)
    lost, found = one.cut(find_content(one.luma))
    assert lost < 0.02
    assert found > 0.9


def test_a_mount_on_a_scanner_bed_is_peeled_twice():
    one = framed("astronaut", "paper", width=50)
    luma = np.full((one.luma.shape[0] + 80, one.luma.shape[1] + 80), 8, np.uint8)
    luma[40:-40, 40:-40] = one.luma
    content = np.zeros(luma.shape, bool)
    content[90:-90, 90:-90] = True
    both = Framed(luma, content, TONES["paper"])
    lost, found = both.cut(find_content(luma))
    assert lost < 0.02
    assert found > 0.9


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("turns", range(4))
def test_a_photograph_without_a_border_keeps_everything(name, turns):
    luma = np.ascontiguousarray(np.rot90(compute_luma(photograph(name)), turns))
    assert find_content(luma) is None


def skies():
    """Pictures whose rims are even: sky over land, a night with a lamp, a gradient, a wall."""
    rng = np.random.default_rng(1)
    down, across = np.mgrid[:300, :400]
    ground = cv2.blur(rng.normal(90, 60, (300, 400)), (5, 5))
    horizon = 80 + 12 * np.sin(across / 40) + 6 * np.sin(across / 11)
    yield "sky", np.where(down < horizon, 225 + rng.normal(0, 3, (300, 400)), ground)
    yield "sea", np.where(down < 60, 235, 90 + rng.normal(0, 12, (300, 400)))
    yield "night", 10 + 220 * np.exp(-((down - 150) ** 2 + (across - 190) ** 2) / 1800)
    yield "vignette", 200 - 190 * np.hypot((down - 150) / 150, (across - 200) / 200)
    yield "gradient", 255 * down / 300
    yield "even", np.full((300, 400), 128.0)
    yield "black", np.zeros((300, 400))
    yield "grain", rng.normal(120, 30, (300, 400))


@pytest.mark.parametrize(
    ("kind", "luma"), list(skies()), ids=lambda one: one if type(one) is str else ""
)
def test_skies_nights_and_walls_are_no_borders(kind, luma):
    assert find_content(np.clip(luma, 0, 255).astype(np.uint8)) is None, kind


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["astronaut", "chelsea", "coffee"]),
    st.sampled_from(sorted(TONES)),
    st.integers(0, 90),
    st.floats(-4, 4),
    st.floats(0, 8),
    st.integers(0, 9),
)
def test_content_is_never_cut_by_more_than_a_small_share(name, tone, width, degrees, grain, seed):
    one = framed(name, tone, max(width, 1), grain, seed)
    one = tilted(one, degrees, tone)
    lost, _ = one.cut(find_content(one.luma))
    assert lost < 0.04


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3), (20, 20)])
def test_any_shape_will_do(shape):
    assert find_content(np.zeros(shape, np.uint16)) is None


def test_16_bits_say_the_same():
    one = framed("astronaut", "black")
    deep = find_content(one.luma.astype(np.uint16) * 257)
    assert np.array_equal(deep, find_content(one.luma))
