"""Odd, rare and broken files from other projects' test suites, where they are at hand."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from archive_colorizer.color.space import luma_of
from archive_colorizer.errors import SourceError
from archive_colorizer.media import stills
from archive_colorizer.media.raster import Format

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
LIMIT = 300_000_000
UPRIGHT_ALREADY = {"Pillow__6abc00__g4_orientation_6.tif": "its stated size is the upright one"}
JUDGE_IS_WRONG = {
    "image-tiff__935666__flower-rgb-planar-16.tif": "Pillow misreads planar 16 bit",
    "jpylyzer-test-files__ce91f4__bitwiser-icc-corrupted-tagcount-1937.jp2": "Pillow leaves "
    "colors multiplied by an alpha that the file says to be multiplied in",
}

pytestmark = pytest.mark.skipif(
    not (CORPUS / "corpus.csv").exists(), reason="needs ../shared/corpus beside the checkout"
)


def rows(wanted):
    with (CORPUS / "corpus.csv").open(encoding="utf-8", errors="surrogateescape") as file:
        return [row for row in csv.DictReader(file) if row["class"] == wanted]


def decoded(row, profile="srgb"):
    data = (CORPUS / "corpus" / row["file"]).read_bytes()
    return stills.decode(data, row["file"], LIMIT, profile)


def upright_size(row):
    width, height = int(row["width"]), int(row["height"])
    turned = row["orientation"] in ("5", "6", "7", "8")
    return (width, height) if turned and not _stated_upright(row) else (height, width)


def _stated_upright(row):
    return Path(row["file"]).name in UPRIGHT_ALREADY


def test_sound_files_of_promised_formats_are_read_upright():
    wrong, seen = [], 0
    for row in rows("must-convert"):
        if row["format"] not in Format.__args__:
            continue
        seen += 1
        raster = decoded(row)
        if raster.luma.shape != upright_size(row):
            wrong.append((row["file"], raster.luma.shape, upright_size(row)))
        if "16-bit" in row["tags"] and raster.luma.dtype != np.uint16:
            wrong.append((row["file"], "16 bit lost"))
    assert not wrong
    assert seen > 150


def pillows_luma(row):
    """Luma by an outside judge, or None for kinds that it does not read as they are."""
    with Image.open(CORPUS / "corpus" / row["file"]) as image:
        shown = ImageOps.exif_transpose(image)
        if shown.mode.startswith("I;16"):
            return np.asarray(shown).astype(np.uint16)
        if shown.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
            return None
        return luma_of(np.asarray(shown.convert("RGBA"))[..., :3])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_luma_is_what_pillow_sees():
    wrong, compared = [], 0
    for row in rows("must-convert"):
        # A JPEG's own luma may lie outside of what RGB can hold; test_jpeg compares that.
        judged = None if row["format"] == "jpeg" else pillows_luma(row)
        if judged is None or Path(row["file"]).name in JUDGE_IS_WRONG:
            continue
        compared += 1
        luma = decoded(row, "keep").luma
        if luma.dtype != judged.dtype:
            luma = (luma // 257).astype(np.uint8)
        if np.abs(luma.astype(int) - judged).max() > 1:
            wrong.append(row["file"])
    assert not wrong
    assert compared > 100


def test_broken_files_are_refused_by_name():
    accepted = []
    for row in rows("must-refuse"):
        try:
            decoded(row)
        except SourceError as error:
            assert str(error).startswith(row["file"])
        else:
            accepted.append(row["file"])
    assert not accepted


def test_rare_files_give_a_picture_or_a_named_failure():
    outcomes = []
    for row in rows("may-refuse"):
        try:
            outcomes.append(decoded(row).luma.size > 0)
        except SourceError as error:
            outcomes.append(row["file"] in str(error))
    assert all(outcomes) and len(outcomes) > 100


def test_what_was_read_can_be_written_with_the_same_luma():
    wrong = []
    for row in rows("must-convert"):
        raster = decoded(row)
        if raster.format == "jpeg":
            continue
        grey = np.dstack([raster.luma] * 3)
        again = stills.decode(stills.encode(grey, raster, raster.metadata), row["file"], LIMIT)
        same_alpha = (raster.alpha is None) == (again.alpha is None)
        if not (np.array_equal(again.luma, raster.luma) and same_alpha):
            wrong.append(row["file"])
    assert not wrong
