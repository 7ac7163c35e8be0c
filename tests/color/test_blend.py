import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_colorizer.color.blend import (
    ChromaField,
    blend_coded,
    blend_planes,
    blend_rgb,
)
from archive_colorizer.color.gamut import ChromaUpsampler, FullRange
from archive_colorizer.color.resample import shrink
from archive_colorizer.color.space import build_rgb_matrix, compute_chroma, compute_luma
from archive_colorizer.video.film import Codes
from tests.photographs import NAMES, at_16_bits, photograph


def field_of(rgb, size=64):
    """The field that a perfect network of a small working size would give for a photograph."""
    small = cv2.resize(
        rgb.astype(np.float32) / np.iinfo(rgb.dtype).max, (size, size), interpolation=cv2.INTER_AREA
    )
    return ChromaField.fit(compute_chroma(small), shrink(compute_luma(rgb), size, size))


def enlarged(field, luma, top=0, rows=None):
    """The chroma (n x W x 2) that the blend gives each pixel of some rows, before it is rounded."""
    upsampler = ChromaUpsampler(field.lines, FullRange(8 * luma.itemsize), *luma.shape)
    end = luma.shape[0] if rows is None else top + rows
    found = []
    for first in range(top, end, upsampler.strip_rows):
        strip = luma[first : min(first + upsampler.strip_rows, end)]
        red, blue = upsampler.compute_offsets(first, strip, strip, strip)
        found.append(np.stack([blue / upsampler.cb_to_blue, red / upsampler.cr_to_red], axis=2))
    return np.concatenate(found)


def codes(luma):
    """Luma of 0 to 1 in 16 bits."""
    return np.rint(luma * 65535).astype(np.uint16)


def wild_field(seed, size=8):
    """Colors far outside the gamut."""
    lines = np.random.default_rng(seed).uniform(-0.6, 0.6, (size, size, 4)).astype(np.float32)
    return ChromaField(lines)


def luma_error(luma, rgb):
    exact = rgb.astype(np.float64) @ [0.299, 0.587, 0.114]
    return np.abs(exact - luma).max()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("deepen", [np.asarray, at_16_bits], ids=["8 bits", "16 bits"])
def test_luma_is_kept_within_one_code_value(name, deepen):
    rgb = deepen(photograph(name))
    luma = compute_luma(rgb)
    restored = blend_rgb(luma, field_of(rgb))
    assert restored.dtype == luma.dtype
    assert luma_error(luma, restored) <= 0.51


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@given(seed=st.integers(0, 2**31))
@settings(max_examples=25)
def test_luma_is_kept_however_wild_the_color(dtype, seed):
    noise = np.random.default_rng(seed)
    luma = noise.integers(0, np.iinfo(dtype).max, (37, 41), endpoint=True).astype(dtype)
    assert luma_error(luma, blend_rgb(luma, wild_field(seed))) <= 0.51


@pytest.mark.parametrize("name", NAMES)
def test_no_color_gives_the_neutral_original(name):
    luma = compute_luma(photograph(name))
    nothing = ChromaField(np.zeros((8, 8, 4), dtype=np.float32))
    assert np.array_equal(blend_rgb(luma, nothing), np.repeat(luma[..., None], 3, axis=2))
    cb, cr = blend_planes(luma, nothing)
    assert (cb == 128).all()
    assert (cr == 128).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (2, 3), (301, 2), (257, 129)])
@pytest.mark.parametrize("value", [0, 255])
def test_black_white_and_tiny_pictures_have_no_color_and_no_nan(shape, value):
    luma = np.full(shape, value, dtype=np.uint8)
    assert (blend_rgb(luma, wild_field(1)) == value).all()
    cb, cr = blend_planes(luma, wild_field(1))
    assert cb.shape == cr.shape == ((shape[0] + 1) // 2, (shape[1] + 1) // 2)
    assert (cb == 128).all()
    assert (cr == 128).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("strength", [0, 1])
def test_black_and_white_stay_so_at_any_depth_with_and_without_color(dtype, strength):
    """Where there is no room for color, and where none is asked for, nothing is divided by 0."""
    luma = np.zeros((16, 24), dtype)
    luma[8:] = np.iinfo(dtype).max
    field = ChromaField(np.float32(strength) * wild_field(4).lines)
    assert np.array_equal(blend_rgb(luma, field), np.repeat(luma[..., None], 3, axis=2))


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2)])
def test_the_smallest_masks_keep_their_color(shape):
    luma = np.full(shape, 0.5, dtype=np.float32)
    field = ChromaField.fit(np.full((*shape, 2), 0.1, dtype=np.float32), luma)
    assert np.allclose(enlarged(field, codes(np.full((4, 5), 0.5))), 0.1, atol=1e-5)


def test_strips_do_not_show():
    luma = compute_luma(photograph("astronaut"))
    field = field_of(photograph("astronaut"))
    whole = enlarged(field, luma)
    part = enlarged(field, luma, 200, 40)
    assert np.abs(whole[200:240] - part).max() < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_planes_hold_the_color_of_the_rgb_way(name):
    luma, field = compute_luma(photograph(name)), field_of(photograph(name))
    cb, cr = blend_planes(luma, field)
    half = cv2.resize(
        blend_rgb(luma, field), (cb.shape[1], cb.shape[0]), interpolation=cv2.INTER_AREA
    )
    expected = compute_chroma(half.astype(np.float32) / 255) * 255 + 128
    away = np.abs(np.stack([cb, cr], axis=2) - expected)
    # Near small dark and light spots the planes hold back, so that luma stays when decoded.
    assert np.median(away) < 0.6
    assert away.mean() < 2.5


