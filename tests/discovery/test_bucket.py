import pytest

from archive_colorizer.discovery.walk import walk
from archive_colorizer.errors import SourceChanged, SourceError, StoreUnreachable, UsageError
from archive_colorizer.image.codecs.header import memory_of
from archive_colorizer.location import Address
from archive_colorizer.records.jobs import Source
from archive_colorizer.storage import objects
from archive_colorizer.storage.reading import check_unchanged, is_object, read_source
from tests.photographs import photograph


def test_a_bucket_is_walked_as_a_disk_is(bucket, tmp_path):
    settings = ("colorize.toml", "a/y/colorize.toml", "a/z.png.colorize.toml")
    beside = ("b.mask.png", "a/z.png.hints.png", "a/z.hints.png")
    others = ("b.jpg", "a/z.png", "a/y/x.tif", "a-b/c.txt", "Z.jpg", "ä.jpg", "._d.jpg")
    for name in settings + beside + others:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"\xff\xd8\xff rest of it all")
    bucket.fill(tmp_path, "scans/")
    there = list(walk(bucket.address / "scans", "box"))
    here = list(walk(tmp_path, "box"))
    assert [one.name for one in there] == [one.name for one in here]
    assert [type(one) for one in there] == [type(one) for one in here]
    for found, meant in zip(there, here, strict=True):
        if isinstance(found, Source):
            assert found.stamp.size == meant.stamp.size
            assert found.overrides == meant.overrides
            for one, other in zip(found.beside, meant.beside, strict=True):
                assert (one.role, one.name) == (other.role, other.name)
                assert one.stamp.size == other.stamp.size
        else:
            assert (found.reason, found.message) == (meant.reason, meant.message)


def test_one_object_is_a_root_too(bucket):
    bucket.put("scans/a.jpg", b"x")
    bucket.put("scans/a.jpg.colorize.toml", b"strength = 0.5")
    bucket.put("scans/a.mask.png", b"y")
    (source,) = walk(bucket.address / "scans/a.jpg")
    assert (source.name, str(source.place)) == ("a.jpg", f"{bucket.address}/scans/a.jpg")
    assert source.overrides == ("a.jpg.colorize.toml",)
    assert [one.name for one in source.beside] == ["a.mask.png"]
    assert is_object(bucket.address / "scans/a.jpg")
    assert not is_object(bucket.address / "scans")
    assert not is_object(bucket.address)


def test_an_empty_bucket_has_nothing_and_a_missing_folder_is_an_error(bucket):
    assert list(walk(bucket.address)) == []
    for place in (bucket.address / "nothing", Address("s3", "no-such-bucket")):
        with pytest.raises(SourceError, match="nothing at this address"):
            list(walk(place))


def test_a_bag_is_not_taken_without_its_checksums(bucket):
    bucket.put("bag/bagit.txt", b"")
    with pytest.raises(UsageError, match="copy it to a disk"):
        list(walk(bucket.address / "bag"))


def test_an_object_that_changes_is_noticed(bucket):
    bucket.put("a.jpg", b"before")
    (source,) = walk(bucket.address)
    data, stamp = read_source(source.place, source.stamp)
    assert (data, stamp) == (b"before", source.stamp) == read_source(source.place)
    check_unchanged(source.place, stamp)
    bucket.put("a.jpg", b"behind")
    with pytest.raises(SourceChanged):
        check_unchanged(source.place, stamp)
    bucket.put("a.jpg", b"longer than before")
    with pytest.raises(SourceChanged):
        read_source(source.place, source.stamp)
    bucket.remove("a.jpg")
    with pytest.raises(SourceChanged, match="went away"):
        check_unchanged(source.place, stamp)
    with pytest.raises(SourceError):
        read_source(source.place)


def test_a_store_that_does_not_answer_is_told_from_one_that_refuses(monkeypatch):
    place = Address("s3", "b", "a.jpg")
    for error, kind in (
        (ConnectionError(103, "Could not connect"), StoreUnreachable),
        (PermissionError(13, "Access Denied"), SourceError),
    ):

        def fail(*_, error=error):
            raise error

        monkeypatch.setattr(objects, "look", fail)
        for asked in (read_source, is_object, lambda one: check_unchanged(one, None)):
            with pytest.raises(kind, match=error.strerror) as told:
                asked(place)
            assert type(told.value) is kind


def test_the_memory_of_a_picture_is_read_from_its_first_bytes(bucket, tmp_path):
    from PIL import Image

    # What is no file is held while it is decoded, but for JPEG, which always is.
    for name, more in (("a.tif", 3), ("a.jpg", 0)):
        Image.fromarray(photograph("coffee")).save(tmp_path / name)
        bucket.put(name, (tmp_path / name).read_bytes())
        held = more * photograph("coffee")[..., 0].size
        assert memory_of(bucket.address / name) == memory_of(tmp_path / name) + held > held
    assert memory_of(bucket.address / "nothing") == 0
