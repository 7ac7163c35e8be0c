"""Camera raw: a DNG made here, of a camera whose sensor sees linear sRGB."""

import io

import numpy as np
import pytest
import tifffile

from archive_colorizer.color.space import compute_luma
from archive_colorizer.discovery.walk import walk
from archive_colorizer.errors import DamagedPicture, PictureTooLarge, UnsupportedPicture
from archive_colorizer.image import signatures as magic
from archive_colorizer.image.codecs import camera_raw
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.metadata.icc import get_srgb_profile
from archive_colorizer.records.jobs import RejectedEntry, Source
from tests.image.files import LIMIT, deep, saved, small, small_grey, tiff

_FROM_XYZ = (3.24045, -1.53714, -0.49853, -0.96927, 1.87601, 0.04156, 0.05564, -0.20403, 1.05723)


def rationals(values):
    return [part for value in values for part in (round(value * 10000), 10000)]


def dng(orientation=1):
    scene = deep(small())[:166, :232]
    mosaic = np.empty(scene.shape[:2], np.uint16)
    for row, column, color in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[row::2, column::2] = scene[row::2, column::2, color]
    target = io.BytesIO()
    tags = [
        (50706, 1, 4, bytes((1, 4, 0, 0)), True),
        (50707, 1, 4, bytes((1, 1, 0, 0)), True),
        (50708, 2, 0, "Mill", True),
        (271, 2, 0, "Mill", True),
        (272, 2, 0, "One", True),
        (33421, 3, 2, (2, 2), True),
        (33422, 1, 4, bytes((0, 1, 1, 2)), True),
        (50721, 10, 9, rationals(_FROM_XYZ), True),
        (50728, 5, 3, rationals((1, 1, 1)), True),
        (50778, 3, 1, 21, True),
        (50717, 4, 1, 65535, True),
        (274, 3, 1, orientation, True),
    ]
    tifffile.imwrite(target, mosaic, photometric="cfa", metadata=None, extratags=tags)
    return target.getvalue()


def scene_luma():
    linear = deep(small())[:166, :232] / 65535
    shown = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    return compute_luma(np.rint(shown * 65535).astype(np.uint16))


@pytest.fixture
def rawpy():
    return pytest.importorskip("rawpy", reason="camera raw needs the extra 'raw'")


def test_a_dng_is_developed_to_16_bit_srgb(rawpy):
    raster = stills.decode(dng(), "x.dng", LIMIT)
    away = np.abs(raster.luma.astype(int) - scene_luma()) / 257
    assert (raster.format, raster.luma.dtype) == ("raw", np.uint16)
    assert np.median(away) < 1 and away.mean() < 3, "but for the mosaic, the scene"
    assert raster.metadata.icc == get_srgb_profile() and raster.converted
    assert raster.warnings == ("camera raw was developed to 16 bit sRGB",)
    assert b"Mill" in (raster.metadata.exif or b"")


def test_orientation_is_undone_once(rawpy):
    turned = stills.decode(dng(6), "x.dng", LIMIT).luma
    assert turned.shape == (232, 166)
    assert np.abs(turned.astype(int) - np.rot90(scene_luma(), -1)).mean() / 257 < 3


def test_limits_and_damage(rawpy):
    with pytest.raises(PictureTooLarge):
        stills.decode(dng(), "x.dng", 1000)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises((DamagedPicture, UnsupportedPicture), match=r"x\.dng"):
            stills.decode(dng()[: int(len(dng()) * share)], "x.dng", LIMIT)
    with pytest.raises((DamagedPicture, UnsupportedPicture)):
        stills.decode(b"FUJIFILMCCD-RAW " + bytes(500), "x.raf", LIMIT)


@pytest.fixture
def without_rawpy(monkeypatch):
    monkeypatch.setattr(magic, "find_spec", lambda name: None)
    magic.can_read_raw.cache_clear()
    yield
    magic.can_read_raw.cache_clear()


def test_without_the_library_raw_is_refused_with_advice(without_rawpy, tmp_path):
    with pytest.raises(UnsupportedPicture, match=r"archive-colorizer\[raw\]"):
        stills.decode(dng(), "x.dng", LIMIT)
    (tmp_path / "x.dng").write_bytes(dng())
    (tmp_path / "y.bin").write_bytes(b"FUJIFILMCCD-RAW " + bytes(50))
    for one in walk(tmp_path):
        assert isinstance(one, RejectedEntry) and one.failed and "[raw]" in one.message


def test_with_it_raw_is_found(rawpy, tmp_path):
    for name in ("x.dng", "y.NEF", "z.bin"):
        (tmp_path / name).write_bytes(b"FUJIFILMCCD-RAW " + bytes(50))
    assert all(isinstance(one, Source) for one in walk(tmp_path))


def test_an_ordinary_tiff_is_no_raw():
    for samples in (small(), small_grey(), deep(small())):
        assert not camera_raw.is_raw(tiff(samples))
    assert not camera_raw.is_raw(saved(small(), "TIFF", compression="tiff_lzw"))
    assert camera_raw.is_raw(dng()) and camera_raw.is_raw(b"II*\0\x10\0\0\0CR\x02\0" + bytes(9))
    assert not camera_raw.is_raw(b"II*\0\xff\xff\xff\xff")
