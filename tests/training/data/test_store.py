"""Photographs by number: in memory or on disk, the same; and what they cost."""

import gzip
import os
import pickle

import pytest

from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.training.data.crops import index_photos, read_photos, split_photos
from archive_colorizer.training.data.store import FileSlice, PhotoIndex, PhotoSubset
from tests.photographs import photograph
from tests.training.conftest import jpeg_of, write_tar

NOTHING = 1e-9


@pytest.fixture(scope="module")
def place(tmp_path_factory, tar):
    """A folder with a tar and with files, one of them under a name that is no text."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "free.tar").write_bytes(tar.read_bytes())
    (folder / "mine").mkdir()
    for name in ("cat.jpg", os.fsdecode(b"k\xe4fer.jpg")):
        (folder / "mine" / name).write_bytes(jpeg_of(photograph("chelsea")[:96, :96]))
    return folder


def test_photos_on_disk_are_those_in_memory(place):
    held, left = read_photos([place]), read_photos([place], NOTHING)
    assert held.memory_bytes == held.total_bytes == left.total_bytes > 0
    assert left.memory_bytes == 0
    assert list(held) == list(left)
    assert [photo.content for photo in held] == [photo.content for photo in left]
    assert held[-1].name == "mine/k\udce4fer.jpg"


def test_nothing_is_held_beyond_the_limit(place):
    total = index_photos([place]).total_bytes
    assert read_photos([place], total / 1e9).memory_bytes == total
    assert read_photos([place], (total - 1) / 1e9).memory_bytes == 0


def test_the_index_stays_small():
    photos = PhotoIndex()
    names = [f"n{number // 500:05d}/image_{number:08d}.jpg" for number in range(20_000)]
    for number, name in enumerate(names):
        photos.add_slice("faces", name, FileSlice("/archive/faces.tar", 512 * number, 9000))
    photos.sort()
    of_names = sum(map(len, names))
    assert photos.index_bytes < of_names * 1.2 + 45 * len(names)
    training, validation = split_photos(photos, 0.1)
    assert 0 < len(validation) / len(photos) < 0.3  # whole folders: their names are a series
    assert len(pickle.dumps(training)) < photos.index_bytes + 5 * len(photos)


def test_another_process_is_not_sent_what_it_can_read(place, tar, tmp_path):
    held = read_photos([place])
    sent = pickle.loads(pickle.dumps(held))  # noqa: S301 - what this test has just written
    assert (sent.memory_bytes, len(sent)) == (0, len(held))
    assert [photo.content for photo in sent] == [photo.content for photo in held]
    packed = tmp_path / "free.tar"
    packed.write_bytes(gzip.compress(tar.read_bytes()))
    alone = index_photos([packed])
    assert alone.memory_bytes == alone.total_bytes  # there is no place in it to read from
    sent = pickle.loads(pickle.dumps(alone))  # noqa: S301
    assert [photo.content for photo in sent] == [photo.content for photo in alone]


def test_a_compressed_tar_that_does_not_fit_says_what_to_do(tar, tmp_path):
    packed = tmp_path / "free.tar"
    packed.write_bytes(gzip.compress(tar.read_bytes()))
    with pytest.raises(UsageError, match=r"free\.tar.*decompress"):
        read_photos([packed], NOTHING)
    packed.write_bytes(packed.read_bytes()[:-3000])
    with pytest.raises(SourceError, match=r"free\.tar"):
        read_photos([packed])


def test_photos_that_went_away_are_named(tmp_path):
    content = jpeg_of(photograph("coffee")[:96, :96])
    tar = write_tar(tmp_path / "some.tar", {"a.jpg": content})
    photo = read_photos([tar], NOTHING)[0]
    os.truncate(tar, 600)
    with pytest.raises(SourceError, match=r"some\.tar: has become shorter"):
        _ = photo.content
    tar.unlink()
    with pytest.raises(SourceError, match=r"some\.tar"):
        _ = photo.content


def test_a_long_header_is_read_to_its_end(tmp_path):
    """A camera's file: previews and profiles stand before what says how large it is."""
    jpeg = jpeg_of(photograph("coffee")[:96, :96])
    filler = b"\xff\xe2" + (60_002).to_bytes(2, "big") + b"x" * 60_000
    members = {
        "one.jpg": jpeg[:2] + filler + jpeg[2:],
        "two.jpg": jpeg[:2] + 2 * filler + jpeg[2:],
        "small.jpg": jpeg[:2] + filler + jpeg_of(photograph("coffee")[:48, :96])[2:],
    }
    found = read_photos([write_tar(tmp_path / "camera.tar", members)])
    assert [photo.name for photo in found] == ["one.jpg", "two.jpg"]


def test_parts_are_parts_of_parts(place):
    photos = read_photos([place])
    some = PhotoSubset(PhotoSubset(photos, [5, 3, 1]), [2, 0])
    assert list(some) == [photos[1], photos[5]]
    assert list(photos[2:5][1:]) == [photos[3], photos[4]]
    assert some[-1] == photos[5]
    with pytest.raises(IndexError):
        some[2]
