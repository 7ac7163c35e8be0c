"""Stable files may be restored; files that are still written may not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.discovery.walk import walk
from archive_colorizer.pipeline.settled_files import StableFiles, is_stable, scan_files
from archive_colorizer.records.jobs import RejectedEntry, Stamp

A, B = Stamp(1, 1, 1, 1), Stamp(2, 2, 2, 1)


def test_a_file_rests_when_it_has_not_changed_for_as_long_as_was_asked():
    resting = StableFiles(10)
    resting.update({"a": A}, 100)
    assert (resting.list_stable(109), resting.get_seconds_left(109)) == ({}, 1)
    resting.update({"a": A}, 110)
    assert (resting.list_stable(110), resting.get_seconds_left(110)) == ({"a": A}, None)


def test_a_file_that_changes_begins_anew_and_one_that_goes_is_forgotten():
    resting = StableFiles(10)
    resting.update({"a": A}, 0)
    resting.update({"a": B}, 9)
    assert resting.list_stable(18) == {}
    resting.update({}, 18)
    resting.update({"a": B}, 19)
    assert resting.list_stable(28) == {}
    assert resting.list_stable(29) == {"a": B}


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=30))
def test_nothing_rests_that_changed_within_the_time(history):
    resting, now, changed, size = StableFiles(10), 0.0, 0.0, 0
    resting.update({"a": Stamp(0, 0, 0, 0)}, 0)
    for pause, changes in history:
        now += pause
        if changes:
            size, changed = size + 1, now
        resting.update({"a": Stamp(size, 0, 0, 0)}, now)
        assert bool(resting.list_stable(now)) == (now - changed >= 10)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", False),
        (".a.jpg.Xy12z0", True),  # rsync
        ("a.jpg.part", True),
        ("a.tif.filepart", True),
        ("A.JPG.CRDOWNLOAD", True),
        ("party.jpg", False),
    ],
)
def test_names_of_copying_programs_are_known(tmp_path, name, expected):
    (tmp_path / name).touch()
    assert (not scan_files(tmp_path)) == expected


def test_what_is_below_a_folder(tmp_path):
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "a.jpg").write_bytes(b"a")
    (tmp_path / "b.jpg.part").write_bytes(b"b")
    (tmp_path / "link").symlink_to(tmp_path / "box")
    found = scan_files(tmp_path)
    assert set(found) == {str(tmp_path / "box" / "a.jpg")}
    with pytest.raises(FileNotFoundError):
        scan_files(tmp_path / "none")


def test_only_what_is_as_it_rested_is_restored(tmp_path):
    for name in ("still.jpg", "grown.jpg", "new.jpg.part"):
        Path(tmp_path, name).write_bytes(b"\xff\xd8\xff\xe0 as a JPEG begins")
    at_rest = scan_files(tmp_path)
    with (tmp_path / "grown.jpg").open("ab") as stream:
        stream.write(b"more")
    (tmp_path / "late.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "link.jpg").symlink_to("still.jpg")
    wanted = [one for one in walk(tmp_path) if is_stable(one, at_rest)]
    assert [one.relative for one in wanted] == ["link.jpg", "still.jpg"]
    assert isinstance(wanted[0], RejectedEntry)


def test_a_photograph_waits_for_what_lies_beside_it(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"scan")
    (tmp_path / "a.mask.png").write_bytes(b"half")
    photograph = next(one for one in walk(tmp_path) if one.relative == "a.jpg")
    at_rest = scan_files(tmp_path)
    assert is_stable(photograph, at_rest)
    del at_rest[f"{tmp_path}/a.mask.png"]
    assert not is_stable(photograph, at_rest)
