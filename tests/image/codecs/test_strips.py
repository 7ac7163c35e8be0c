"""Strips give what the whole gives, to the code."""

import numpy as np
import pytest

from archive_colorizer.color.space import compute_luma
from archive_colorizer.image.codecs.planes import allocate_plane
from archive_colorizer.image.codecs.preview import PreviewBuilder, make_preview
from archive_colorizer.image.codecs.strips import Strips, build_raster
from archive_colorizer.image.metadata.color_space import to_srgb
from archive_colorizer.image.metadata.model import SourceMetadata, turn_upright
from tests.image.files import deep, small
from tests.image.profiles import GREY, RGB

SIDES = [
    (1, 1),
    (3, 2600),
    (2600, 1),
    (300, 400),
    (512, 512),
    (700, 1111),
    (1024, 2048),  # whole numbers of pixels to one, both ways
    (1301, 1536),  # one way
    (1536, 1000),  # the other
    (1018, 1024),
]
ROWS = [1, 7, 100, 4000]


def noise(height, width, depth, channels=3):
    chance = np.random.default_rng(height * width)
    return chance.integers(0, np.iinfo(depth).max, (height, width, channels), depth, endpoint=True)


def parts(samples, rows):
    return (samples[top : top + rows].copy() for top in range(0, len(samples), rows))


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_preview_of_strips_is_that_of_the_whole(sides, depth):
    rgb = noise(*sides, depth)
    for rows in ROWS[sides[0] > 1000 :]:
        preview = PreviewBuilder(*sides, rgb.dtype)
        for strip in parts(rgb, rows):
            preview.add(strip)
        assert np.array_equal(preview.finish(), make_preview(rgb))


def gathered(samples, rows, found, alpha=None):
    strips = Strips(samples.shape[:2], samples.dtype, parts(samples, rows))
    return strips.build_raster(alpha, found, "tiff", "srgb")


@pytest.mark.parametrize("icc", [None, RGB["adobe rgb"], GREY["gamma 2.2"], b"no profile"])
@pytest.mark.parametrize("deepened", [False, True])
@pytest.mark.parametrize("colored", [range(600), range(2), range(597, 600), ()], ids=str)
def test_where_the_color_begins_does_not_matter(icc, deepened, colored):
    """Rows above the first color are grey as long as nothing else is known."""
    rgb = np.repeat(np.resize(small()[..., :1], (600, 300, 1)), 3, axis=2)
    rgb = deep(rgb) if deepened else rgb
    rgb[list(colored), ::3, 0] //= 2
    found = SourceMetadata(icc=icc)
    whole = build_raster(rgb.copy(), None, found, "tiff", "srgb")
    assert (whole.preview is None) == (not colored)
    shown = to_srgb(rgb, icc) if whole.converted and icc[16:20] == b"RGB " else rgb
    if whole.preview is not None:
        assert np.array_equal(whole.luma, compute_luma(shown))
        assert np.array_equal(whole.preview, make_preview(shown))
    for rows in ROWS:
        once = gathered(rgb, rows, found)
        assert np.array_equal(once.luma, whole.luma) and once.luma.dtype == rgb.dtype
        assert once.warnings == whole.warnings and once.metadata == whole.metadata
        if colored:
            assert np.array_equal(once.preview, whole.preview)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_that_lies_is_upright_and_was_not_copied(turn):
    found = SourceMetadata(orientation=turn)
    stored = allocate_plane((30, 50), np.dtype(np.uint16), found)
    stored[:] = noise(30, 50, np.uint16)[..., 0]
    shown = turn_upright(stored, turn)
    assert np.array_equal(shown, turn_upright(stored.copy(), turn))
    assert shown.flags.c_contiguous and np.shares_memory(shown, stored)
    samples = noise(300, 500, np.uint16)
    raster = gathered(samples, 7, found)
    assert np.array_equal(raster.luma, turn_upright(compute_luma(samples), turn))


def test_alpha_is_what_stands_behind_the_colors():
    samples = noise(90, 70, np.uint16, 5)
    alpha = np.empty((90, 70), np.uint16)
    strips = Strips((90, 70), samples.dtype, parts(samples, 8)).split_alpha(3, alpha)
    raster = strips.build_raster(alpha, SourceMetadata(orientation=6), "tiff", "srgb")
    assert np.array_equal(np.rot90(samples[..., 3], -1), raster.alpha)
    assert np.array_equal(np.rot90(compute_luma(samples[..., :3]), -1), raster.luma)
