"""Which format a result gets, what it is called, and that each can be chosen."""

import io
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import OutputError
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.formats import (
    EXTENSIONS,
    FormatChoice,
    choose_format,
    name_result,
)
from archive_colorizer.image.raster import Metadata, Raster
from tests.image.files import IPTC, LIMIT, XMP, deep, exif, small, small_grey, srgb_profile

CHOICES = [choice for choice in get_args(FormatChoice) if choice != "same"]


def raster(kind, depth=np.uint8, alpha=False, shape=None):
    plane = np.zeros(shape, depth) if shape else small_grey().astype(depth)
    return Raster(luma=plane, format=kind, alpha=plane if alpha else None)


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp", "bmp", "jp2"])
def test_the_same_format_where_it_can_hold_the_result(kind):
    assert choose_format(raster(kind)) == (kind, ())


@pytest.mark.parametrize(("kind", "nearest"), [("avif", "png"), ("heif", "png"), ("raw", "tiff")])
def test_else_the_nearest_lossless_one_and_that_is_said(kind, nearest):
    chosen, notes = choose_format(raster(kind, np.uint16, alpha=True))
    assert chosen == nearest and len(notes) == 1 and nearest.upper() in notes[0]


@pytest.mark.parametrize("wanted", CHOICES)
@pytest.mark.parametrize("kind", stills.READERS)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha", [True, False])
def test_a_chosen_format_is_written_and_losses_are_said(wanted, kind, depth, alpha):
    chosen, notes = choose_format(raster(kind, depth, alpha), wanted)
    said = " ".join(notes)
    assert chosen == wanted
    assert ("8 of" in said) == (depth is np.uint16 and wanted in ("jpeg", "webp"))
    assert ("alpha" in said) == (alpha and wanted == "jpeg")
    assert ("lossy" in said) == (wanted == "jpeg" and kind != "jpeg")


@pytest.mark.parametrize(("wanted", "side"), [("webp", 16384), ("jpeg", 65501)])
def test_a_picture_too_large_for_the_format_becomes_png(wanted, side):
    chosen, notes = choose_format(raster("tiff", shape=(1, side)), wanted)
    assert chosen == "png" and str(side - 1) in notes[0]


@pytest.mark.parametrize("form", CHOICES)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_every_chosen_format_holds_the_picture(form, depth):
    """Judged by Pillow and by the reader: luma, alpha, profile, EXIF, XMP."""
    rgb = small() if depth is np.uint8 else deep(small())
    alpha = rgb[::-1, :, 0].copy()
    metadata = Metadata(exif(thumbnail=False), srgb_profile(), XMP, IPTC, (300.0, 300.0))
    source = Raster(luma=compute_luma(rgb), format="raw", alpha=alpha)
    data = stills.encode(rgb, source, metadata, form)
    eight = rgb if depth is np.uint8 else ((rgb.astype(int) + 128) // 257).astype(np.uint8)
    deepest = rgb if form in ("tiff", "png", "jp2") else eight
    again = stills.decode(data, "x", LIMIT)
    assert again.format == form and again.luma.dtype == deepest.dtype
    off = np.abs(again.luma.astype(int) - compute_luma(deepest)).max()
    assert off <= (1 if form == "jpeg" else 0)
    assert (again.alpha is None) == (form == "jpeg")
    assert again.metadata.icc == srgb_profile()
    assert b"maker note" in (again.metadata.exif or b"") and again.metadata.xmp
    if depth is np.uint8:
        with Image.open(io.BytesIO(data)) as image:
            shown = np.asarray(image.convert("RGB")).astype(int)
        assert np.abs(shown - small()).max() <= (4 if form == "jpeg" else 0)


def test_formats_that_are_only_read_are_not_written():
    with pytest.raises(OutputError, match="--format"):
        stills.encode(small(), raster("avif"), Metadata())


def test_every_format_that_is_written_has_an_extension():
    assert set(EXTENSIONS) == set(stills.WRITERS) <= set(stills.READERS)


WHOLE = Metadata(exif(), None, XMP, IPTC, (300.0, 300.0), (("", "mill"),))
LOST = {
    "jpeg": set(),
    "png": set(),
    "tiff": {"comments"},
    "jp2": {"comments"},
    "webp": {"IPTC-IIM", "comments"},
    "bmp": {"EXIF", "XMP", "IPTC-IIM", "comments"},
}


@pytest.mark.parametrize("kind", stills.WRITERS)
def test_what_a_format_cannot_hold_is_said_and_only_that(kind):
    """Held against what the reader finds again."""
    data = stills.encode(small(), Raster(luma=small_grey(), format=kind), WHOLE, kind)
    again = stills.decode(data, "x", LIMIT).metadata
    kept = {
        "EXIF": again.exif,
        "XMP": again.xmp,
        "IPTC-IIM": again.iptc,
        "comments": again.comments,
    }
    assert {name for name, content in kept.items() if not content} == LOST[kind]
    said = choose_format(replace(raster(kind), metadata=WHOLE))[1]
    assert {name for name in kept if any(f"hold {name}" in one for one in said)} == LOST[kind]


def test_metadata_too_long_for_a_jpeg_is_said_and_dropped():
    long = Metadata(exif=exif() + bytes(70_000), iptc=IPTC + bytes(70_000))
    data = stills.encode(small(), Raster(luma=small_grey(), format="jpeg"), long)
    again = stills.decode(data, "x", LIMIT).metadata
    assert again.exif is None and again.iptc is None
    assert len(choose_format(replace(raster("jpeg"), metadata=long))[1]) == 2
    assert choose_format(replace(raster("tiff"), metadata=long), "jpeg")[1][-1].endswith("dropped")


NAMES = [
    ("a/scan.avif", "avif", "png", "a/scan.avif.png"),
    ("scan.JPG", "jpeg", "jpeg", "scan.JPG"),
    ("scan.JPEG", "tiff", "jpeg", "scan.JPEG"),
    ("scan.tif", "tiff", "jpeg", "scan.tif.jpg"),
    ("scan", "png", "png", "scan"),
    ("scan.nef", "raw", "tiff", "scan.nef.tif"),
]


@pytest.mark.parametrize(("name", "source", "result", "target"), NAMES)
def test_names(name, source, result, target):
    assert name_result(name, source, result) == target


@given(st.sets(st.text("ab.jpgtif", min_size=1, max_size=9), min_size=2))
def test_different_sources_of_one_kind_get_different_names(names):
    unlike = {name for name in names if not name.endswith(EXTENSIONS["png"])}
    assert len({name_result(name, "jpeg", "png") for name in unlike}) == len(unlike)
