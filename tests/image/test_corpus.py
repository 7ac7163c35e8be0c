"""Decode odd, rare and broken files from other projects' test suites, where available."""

import contextlib
import csv
import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from archive_colorizer.color.blend import ChromaField, blend_planes, blend_rgb
from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import PictureTooCostly, SourceError
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.codecs.jpeg.codec import encode_jpeg
from archive_colorizer.image.codecs.registry import encode
from archive_colorizer.image.formats import choose_format
from archive_colorizer.image.raster import Format
from tests.locations import SHARED

CORPUS = SHARED / "corpus"
LIMIT = 300_000_000
UPRIGHT_ALREADY = {"Pillow__6abc00__g4_orientation_6.tif": "its stated size is the upright one"}
JUDGE_IS_WRONG = {
    "image-tiff__935666__flower-rgb-planar-16.tif": "Pillow misreads planar 16 bit",
    "jpylyzer-test-files__ce91f4__bitwiser-icc-corrupted-tagcount-1937.jp2": "Pillow leaves "
    "colors multiplied by an alpha that the file says to be multiplied in",
}

pytestmark = pytest.mark.skipif(
    not (CORPUS / "corpus.csv").exists(), reason="needs ../shared/corpus next to the checkout"
)


def read_rows(group):
    with (CORPUS / "corpus.csv").open(encoding="utf-8", errors="surrogateescape") as file:
        return [row for row in csv.DictReader(file) if row["class"] == group]


def decode_row(row, profile="srgb"):
    data = (CORPUS / "corpus" / row["file"]).read_bytes()
    return stills.decode(data, row["file"], LIMIT, profile)


def get_upright_size(row):
    width, height = int(row["width"]), int(row["height"])
    turned = row["orientation"] in ("5", "6", "7", "8")
    return (width, height) if turned and not _is_stated_upright(row) else (height, width)


def _is_stated_upright(row):
    return Path(row["file"]).name in UPRIGHT_ALREADY


def test_sound_files_of_promised_formats_are_read_upright():
    wrong, count = [], 0
    for row in read_rows("must-convert"):
        if row["format"] not in Format.__args__:
            continue
        count += 1
        raster = decode_row(row)
        if raster.luma.shape != get_upright_size(row):
            wrong.append((row["file"], raster.luma.shape, get_upright_size(row)))
        if "16-bit" in row["tags"] and raster.luma.dtype != np.uint16:
            wrong.append((row["file"], "16 bit lost"))
    assert not wrong
    assert count > 150


def restore_row(row):
    """Restore without a network: decode, blend with no color, encode."""
    raster = decode_row(row)
    neutral = ChromaField(np.zeros((8, 8, 4), np.float32))
    chosen, _ = choose_format(raster)
    if chosen == "jpeg":
        cb, cr = blend_planes(raster.luma, neutral)
        return raster, chosen, encode_jpeg(raster.luma, cb, cr, raster.metadata, 0)
    return raster, chosen, encode(blend_rgb(raster.luma, neutral), raster, raster.metadata, chosen)


def decode_with_pillow(row, converted):
    """Luma of the upright source in sRGB by Pillow; None for kinds that it reads otherwise."""
    with Image.open(CORPUS / "corpus" / row["file"]) as image:
        icc = image.info.get("icc_profile")
        if row["format"] == "jpeg" and not converted and image.mode in ("L", "RGB"):
            # Straight to the luma that the file holds: RGB may clip it.
            image.draft("L", image.size)
        shown = ImageOps.exif_transpose(image)
        if shown.mode.startswith("I;16"):
            return np.asarray(shown).astype(np.uint16)
        if shown.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
            return None
        return compute_luma(convert_to_srgb(shown.convert("RGBA").convert("RGB"), icc))


def convert_to_srgb(image, icc):
    if icc:
        with contextlib.suppress(OSError, ImageCms.PyCMSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            if "sRGB" not in ImageCms.getProfileDescription(source):
                image = ImageCms.profileToProfile(
                    image,
                    source,
                    ImageCms.createProfile("sRGB"),
                    renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                    flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
                )
    return np.asarray(image)


def read_result_luma(data, kind):
    """Luma of a result by readers other than those under test, at its own depth."""
    if kind == "tiff":
        return tifffile.imread(io.BytesIO(data))[..., 0]
    if kind in ("png", "jp2"):
        decode = imagecodecs.png_decode if kind == "png" else imagecodecs.jpeg2k_decode
        return decode(data)[..., 0]
    with Image.open(io.BytesIO(data)) as image:
        if kind == "jpeg":
            image.draft("L", image.size)
        return np.asarray(image.convert("L" if kind == "jpeg" else "RGB").convert("RGB"))[..., 0]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_results_equal_their_upright_sources_in_luma():
    wrong, compared, against_pillow = [], 0, 0
    for row in read_rows("must-convert"):
        raster, kind, data = restore_row(row)
        luma = read_result_luma(data, kind)
        compared += 1
        off = np.abs(luma.astype(int) - raster.luma).max()
        if luma.dtype != raster.luma.dtype or off > (2 if kind == "jpeg" else 0):
            wrong.append((row["file"], "written", off))
        judged = decode_with_pillow(row, raster.converted)
        if judged is None or Path(row["file"]).name in JUDGE_IS_WRONG:
            continue
        against_pillow += 1
        if luma.dtype != judged.dtype:
            luma = (luma // 257).astype(np.uint8)
        away = np.abs(luma.astype(int) - judged)
        # Two decoders of JPEG differ where color is spread out again before a conversion.
        if away.max() > (2 if kind == "jpeg" else 1) and not (raster.converted and away.mean() < 1):
            wrong.append((row["file"], "read", away.max(), away.mean()))
    assert not wrong
    assert compared == 192 and against_pillow > 170


def test_broken_files_are_refused_by_name():
    accepted = []
    for row in read_rows("must-refuse"):
        try:
            decode_row(row)
        except SourceError as error:
            assert str(error).startswith(row["file"])
        else:
            accepted.append(row["file"])
    assert not accepted


def test_no_file_that_is_a_picture_is_too_costly():
    costly, count = [], 0
    for row in (*read_rows("must-convert"), *read_rows("may-refuse")):
        count += 1
        with contextlib.suppress(SourceError):
            try:
                decode_row(row)
            except PictureTooCostly as error:
                costly.append(str(error))
    assert not costly and count > 300


def test_rare_files_give_a_picture_or_a_named_failure():
    outcomes = []
    for row in read_rows("may-refuse"):
        try:
            outcomes.append(decode_row(row).luma.size > 0)
        except SourceError as error:
            outcomes.append(row["file"] in str(error))
    assert all(outcomes) and len(outcomes) > 100
