"""Masks, strokes and points, valid and invalid."""

import io

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.errors import GuideError, UsageError
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.restore.guide_files import Strokes, draw_points, read_mask

MOST = 1_000_000


def png(pixels, **how):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **how)
    return stream.getvalue()


def half(inside, outside, shape=(8, 10)):
    plane = np.full(shape, outside, np.uint8)
    plane[:, :5] = inside
    return plane


def with_alpha(grey, alpha):
    return np.dstack([grey, grey, grey, alpha])


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (half(0, 255), half(0, 255)),
        (half(100, 200), half(100, 200)),
        (np.dstack([half(0, 255)] * 3), half(0, 255)),
        (with_alpha(half(0, 255), half(255, 255)), half(0, 255)),
        # A photograph from which the border was erased.
        (with_alpha(half(90, 140), half(255, 0)), half(255, 0)),
        (np.dstack([half(90, 140), half(0, 255)]), half(0, 255)),
        # Black strokes on a layer.
        (with_alpha(half(0, 0), half(255, 0)), half(0, 255)),
    ],
)
def test_grey_and_alpha_say_where_color_stays(pixels, expected):
    assert np.array_equal(read_mask(png(pixels), "m.png", MOST), expected)


def test_a_mask_may_have_16_bits_and_is_seen_upright():
    deep = np.where(half(0, 1) > 0, 65535, 0).astype(np.uint16)
    assert read_mask(png(deep), "m.png", MOST).dtype == np.uint16
    exif = Image.Exif()
    exif[0x0112] = 6
    assert np.array_equal(
        read_mask(png(half(0, 255), exif=exif), "m.png", MOST), np.rot90(half(0, 255), -1)
    )


@pytest.mark.parametrize("read", [read_mask, lambda *given: Strokes.read(*given, (4, 5))])
@pytest.mark.parametrize(
    "content", [b"", b"no picture", png(half(0, 255))[:60], png(np.zeros((2000, 2000), np.uint8))]
)
def test_what_cannot_be_read_is_named(read, content):
    with pytest.raises(GuideError, match=r"x\.png"):
        read(content, "x.png", MOST)


def test_strokes_keep_their_color_however_thin_and_however_large_their_picture():
    layer = np.zeros((400, 500, 4), np.uint8)
    layer[200, 100:400] = (200, 40, 10, 255)
    found = Strokes.read(png(layer), "h.png", MOST, (40, 50))
    assert found.held[20, 10:40].all()
    assert found.held.sum() == 30
    assert np.allclose(found.rgb[20, 10:40] * 255, (200, 40, 10), atol=0.5)
    small = Strokes.read(png(layer[::10, ::10]), "h.png", MOST, (200, 250))
    assert small.held.sum() == 30


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_strokes_need_a_transparent_ground(mode):
    opaque = io.BytesIO()
    Image.new(mode, (8, 8), "red" if mode != "L" else 0).save(opaque, "PNG")
    with pytest.raises(GuideError, match=r"h\.png is opaque; paint"):
        Strokes.read(opaque.getvalue(), "h.png", MOST, (4, 4))


def points(*tables):
    return Recipe().apply({"hint": list(tables)}, "a.toml").hint


def test_points_are_painted_over_strokes():
    given = points(
        {"at": [50, 20], "color": "#8a5a44", "radius": 10}, {"at": [0, 0], "color": "00ff00"}
    )
    found = draw_points(None, given, (40, 100), (20, 50))
    assert found.held[10, 25] == 1
    assert np.allclose(found.rgb[10, 25] * 255, (0x8A, 0x5A, 0x44))
    assert np.allclose(found.rgb[0, 0], (0, 1, 0))
    assert found.held[19, 49] == 0
    over = draw_points(found, points({"at": [50, 20], "color": "#0000ff"}), (40, 100), (20, 50))
    assert np.allclose(over.rgb[10, 25], (0, 0, 1))
    assert np.allclose(over.rgb[8, 25] * 255, (0x8A, 0x5A, 0x44))
    assert draw_points(None, (), (40, 100), (20, 50)) is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (3, "must be a table"),
        ({"at": [1], "color": "#000000"}, "at must be"),
        ({"at": [-1, 0], "color": "#000000"}, "at must be"),
        ({"at": [1, float("nan")], "color": "#000000"}, "at must be"),
        ({"at": [1, 1]}, "color must be as"),
        ({"at": [1, 1], "color": "red"}, "color must be as .*'red'"),
        ({"at": [1, 1], "color": "#000000", "radius": "x"}, "radius must be float"),
        ({"at": [1, 1], "color": "#000000", "radius": -1}, "radius must be between"),
        ({"at": [1, 1], "color": "#000000", "colour": 1}, "unknown setting 'colour'"),
    ],
)
def test_points_that_cannot_be_meant_are_named(table, said):
    with pytest.raises(UsageError, match=r"a\.toml: \[\[hint\]\].*" + said):
        points(table)


def test_a_point_outside_of_the_picture_is_named():
    with pytest.raises(GuideError, match=r"the hint at \[100, 3\] lies outside .* 100 x 40"):
        draw_points(None, points({"at": [100, 3], "color": "#000000"}), (40, 100), (20, 50))
