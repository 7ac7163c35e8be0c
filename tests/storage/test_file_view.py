"""Files that are read where they lie give what their bytes give, and tell when they change."""

import hashlib
import os

import numpy as np
import pytest
import tifffile

from archive_colorizer.errors import ArchiveColorizerError, SourceChanged, SourceError
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.restore import source_file
from archive_colorizer.restore.source_file import open_source
from archive_colorizer.storage.file_view import FileView, compute_digest, open_content
from archive_colorizer.storage.reading import read_source
from tests.image.files import LIMIT, deep, saved, small, tiff

FILES = {
    "png": saved(small(), "PNG"),
    "tiff": tiff(deep(small())),
    "bmp": saved(small(), "BMP"),
    "jpeg": saved(small(), "JPEG"),
}


@pytest.fixture
def large(monkeypatch):
    """All files are."""
    monkeypatch.setattr(source_file, "_IN_PLACE", 0)


def placed(folder, content):
    path = folder / "scan"
    path.write_bytes(content)
    return path, Stamp.from_stat(path.lstat())


def told(content):
    """The picture in a file, or what is wrong with it."""
    try:
        raster = stills.decode(content, "scan", LIMIT)
    except ArchiveColorizerError as error:
        return type(error), str(error)
    alpha = None if raster.alpha is None else raster.alpha.tobytes()
    return raster.luma.tobytes(), raster.preview.tobytes(), alpha, raster.metadata, raster.warnings


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("kind", FILES)
def test_a_file_gives_what_its_bytes_give(kind, tmp_path):
    whole = FILES[kind]
    middle = len(whole) // 2
    for content in (
        whole,
        whole[:middle],
        whole[:middle] + b"\xaa\x55" * 20 + whole[middle + 40 :],
    ):
        path, stamp = placed(tmp_path, content)
        with open_source(path, stamp) as (there, known):
            assert isinstance(there, bytes) == (kind == "jpeg")
            assert known == stamp
            assert told(there) == told(content)
            assert compute_digest(there) == hashlib.sha256(content).hexdigest()


def test_slices_are_those_of_bytes(tmp_path):
    path, _ = placed(tmp_path, bytes(range(200)))
    with path.open("rb") as file:
        there = FileView(file.fileno(), 200, "scan")
        for part in (slice(None), slice(3, 9), slice(190, 300), slice(-4, None), slice(9, 3)):
            assert there[part] == bytes(range(200))[part]
        with open_content(there) as again:
            assert again.read() == bytes(range(200))
        assert len(there) == 200


def test_small_files_are_read_at_once(tmp_path):
    path, stamp = placed(tmp_path, FILES["png"])
    with open_source(path, stamp) as read:
        assert read == read_source(path)


@pytest.mark.usefixtures("large")
def test_a_file_that_shrinks_or_cannot_be_read_says_so(tmp_path, monkeypatch):
    path, stamp = placed(tmp_path, FILES["png"])
    with open_source(path, stamp) as (there, _):
        os.truncate(path, 99)
        with pytest.raises(SourceChanged, match="was written to while it was read"):
            compute_digest(there)

    def broken(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", broken)
    with pytest.raises(SourceError, match="Input/output error"), open_source(path, stamp):
        pass


@pytest.mark.usefixtures("large")
def test_what_is_no_file_is_refused_as_ever(tmp_path):
    path, stamp = placed(tmp_path, b"x")
    (tmp_path / "link").symlink_to(path)
    for name in ("none", "link", "."):
        with pytest.raises(SourceError) as there, open_source(tmp_path / name, stamp):
            pass
        with pytest.raises(SourceError) as before:
            read_source(tmp_path / name)
        assert str(there.value) == str(before.value)


def test_a_rare_tiff_is_read_in_place(tmp_path):
    path = tmp_path / "scan"
    tifffile.imwrite(path, (small() / 255).astype(np.float32), photometric="rgb")
    with path.open("rb") as file:
        assert told(FileView(file.fileno(), path.stat().st_size, "scan")) == told(path.read_bytes())
