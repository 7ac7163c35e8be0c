"""AVIF and HEIF, written by Pillow, imagecodecs and pillow-heif."""

import builtins
import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import DamagedPicture, PictureTooLarge, UnsupportedPicture
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.metadata.icc import get_srgb_profile
from tests.image.files import LIMIT, XMP, deep, exif, saved, small, small_grey
from tests.image.profiles import RGB


def avif(samples, **options):
    return saved(samples, "AVIF", quality=100, subsampling="4:4:4", **options)


def seen(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def test_avif_agrees_with_pillow():
    data = avif(small())
    raster = stills.decode(data, "x", LIMIT)
    assert raster.format == "avif" and raster.warnings == ()
    assert np.abs(raster.luma.astype(int) - compute_luma(seen(data))).max() <= 1


def test_grey_and_alpha():
    luma = stills.decode(avif(small_grey()), "x", LIMIT).luma
    assert np.abs(luma.astype(int) - small_grey()).max() <= 2
    alpha = small()[::-1, :, 0]
    raster = stills.decode(avif(np.dstack([small(), alpha])), "x", LIMIT)
    assert raster.alpha is not None
    assert np.abs(raster.alpha.astype(int) - alpha).max() <= 2


@pytest.mark.parametrize("bits", [10, 12])
def test_white_stays_white_at_10_and_12_bit(bits):
    source = deep(small()) >> (16 - bits)
    source[:8] = (1 << bits) - 1
    data = bytes(imagecodecs.avif_encode(source, level=100, bitspersample=bits))
    luma = stills.decode(data, "x", LIMIT).luma
    whole = source.astype(np.uint32) * 65535 // ((1 << bits) - 1)
    assert luma.dtype == np.uint16 and luma[4].min() >= 65535 - 2 * 65535 / (1 << bits)
    assert np.abs(luma.astype(int) - compute_luma(whole.astype(np.uint16))).max() < 65535 / 250


def test_metadata_and_profile_are_honored():
    data = avif(small(), exif=exif(1), xmp=XMP, icc_profile=RGB["adobe rgb"])
    raster = stills.decode(data, "x", LIMIT)
    assert raster.converted and raster.metadata.icc == get_srgb_profile()
    assert b"maker note" in (raster.metadata.exif or b"")
    assert b"Mill at the river" in (raster.metadata.xmp or b"")


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_picture_is_upright_once(orientation):
    data = avif(small(), exif=exif(orientation))
    with Image.open(io.BytesIO(data)) as image:
        from PIL import ImageOps

        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    luma = stills.decode(data, "x", LIMIT).luma
    assert np.abs(luma.astype(int) - compute_luma(upright)).max() <= 1


def test_limits_and_damage():
    data = avif(small())
    with pytest.raises(PictureTooLarge):
        stills.decode(data, "x", 1000)
    for share in (0.2, 0.5, 0.9):
        with pytest.raises(DamagedPicture):
            stills.decode(data[: int(len(data) * share)], "x", LIMIT)


def test_high_dynamic_range_is_named_and_other_primaries_are_said():
    data = avif(small())
    at = data.index(b"colrnclx") + 8
    high = data[: at + 2] + (16).to_bytes(2, "big") + data[at + 4 :]
    with pytest.raises(UnsupportedPicture, match="dynamic range"):
        stills.decode(high, "x", LIMIT)
    wide = data[:at] + (12).to_bytes(2, "big") + data[at + 2 :]
    assert any("number 12" in one for one in stills.decode(wide, "x", LIMIT).warnings)


def heic(samples, **options):
    library = pytest.importorskip("pillow_heif", reason="HEVC needs the extra 'heif'")
    target = io.BytesIO()
    library.from_pillow(Image.fromarray(np.ascontiguousarray(samples))).save(
        target, quality=-1, chroma=444, **options
    )
    return target.getvalue()


def test_heic_is_read_where_its_decoder_is_installed():
    raster = stills.decode(heic(small(), exif=exif(6)), "x", LIMIT)
    assert raster.format == "heif"
    lying = raster.luma.shape == small().shape[:2]
    upright = small() if lying else np.rot90(small(), -1)
    assert np.abs(raster.luma.astype(int) - compute_luma(np.ascontiguousarray(upright))).max() <= 2
    assert b"maker note" in (raster.metadata.exif or b"")


def test_without_it_heic_is_refused_with_advice(monkeypatch):
    data = heic(small())
    real = builtins.__import__

    def without(name, *rest):
        if name == "pillow_heif":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnsupportedPicture, match=r"archive-colorizer\[heif\]"):
        stills.decode(data, "x", LIMIT)


def test_heic_cut_short_is_damaged():
    data = heic(small())
    for share in (0.1, 0.5, 0.9):
        with pytest.raises((DamagedPicture, UnsupportedPicture)):
            stills.decode(data[: int(len(data) * share)], "x", LIMIT)
