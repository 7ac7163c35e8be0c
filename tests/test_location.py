import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import UsageError
from archive_colorizer.location import Address, given_place, is_address, on_disk, place_of

PART = st.text(st.characters(codec="utf-8", exclude_characters="/?#\0"), min_size=1, max_size=9)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("s3://scans", Address("s3", "scans")),
        ("s3://scans/", Address("s3", "scans")),
        ("s3a://scans/a/b c/", Address("s3", "scans", "a/b c")),
        ("S3://scans/A", Address("s3", "scans", "A")),
        ("gcs://scans/a", Address("gs", "scans", "a")),
        ("abfss://scans/a", Address("az", "scans", "a")),
    ],
)
def test_an_address_is_a_bucket_and_a_key(written, meant):
    assert given_place(written) == meant
    assert place_of(str(meant)) == meant


@pytest.mark.parametrize("path", ["scans", "/a/s3:/b", "./s3://x", "C:\\scans", "a:b", "s3:/a"])
def test_what_has_no_scheme_is_a_path(path):
    assert not is_address(path)
    assert given_place(path) == place_of(path) == on_disk(given_place(path))


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
        given_place(written)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    "written",
    ["s3://", "s3:///a", "s3://b/../c", "s3://b/a//c", "s3://b/./c", "ftp://b/a", "x://b"],
)
def test_what_names_no_place_is_refused(written):
    with pytest.raises(UsageError):
        given_place(written)


def test_a_record_leads_to_known_stores_only():
    assert not isinstance(place_of("https://example.org/a"), Address)


@given(st.lists(PART, max_size=4), st.lists(PART, max_size=4))
def test_an_address_holds_what_lies_below_it_and_nothing_else(above, below):
    outer = Address("s3", "b", "/".join(above))
    inner = Address("s3", "b", "/".join([*above, *below]))
    assert outer.holds(inner)
    assert inner.holds(outer) == (not below)
    assert not Address("s3", "c", outer.key).holds(inner)
    if above:
        assert not outer.holds(Address("s3", "b", outer.key + "-colorized"))


def test_parts_of_an_address():
    place = Address("s3", "b", "box/a.jpg")
    assert (place.name, place.stem, str(place.parent)) == ("a.jpg", "a", "s3://b/box")
    assert str(place.parent.parent / "c") == "s3://b/c"
    assert place.parent.parent.name == "b"


def test_what_works_on_files_only_says_so():
    with pytest.raises(UsageError, match="copy it to a disk"):
        on_disk(Address("s3", "b", "a"))
