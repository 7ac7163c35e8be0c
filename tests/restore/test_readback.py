"""A finished file is decoded by other libraries, and refused when it is not what was meant."""

import io
from contextlib import contextmanager

import numpy as np
import pytest
import pyvips
from PIL import Image

from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import ResultUnsound
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.codecs.jpeg.codec import encode_jpeg
from archive_colorizer.image.codecs.planes import round_to_8_bit
from archive_colorizer.image.raster import Metadata, Raster
from archive_colorizer.restore.readback import check_result
from archive_colorizer.storage.file_view import FileView
from tests.photographs import at_16_bits, photograph


def written(kind, depth=8, alpha=False):
    """A photograph as a result of this kind, and its luma at its own depth."""
    photo = photograph("chelsea")[:201, :303]
    rgb = photo if depth == 8 else at_16_bits(photo)
    luma = compute_luma(rgb)
    raster = Raster(luma=luma, format=kind, alpha=luma.copy() if alpha else None)
    return stills.encode(rgb, raster, Metadata(), kind), luma


@contextmanager
def on_disk(content, folder):
    """The content as that of a result which was drafted on the disk."""
    path = folder / "draft"
    path.write_bytes(content)
    with path.open("rb") as file:
        yield FileView(file.fileno(), len(content), "a.x")


@pytest.mark.parametrize("kind", list(stills.WRITERS))
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("alpha", [False, True])
def test_every_sound_result_passes(kind, depth, alpha, tmp_path):
    content, luma = written(kind, depth, alpha)
    check_result(content, kind, luma, "a.x")
    with on_disk(content, tmp_path) as there:
        check_result(there, kind, luma, "a.x")


@pytest.mark.parametrize("kind", list(stills.WRITERS))
def test_another_picture_or_size_is_refused(kind):
    content, luma = written(kind)
    for wrong in (luma[:, ::-1], luma[:-1], np.roll(luma, 9, axis=0)):
        with pytest.raises(ResultUnsound, match=r"a\.x: its result does not show"):
            check_result(content, kind, wrong, "a.x")


@pytest.mark.parametrize("kind", list(stills.WRITERS))
@pytest.mark.parametrize("depth", [8, 16])
def test_a_result_that_was_cut_is_refused(kind, depth, tmp_path):
    content, luma = written(kind, depth)
    for share in (0.0, 0.01, 0.5, 0.9):
        cut = content[: int(len(content) * share)]
        with pytest.raises(ResultUnsound, match=r"cannot be read back|does not show"):
            check_result(cut, kind, luma, "a.x")
        with (
            on_disk(cut, tmp_path) as there,
            pytest.raises(ResultUnsound, match=r"cannot be read back|does not show"),
        ):
            check_result(there, kind, luma, "a.x")


@pytest.mark.parametrize("depth", [8, 16])
def test_a_bit_that_fell_over_in_a_png_is_found(depth):
    """By checksums, wherever it stands: what was filtered spreads over all that follows."""
    content, luma = written("png", depth)
    for at in np.linspace(len(content) // 9, len(content) - 20, 25).astype(int):
        with pytest.raises(ResultUnsound):
            check_result(
                content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :], "png", luma, "a"
            )


@pytest.mark.parametrize("name", ["sub", "up", "none", "paeth", "avg"])
def test_sixteen_bits_are_read_back_whatever_the_filter(name):
    _, luma = written("png", 16)
    image = pyvips.Image.new_from_array(luma).copy(interpretation="grey16")
    check_result(image.pngsave_buffer(filter=name), "png", luma, "a.png")
    with pytest.raises(ResultUnsound, match="does not show"):
        check_result(image.pngsave_buffer(filter=name), "png", luma ^ 8, "a.png")


@pytest.mark.parametrize("quality", [1, 10, 60, 95])
def test_a_quality_that_was_chosen_may_lose_what_it_loses(quality):
    luma = compute_luma(photograph("astronaut"))
    half = np.full((256, 256), 128, np.uint8)
    content = encode_jpeg(luma, half, half, Metadata(), quality)
    check_result(content, "jpeg", luma, "a.jpg", quality)
    for wrong in (luma[::-1], content[: len(content) // 2]):
        other, shown = (content, wrong) if isinstance(wrong, np.ndarray) else (wrong, luma)
        with pytest.raises(ResultUnsound):
            check_result(other, "jpeg", shown, "a.jpg", quality)


def test_pixels_that_are_stored_lying_are_looked_at_upright():
    luma = compute_luma(photograph("coffee"))
    lying, exif = io.BytesIO(), Image.Exif()
    exif[274] = 6
    Image.fromarray(np.rot90(luma)).save(lying, "JPEG", quality=100, exif=exif)
    check_result(lying.getvalue(), "jpeg", luma, "a.jpg")


def test_sixteen_bits_are_compared_at_their_own_depth():
    content, luma = written("tiff", 16)
    wrong = luma.copy()
    wrong[0, 0] ^= 2
    with pytest.raises(ResultUnsound, match="up to 2 code values"):
        check_result(content, "tiff", wrong, "a.tif")
    assert np.array_equal(round_to_8_bit(wrong), round_to_8_bit(luma))