@pytest.mark.parametrize("name", NAMES)
def test_planes_decode_to_the_same_luma_in_rgb(name):
    """Upsampled as a decoder does, the chroma leaves the gamut nowhere."""
    luma = compute_luma(photograph(name))[:450, :450]
    luma = luma[: luma.shape[0] // 2 * 2, : luma.shape[1] // 2 * 2]
    planes = blend_planes(luma, wild_field(3))
    large = [cv2.resize(one, luma.shape[::-1], interpolation=cv2.INTER_LINEAR) for one in planes]
    decoded = cv2.cvtColor(cv2.merge([luma, large[1], large[0]]), cv2.COLOR_YCrCb2RGB)
    error = np.abs(decoded.astype(np.float64) @ [0.299, 0.587, 0.114] - luma)
    assert error.max() <= 1.2


@pytest.mark.parametrize("name", NAMES)
def test_guided_color_is_nearer_the_truth_than_plain_enlargement(name):
    rgb = photograph(name)
    height, width = rgb.shape[:2]
    truth = compute_chroma(rgb.astype(np.float32) / 255)
    guided = enlarged(field_of(rgb), compute_luma(rgb))
    small = cv2.resize(truth, (64, 64), interpolation=cv2.INTER_AREA)
    plain = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    assert np.square(guided - truth).mean() < 0.9 * np.square(plain - truth).mean()


def test_color_stops_at_an_edge():
    """A red disc on white, seen by a network of 16 x 16: no red outside, no white inside."""
    luma = np.full((256, 256), 0.95, dtype=np.float32)
    cv2.circle(luma, (128, 128), 70, 0.4, -1)
    mask = np.zeros((256, 256, 2), dtype=np.float32)
    mask[luma < 0.5] = (-0.1, 0.3)
    small = cv2.resize(mask, (32, 32), interpolation=cv2.INTER_AREA)
    small_luma = cv2.resize(luma, (32, 32), interpolation=cv2.INTER_AREA)
    spread = enlarged(ChromaField.fit(small, small_luma), codes(luma))
    edge = cv2.dilate((luma < 0.5).astype(np.uint8), np.ones((9, 9))) - (luma < 0.5)
    plain = cv2.resize(small, (256, 256), interpolation=cv2.INTER_LINEAR)
    assert np.abs(spread[edge > 0, 1]).mean() < 0.35 * plain[edge > 0, 1].mean()


CODINGS = [
    Codes(8, False, "bt601"),
    Codes(8, False, "bt709"),
    Codes(8, True, "bt709"),
    Codes(10, False, "bt709"),
    Codes(10, False, "bt2020"),
    Codes(16, True, "bt601"),
]
STEPS = [(1, 1), (2, 2), (1, 2), (1, 4)]


def film_luma(name, coding):
    return coding.encode_luma(compute_luma(photograph(name))[:301, :299].astype(np.float32) / 255)


def decoded(luma, planes, coding):
    """R'G'B' in 0..1 and beyond, chroma repeated, straight from the standard's equations."""
    kr, kb = coding.weights
    height, width = luma.shape
    y = coding.normalize_luma(luma).astype(np.float64)
    cb, cr = (
        cv2.resize(coding.normalize_chroma(one), (width, height), interpolation=cv2.INTER_NEAREST)
        for one in planes
    )
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    return np.stack([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue], axis=2)


def test_jpeg_planes_are_those_of_full_range_at_eight_bits():
    luma, field = compute_luma(photograph("coffee")), field_of(photograph("coffee"))
    coded = blend_coded(luma, field, Codes(8, True, "bt601"), (2, 2))
    assert all(map(np.array_equal, coded, blend_planes(luma, field)))


@pytest.mark.parametrize("coding", CODINGS, ids=str)
@pytest.mark.parametrize("steps", STEPS, ids=str)
def test_coded_planes_have_their_size_their_depth_and_stay_in_gamut(coding, steps):
    luma = film_luma("coffee", coding)
    planes = blend_coded(luma, wild_field(5), coding, steps)
    for one in planes:
        assert one.shape == (-(-luma.shape[0] // steps[0]), -(-luma.shape[1] // steps[1]))
        assert one.dtype == luma.dtype
        assert np.abs(coding.normalize_chroma(one)).max() <= 0.5
    if steps == (1, 1):
        code = 1 / (coding.white - coding.black)
        rgb = decoded(luma, planes, coding)
        assert rgb.min() > -1.5 * code
        assert rgb.max() < 1 + 1.5 * code


@pytest.mark.parametrize("coding", CODINGS, ids=str)
def test_every_matrix_shows_the_same_color(coding):
    """Differences between R', G' and B' are what the network said, whatever luma means."""
    luma = np.full((64, 64), coding.encode_luma(np.float32([0.5]))[0])
    chroma = np.float32([-0.06, 0.1])
    field = ChromaField(np.zeros((4, 4, 4), np.float32))
    field.lines[..., 2:] = chroma
    shown = decoded(luma, blend_coded(luma, field, coding, (2, 2)), coding)[32, 32]
    red, green, blue = build_rgb_matrix(0.299, 0.114) @ chroma
    tolerance = 4 / coding.chroma_span
    assert shown[0] - shown[1] == pytest.approx(red - green, abs=tolerance)
    assert shown[2] - shown[1] == pytest.approx(blue - green, abs=tolerance)


@pytest.mark.parametrize("coding", CODINGS, ids=str)
def test_codes_below_black_and_above_white_have_no_color(coding):
    top = (1 << coding.depth) - 1
    luma = np.full((8, 8), 0, dtype=np.uint8 if coding.depth == 8 else np.uint16)
    luma[:, 4:] = top
    for one in blend_coded(luma, wild_field(2), coding, (1, 1)):
        assert (one == coding.neutral).all()
