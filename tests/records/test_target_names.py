"""Names of results."""

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.records.paths import MAX_NAME_BYTES, choose_target, fold, is_target

PARTS = st.binary(min_size=1, max_size=255).map(lambda b: os.fsdecode(b.replace(b"/", b"_")))
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join).filter(is_target)


def free(_: str) -> bool:
    return False


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../victim.jpg",
        "a/../../b.jpg",
        "a//b.jpg",
        "./a.jpg",
        "a/",
        "a\0b.jpg",
        "\ud800.jpg",
        "manifest.jsonl",
        "MANIFEST.JSONL",
        ".work/lock",
        ".Work/lock",
    ],
)
def test_no_place_for_a_result(path: str) -> None:
    assert not is_target(path)


@pytest.mark.parametrize("path", ["a.jpg", "a/b/c.tif", "..a/b", "caf\udce9.jpg", "a\nb", "a\\b"])
def test_a_place_for_a_result(path: str) -> None:
    assert is_target(path)


def test_case_and_normalisation_twins_fold_alike() -> None:
    assert fold("Case/É.JPG") == fold("case/" + unicodedata.normalize("NFD", "é") + ".jpg")
    assert fold("a.jpg") != fold("b.jpg")


@given(NAMES)
def test_a_free_name_is_kept(name: str) -> None:
    assert choose_target(name, free) == name


@given(NAMES)
def test_a_taken_name_gets_a_suffix_and_stays_short_enough(name: str) -> None:
    target = choose_target(name, lambda path: path == name)
    assert target != name
    assert is_target(target)
    assert target.rpartition("/")[0] == name.rpartition("/")[0]
    assert len(os.fsencode(target.rpartition("/")[2])) <= max(MAX_NAME_BYTES, 7)
    assert target == choose_target(name, lambda path: path == name)


def test_the_extension_is_kept() -> None:
    target = choose_target("box/" + "n" * 251 + ".jpg", lambda path: "~" not in path)
    assert target.endswith(".jpg")
    assert len(target) == len("box/") + MAX_NAME_BYTES


def test_a_scan_called_like_our_own_files_goes_elsewhere() -> None:
    for name in ("manifest.jsonl", ".work/lock", ".WORK/a.jpg"):
        assert is_target(choose_target(name, free))


def test_two_suffixes_that_meet_get_longer() -> None:
    first = choose_target("a.jpg", lambda path: path == "a.jpg")
    second = choose_target("a.jpg", lambda path: path in ("a.jpg", first))
    assert len(second) > len(first)
