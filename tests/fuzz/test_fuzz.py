"""A short round of fuzzing, always the same, and proof that it would notice."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.image.codecs import registry as stills
from tests.fuzz import child, targets
from tests.fuzz.campaign import EDITS, Reader, edited, search
from tests.fuzz.seeds import SEEDS, jpegs, pictures

CASES = {"still": 120, "lossless": 60, "bag": 40}


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as one:
        yield one


@pytest.mark.parametrize("target", list(SEEDS))
def test_nothing_breaks_what_reads(reader: Reader, target: str) -> None:
    seeds = SEEDS[target]()
    sound = [reader.read(target, one) for one in seeds]
    assert sound == [None] * len(seeds)
    assert search(reader, target, seeds, CASES.get(target, 150), number=0) is None


def test_seeds_are_pictures_of_every_kind() -> None:
    kinds = {stills.decode(one, "seed", targets.PIXELS).format for one in pictures()}
    assert kinds >= set(stills.WRITERS)
    assert len(jpegs()) >= 4


def test_what_goes_wrong_is_found_and_made_small(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fragile(_self: Reader, _target: str, data: bytes) -> str | None:
        return "a crash" if b"\xff" in data else None

    monkeypatch.setattr(Reader, "read", fragile)
    found = search(reader, "still", [b"abcdefgh"], 200, number=0)
    assert found is not None
    data, said = found
    assert said == "a crash"
    assert data.count(b"\xff") == 1
    assert len(data) <= len(b"abcdefgh") + 1


def test_an_error_a_crash_and_a_loop_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def wrong(_data: bytes, _folder: Path) -> None:
        raise ValueError("not promised")

    monkeypatch.setitem(targets.TARGETS, "wrong", wrong)
    said = child.answer("wrong", b"", tmp_path)
    assert said is not None
    assert "ValueError: not promised" in said
    with Reader() as one:
        assert "KeyError" in (one.read("no-such-target", b"") or "")
        assert one.read("contract", b"{}") is None
        assert one._child is not None
        one._child.send_signal(signal.SIGPROF)
        assert f"ended with {-signal.SIGPROF}" in (one.read("contract", b"{}") or "")
        assert one.read("contract", b"{}") is None


@given(st.binary(max_size=9), st.sampled_from(list(EDITS)), st.integers(0, 20), st.binary())
def test_edits_take_any_place(seed: bytes, kind: str, place: int, what: bytes) -> None:
    assert isinstance(edited(seed, [(kind, place, what), (kind, 1.0, what)]), bytes)
