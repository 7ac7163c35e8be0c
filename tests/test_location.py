import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import UsageError
from archive_colorizer.location import (
    ObjectLocation,
    has_scheme,
    parse_location,
    require_path,
    to_location,
)

PART = st.text(st.characters(codec="utf-8", exclude_characters="/?#\0"), min_size=1, max_size=9)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("s3://scans", ObjectLocation("s3", "scans")),
        ("s3://scans/", ObjectLocation("s3", "scans")),
        ("s3a://scans/a/b c/", ObjectLocation("s3", "scans", "a/b c")),
        ("S3://scans/A", ObjectLocation("s3", "scans", "A")),
        ("gcs://scans/a", ObjectLocation("gs", "scans", "a")),
        ("abfss://scans/a", ObjectLocation("az", "scans", "a")),
    ],
)
def test_an_address_is_a_bucket_and_a_key(written, meant):
    assert parse_location(written) == meant
    assert to_location(str(meant)) == meant


@pytest.mark.parametrize("path", ["scans", "/a/s3:/b", "./s3://x", "C:\\scans", "a:b", "s3:/a"])
def test_what_has_no_scheme_is_a_path(path):
    assert not has_scheme(path)
    assert parse_location(path) == to_location(path) == require_path(parse_location(path))


@pytest.mark.parametrize(
    "written",
    [
        "s3://AKIAIOSFODNN7EXAMPLE:hunter2@scans/a",
        "s3://hunter2@scans/a",
        "s3://scans:443/hunter2",
        "s3://scans/a?X-Amz-Signature=hunter2",
        "az://scans/a?sig=hunter2",
        "gs://scans/a#hunter2",
    ],
)
def test_passwords_and_tokens_are_refused_and_never_repeated(written):
    with pytest.raises(UsageError) as told:
        parse_location(written)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    "written",
    ["s3://", "s3:///a", "s3://b/../c", "s3://b/a//c", "s3://b/./c", "ftp://b/a", "x://b"],
)
def test_what_names_no_place_is_refused(written):
    with pytest.raises(UsageError):
        parse_location(written)


def test_a_record_leads_to_known_stores_only():
    assert not isinstance(to_location("https://example.org/a"), ObjectLocation)


@given(st.lists(PART, max_size=4), st.lists(PART, max_size=4))
def test_an_address_holds_what_lies_below_it_and_nothing_else(above, below):
    outer = ObjectLocation("s3", "b", "/".join(above))
    inner = ObjectLocation("s3", "b", "/".join([*above, *below]))
    assert outer.contains(inner)
    assert inner.contains(outer) == (not below)
    assert not ObjectLocation("s3", "c", outer.key).contains(inner)
    if above:
        assert not outer.contains(ObjectLocation("s3", "b", outer.key + "-colorized"))


def test_parts_of_an_address():
    place = ObjectLocation("s3", "b", "box/a.jpg")
    assert (place.name, place.stem, str(place.parent)) == ("a.jpg", "a", "s3://b/box")
    assert str(place.parent.parent / "c") == "s3://b/c"
    assert place.parent.parent.name == "b"


def test_what_works_on_files_only_says_so():
    with pytest.raises(UsageError, match="copy it to a disk"):
        require_path(ObjectLocation("s3", "b", "a"))
