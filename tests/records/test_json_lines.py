"""Records as lines, and back."""

import io
import json
import os
import pickle
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.records.jobs import Stamp
from archive_colorizer.records.json_lines import MAX_LINE_BYTES, iter_lines, parse_outcome, to_line
from archive_colorizer.records.outcomes import Measures, Outcome, State
from archive_colorizer.records.paths import is_name, is_target

NAMES = st.binary(min_size=1, max_size=40).map(os.fsdecode).filter(is_name)
WHOLE = st.integers(-(2**63), 2**63)
SIZES = st.integers(0, 2**63 - 1)
STAMPS = st.builds(Stamp, SIZES, WHOLE, WHOLE, WHOLE)
TEXTS = st.text(max_size=20)
FIGURES = st.floats(0, 10)
MEASURES = st.builds(
    Measures,
    grey=FIGURES,
    one_color=FIGURES,
    blotches=FIGURES,
    clipped=FIGURES,
    skin=st.none() | FIGURES,
)
OUTCOMES = st.builds(
    Outcome,
    key=TEXTS,
    name=NAMES,
    state=st.sampled_from(State),
    source_stamp=st.none() | STAMPS,
    source_sha256=st.none() | TEXTS,
    target=st.none() | NAMES.filter(is_target),
    target_stamp=st.none() | STAMPS,
    reason=st.none() | TEXTS,
    warnings=st.lists(TEXTS, max_size=3).map(tuple),
    weak=st.lists(TEXTS, max_size=3).map(tuple),
    measures=st.none() | MEASURES,
    width=st.none() | st.integers(1, 10**6),
    seconds=st.floats(0, 1e6),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(OUTCOMES)
def test_there_and_back(outcome: Outcome) -> None:
    line = to_line(outcome)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert parse_outcome(line) == outcome


@given(OUTCOMES, st.data())
def test_a_field_of_a_wrong_type_is_refused_or_means_the_same(
    outcome: Outcome, data: st.DataObject
) -> None:
    raw = {"kind": "outcome", **asdict(outcome)}
    raw[data.draw(st.sampled_from(sorted(raw)))] = data.draw(JSON)
    try:
        read = parse_outcome(json.dumps(raw).encode())
    except ValueError:
        return
    if read is not None:
        assert parse_outcome(to_line(read)) == read
        assert read.target is None or is_target(read.target)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError):
        parse_outcome(line)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("target", "/etc/passwd"),
        ("target", "../x.jpg"),
        ("target", "manifest.jsonl"),
        ("name", "a\0b"),
        ("name", "\ud800"),
        ("state", "finished"),
        ("width", True),
        ("seconds", float("inf")),
        ("seconds", float("nan")),
        ("seconds", 10**400),
        ("source_stamp", [1, 2, 3, 4]),
        ("source_stamp", {"size": 1}),
        ("warnings", "text"),
        ("weak", "grey"),
        ("measures", [0.1]),
        ("measures", {"grey": 0.1}),
        ("measures", {"grey": "x", "one_color": 0, "blotches": 0, "clipped": 0, "skin": None}),
        ("key", None),
    ],
)
def test_hostile_fields(field: str, value: Any) -> None:
    raw = {"kind": "outcome", **asdict(Outcome(key="k", name="n", state=State.DONE)), field: value}
    with pytest.raises(ValueError):
        parse_outcome(json.dumps(raw).encode())


def test_hostile_lines() -> None:
    for line in (b"[" * 100_000, b"9" * 10_000, pickle.dumps({"kind": "outcome"}), b"\xff\xfe{"):
        with pytest.raises(ValueError):
            parse_outcome(line)


def test_offsets_and_a_line_too_long_to_be_ours() -> None:
    stream = io.BytesIO(b"one\n" + b"x" * (2 * MAX_LINE_BYTES + 5) + b"\ntwo\nto")
    lines = list(iter_lines(stream))
    assert [line for _, line in lines] == [b"one\n", b"\n", b"two\n", b"to"]
    for offset, line in (lines[0], *lines[2:]):
        stream.seek(offset)
        assert stream.read(len(line)) == line
