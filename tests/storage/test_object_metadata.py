import base64
import json
import zlib

from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.records.jobs import Stamp
from archive_colorizer.records.json_lines import parse_outcome
from archive_colorizer.records.outcomes import Measures, Outcome, State
from archive_colorizer.storage.object_metadata import decode_facts, decode_line, encode_outcome

DIGEST = "0123456789abcdef" * 4


def made(name: str, warnings: tuple[str, ...] = ()) -> Outcome:
    return Outcome(
        key=DIGEST,
        name=name,
        state=State.DONE,
        source_stamp=Stamp(1, 2, 0, 3),
        source_sha256=DIGEST,
        target=name,
        target_sha256=DIGEST,
        warnings=warnings,
        measures=Measures(grey=0.1, one_color=0.2, blotches=0.3, clipped=0.4),
        settings=DIGEST,
        width=3,
        height=2,
    )


CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0/")
ESCAPES = st.integers(0xDC80, 0xDCFF).map(chr)
"""Bytes that are no UTF-8, as Python writes them; no other surrogate is in a file's name."""


@given(st.text(CHARACTERS | ESCAPES, min_size=1, max_size=200))
def test_an_outcome_comes_back_as_it_was(name):
    outcome = made("box/" + name.replace(".", "x"))
    note = encode_outcome(outcome)
    assert note.isascii()
    assert len(note) <= 1800
    assert parse_outcome(decode_line(note)) == outcome


def test_what_is_too_long_leaves_warnings_out_and_says_so():
    words = tuple(f"{number * 7919:x} is odd" for number in range(2000))
    outcome = parse_outcome(decode_line(encode_outcome(made("a.jpg", words))))
    assert outcome.warnings == ("the warnings of this result were too long to be stored with it",)
    assert outcome.target_sha256 == DIGEST


def test_what_somebody_else_has_written_is_no_note():
    bomb = base64.b64encode(zlib.compress(b" " * 10_000_000)).decode()[:3000]
    deep = base64.b64encode(zlib.compress(b"[" * 60_000)).decode()
    listed = base64.b64encode(zlib.compress(json.dumps([1]).encode())).decode()
    for note in (None, "", "x", "ÄÖ", "AAAA", bomb, deep, listed):
        assert decode_facts(note) == {}
