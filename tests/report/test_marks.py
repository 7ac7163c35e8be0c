"""Marks from a file that anybody may have written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import UsageError
from archive_colorizer.report.marks import KIND, Mark, parse_marks, read_marks


def written(*marks, **changed):
    return json.dumps({"kind": KIND, "version": 1, "marks": list(marks), **changed}).encode()


def test_marks_are_read_and_a_note_may_be_missing():
    data = written(
        {"name": "a/b.png", "mark": "redo", "note": "sky"}, {"name": "b\udcff", "mark": ""}
    )
    assert parse_marks(data) == (Mark("a/b.png", "redo", "sky"), Mark("b\udcff", ""))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[]", b"\xff\xfe", b"[" * 100_000, b"null",
        written(kind="other"), written(version=2), written(marks={}), written(more=1),
        written("a.png"), written({"name": "a.png"}), written({"name": 1, "mark": "redo"}),
        written({"name": "", "mark": "redo"}), written({"name": "a\0", "mark": "redo"}),
        written({"name": "\ud800", "mark": "redo"}), written({"name": "a", "mark": "delete"}),
        written({"name": "a", "mark": ["redo"]}), written({"name": "a", "mark": "redo", "note": 1}),
        written({"name": "a", "mark": "redo", "note": "x" * 10_001}),
        written({"name": "a", "mark": "redo", "command": "rm"}),
        written({"name": "a", "mark": "redo"}, {"name": "a", "mark": "accept"}),
    ],
)  # fmt: skip
def test_anything_else_is_refused(data):
    with pytest.raises(ValueError):
        parse_marks(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_no_marks_or_raise(data):
    with pytest.raises(ValueError):
        parse_marks(data)


def test_a_file_that_is_missing_or_wrong_is_named(tmp_path):
    file = tmp_path / "marked.json"
    with pytest.raises(UsageError, match="cannot be read"):
        read_marks(file)
    file.write_bytes(b"{}")
    with pytest.raises(UsageError, match=r"marked\.json is not a file of marks"):
        read_marks(file)
