import pytest

from archive_colorizer.discovery.walk import walk
from archive_colorizer.errors import SourceChanged, SourceError, StoreUnreachable, UsageError
from archive_colorizer.image.codecs.header import estimate_picture_memory
from archive_colorizer.location import ObjectLocation
from archive_colorizer.records.jobs import Source
from archive_colorizer.storage.object_storage import ObjectStorage
from archive_colorizer.storage.reading import get_storage, read_source
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
    assert (source.name, str(source.location)) == ("a.jpg", f"{bucket.address}/scans/a.jpg")
    assert source.overrides == ("a.jpg.colorize.toml",)
    assert [one.name for one in source.beside] == ["a.mask.png"]
    assert not get_storage(bucket.address).is_file()


def test_an_empty_bucket_has_nothing_and_a_missing_folder_is_an_error(bucket):
    assert list(walk(bucket.address)) == []
    for place in (bucket.address / "nothing", ObjectLocation("s3", "no-such-bucket")):
        with pytest.raises(SourceError, match="nothing at this address"):
            list(walk(place))


def test_a_bag_is_not_taken_without_its_checksums(bucket):
    bucket.put("bag/bagit.txt", b"")
    with pytest.raises(UsageError, match="copy it to a disk"):
        list(walk(bucket.address / "bag"))


def test_an_object_that_grew_since_it_was_listed_is_not_read(bucket):
    bucket.put("a.jpg", b"before")
    (source,) = walk(bucket.address)
    assert read_source(source.location, source.stamp) == (b"before", source.stamp)
    bucket.put("a.jpg", b"longer than before")
    with pytest.raises(SourceChanged):
        read_source(source.location, source.stamp)


def test_keys_that_no_path_can_have_come_as_failures(bucket):
    for key in ("a.jpg", "a.jpg/b.jpg", "x//y.jpg", "in/", "in/../c.jpg", "d.jpg?versionId=1"):
        bucket.put(f"scans/{key}", b"content")
    entries = {entry.relative: entry for entry in walk(bucket.address / "scans")}
    sources = [name for name, entry in entries.items() if isinstance(entry, Source)]
    assert sources == ["a.jpg/b.jpg", "a.jpg"]
    odd = {name for name, entry in entries.items() if entry.name not in sources}
    assert odd == {"d.jpg?versionId=1", "in/", "in/../", "x//"}
    assert {entries[name].reason for name in odd} == {"target-name"}


def test_a_store_that_does_not_answer_is_told_from_one_that_refuses(monkeypatch):
    place = ObjectLocation("s3", "b", "a.jpg")
    for error, kind in (
        (ConnectionError(103, "Could not connect"), StoreUnreachable),
        (PermissionError(13, "Access Denied"), SourceError),
    ):

        def fail(*_, error=error):
            raise error

        monkeypatch.setattr(ObjectStorage, "read_info", fail)
        for asked in (
            read_source,
            lambda one: get_storage(one).is_file(),
            lambda one: get_storage(one).check_unchanged(None),
        ):
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
        assert (
            estimate_picture_memory(bucket.address / name)
            == estimate_picture_memory(tmp_path / name) + held
            > held
        )
    assert estimate_picture_memory(bucket.address / "nothing") == 0
