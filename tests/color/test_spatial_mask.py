"""Where a mask is black the picture is grey, whatever is painted over it."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from archive_colorizer.color.blend import (
    ChromaField,
    blend_coded,
    blend_planes,
    blend_rgb,
    build_spatial_mask,
)
from archive_colorizer.color.space import compute_luma
from archive_colorizer.image.codecs.jpeg.codec import encode_jpeg
from archive_colorizer.image.raster import Metadata
from archive_colorizer.video.film import Codes
from tests.photographs import photograph

PLANES = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    elements=st.sampled_from([0, 90, 255]),
)


def vivid(share, shape=(16, 24)):
    """Much color everywhere, with a mask."""
    lines = np.zeros((*shape, 4), np.float32)
    lines[..., 2], lines[..., 3] = -0.2, 0.25
    return ChromaField(lines, (share,))


def read_rows(share, top, count, height, width):
    return vivid(share).sample_masks(top, count, height, width)


@given(PLANES, st.integers(1, 60), st.integers(1, 60))
def test_a_share_never_adds_color_and_black_stays_black(mask, height, width):
    share = build_spatial_mask(mask, height, width)
    assert share.shape == (min(mask.shape[0], height), min(mask.shape[1], width))
    if share.shape == mask.shape:
        assert (share <= mask).all()
    rows = read_rows(share, 0, height, height, width)
    assert rows.shape == (height, width)
    assert rows.min() >= 0
    assert rows.max() <= mask.max() / 255 + 1e-6
    assert rows.min() >= mask.min() / 255 - 1e-6


@given(st.integers(0, 255), st.integers(1, 50), st.integers(1, 50))
def test_an_even_mask_is_the_same_share_everywhere(value, height, width):
    share = build_spatial_mask(np.full((20, 30), value, np.uint8), height, width)
    assert np.allclose(read_rows(share, 0, height, height, width), value / 255)


@given(PLANES, st.integers(30, 60), st.integers(1, 29))
def test_strips_fit_together(mask, height, cut):
    share = build_spatial_mask(mask, height, 40)
    whole = read_rows(share, 0, height, height, 40)
    parts = [
        read_rows(share, 0, cut, height, 40),
        read_rows(share, cut, height - cut, height, 40),
    ]
    assert np.allclose(np.concatenate(parts), whole, atol=1e-6)


@given(PLANES)
def test_16_bits_say_the_same(mask):
    assert np.array_equal(
        build_spatial_mask(mask.astype(np.uint16) * 257, 50, 50), build_spatial_mask(mask, 50, 50)
    )


def spots(shape):
    """A mask of full size with black discs and lines of one pixel."""
    down, across = np.mgrid[: shape[0], : shape[1]]
    mask = np.full(shape, 255, np.uint8)
    mask[(down % 97 - 40) ** 2 + (across % 131 - 60) ** 2 < 900] = 0
    mask[:, 5] = 0
    mask[shape[0] // 2] = 0
    return mask


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_at_full_size_black_is_neutral_to_the_pixel_and_luma_is_kept(name):
    luma = compute_luma(photograph(name))
    mask = spots(luma.shape)
    rgb = blend_rgb(luma, vivid(build_spatial_mask(mask, *luma.shape)))
    assert (np.ptp(rgb.astype(int), axis=2)[mask == 0] == 0).all()
    assert np.ptp(rgb.astype(int), axis=2)[mask == 255].mean() > 5
    error = rgb.astype(float) @ [0.299, 0.587, 0.114] - luma
    assert np.abs(error).max() <= 1


def test_color_fades_outside_of_the_black_without_a_step_over_its_edge():
    luma = np.full((600, 900), 128, np.uint8)
    mask = np.full(luma.shape, 255, np.uint8)
    mask[:, :300] = 0
    rgb = blend_rgb(luma, vivid(build_spatial_mask(mask, *luma.shape))).astype(int)
    chroma = np.ptp(rgb, axis=2)[300]
    assert (chroma[:300] == 0).all()
    assert (np.diff(chroma) >= 0).all()
    assert 0 < chroma[301] < chroma[-1]
    assert chroma[306] == chroma[-1]


def test_a_jpeg_decoded_by_another_library_is_neutral_where_the_mask_is_black():
    luma = compute_luma(photograph("astronaut"))
    mask = spots(luma.shape)
    mask[:, 5] = mask[luma.shape[0] // 2] = 255
    cb, cr = blend_planes(luma, vivid(build_spatial_mask(mask, *luma.shape)))
    file = encode_jpeg(luma, cb, cr, Metadata(), 100)
    decoded = np.asarray(Image.open(io.BytesIO(file)).convert("YCbCr")).astype(int)
    assert np.abs(decoded[..., 1:][mask == 0] - 128).max() <= 2
    assert (cb[:, :] != 128).any()


@pytest.mark.parametrize("steps", [(1, 1), (1, 2), (2, 2), (4, 4)])
def test_other_samplings_are_neutral_where_the_mask_is_black(steps):
    luma = compute_luma(photograph("coffee"))
    mask = np.full(luma.shape, 255, np.uint8)
    mask[:, :101] = 0
    cb, _ = blend_coded(
        luma, vivid(build_spatial_mask(mask, *luma.shape)), Codes(8, False, "bt709"), steps
    )
    assert (cb[:, : -(-101 // steps[1])] == 128).all()
    assert (cb[:, 120 // steps[1] :] != 128).mean() > 0.5
