"""The sample archive: what it promises is what it holds."""

import numpy as np
import pytest
from PIL import Image

from archive_colorizer import sample
from archive_colorizer.color.space import compute_luma
from archive_colorizer.discovery.walk import walk
from archive_colorizer.errors import DamagedPicture, DependencyError, OutputError, UsageError
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.records.jobs import Source
from tests.photographs import photograph


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    pytest.importorskip("skimage")
    folder = tmp_path_factory.mktemp("sample") / "scans"
    return folder, sample.write_sample(folder)


def raster(archive, path):
    return stills.decode((archive[0] / path).read_bytes(), path, 10_000_000)


def test_every_sheet_is_a_file_and_nothing_else_is_there(archive):
    folder, remarks = archive
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == set(remarks) and len(files) == 9


def test_pictures_are_found_below_nested_folders(archive):
    found = [one.relative for one in walk(archive[0]) if isinstance(one, Source)]
    assert len(found) == 8 and max(path.count("/") for path in found) == 2


def test_the_portrait_is_grey_with_date_and_place(archive):
    path = "album-1961/astronaut_portrait.jpg"
    assert raster(archive, path).preview is None
    with Image.open(archive[0] / path) as image:
        exif = image.getexif()
        assert exif[306] == exif.get_ifd(34665)[36867] == "1961:05:05 09:34:00"
        assert exif.get_ifd(34853)[1] == "N"


def test_the_kitten_is_stored_lying_and_read_upright(archive):
    path = "album-1961/upright/kitten.jpg"
    with Image.open(archive[0] / path) as image:
        assert image.getexif()[274] == 6 and image.size == (300, 451)
    upright = raster(archive, path).luma
    assert np.abs(upright.astype(int) - compute_luma(photograph("chelsea"))).mean() < 3


def test_depths_and_resolution(archive):
    plate = raster(archive, "glass-plates/plate_0001.tif")
    assert plate.luma.dtype == np.uint16 and plate.metadata.dpi == (300.0, 300.0)
    assert len(np.unique(plate.luma & 255)) > 200, "the low bits are used"
    assert raster(archive, "loose/münzen.png").luma.dtype == np.uint16


def test_the_toned_and_the_colored_have_color(archive):
    toned = raster(archive, "album-1961/launch pad, 1961.jpg").preview.astype(int)
    assert (toned[..., 0] - toned[..., 2]).mean() > 5
    assert raster(archive, "loose/coffee_house.jpg").preview is not None


def test_the_damaged_plate_fails(archive):
    with pytest.raises(DamagedPicture):
        raster(archive, "glass-plates/plate_0003_damaged.jpg")


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    for target in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(UsageError, match="not empty"):
            sample.write_sample(target)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_without_scikit_image_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"archive-colorizer\[sample\]"):
        sample.write_sample(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    pytest.importorskip("skimage")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        sample.write_sample(tmp_path / "file" / "scans")
