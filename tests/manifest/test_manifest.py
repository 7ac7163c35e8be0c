"""The manifest survives whatever is done to it."""

import errno
import json
import os
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive_colorizer.errors import OutputError
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.records.json_lines import to_line
from archive_colorizer.records.outcomes import Outcome, Provenance, State

PROVENANCE = Provenance(
    run="r",
    started="2026-01-01",
    version="0",
    command=("archive-colorize",),
    host="h",
    roots=("/in",),
    recipe={},
    settings="s",
    model="m",
    model_sha256="0",
    model_licence="l",
    provider="CPUExecutionProvider",
    libraries={},
)


def outcome(name: str, state: State = State.DONE, **more: Any) -> Outcome:
    target = name if state is State.DONE else None
    return Outcome(**{"key": "k", "name": name, "state": state, "target": target, **more})


def names(manifest: Manifest, among: list[str]) -> list[str]:
    return [name for name in among if manifest.find_newest(name) is not None]


def test_what_is_appended_is_found_at_once_and_later(tmp_path: Path) -> None:
    first, second = outcome("a.jpg", key="1"), outcome("a.jpg", key="2")
    other = outcome("caf\udce9\n.jpg", State.FAILED, reason="damaged", message="cut " * 3000)
    with Manifest.open(tmp_path) as manifest:
        manifest.append([PROVENANCE, first, other])
        assert manifest.find_newest("a.jpg") == first
        manifest.append([second])
        assert manifest.find_newest("a.jpg") == second
    for again in (Manifest.open(tmp_path), Manifest.peek(tmp_path)):
        with again:
            assert len(again) == 2
            assert again.find_newest("a.jpg") == second
            assert again.find_newest(other.name) == other
            assert again.find_newest("b.jpg") is None
            assert again.warning is None


def test_it_is_json_a_line(tmp_path: Path) -> None:
    with Manifest.open(tmp_path) as manifest:
        manifest.append([PROVENANCE, outcome("a.jpg")])
    lines = (tmp_path / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["provenance", "outcome"]


def test_the_last_result_is_known_after_a_failure(tmp_path: Path) -> None:
    made = outcome("A.jpg")
    steps = [made, outcome("A.jpg", State.FAILED), outcome("A.jpg", State.FAILED)]
    with Manifest.open(tmp_path) as manifest:
        manifest.append(steps)
    with Manifest.open(tmp_path) as manifest:
        newest = manifest.find_newest("A.jpg")
        assert newest is not None
        assert newest.state is State.FAILED
        assert manifest.find_newest_done("A.jpg") == made
        assert manifest.has_target("a.JPG")
        manifest.append([outcome("A.jpg", key="new")])
        assert manifest.find_newest_done("A.jpg") == manifest.find_newest("A.jpg")


FIVE = [f"p{number}.jpg" for number in range(5)]
WHOLE = b"".join(to_line(one) for one in [PROVENANCE, *map(outcome, FIVE)])


@given(st.integers(0, len(WHOLE)))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_torn_anywhere(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(WHOLE[:cut])
    ends = [i + 1 for i, byte in enumerate(WHOLE) if byte == 10]
    # A record that lacks only its newline is whole.
    whole = sum(end - 1 <= cut for end in ends[1:])
    with Manifest.open(tmp_path) as manifest:
        assert names(manifest, FIVE) == FIVE[:whole]
        assert manifest.ignored == 0
        manifest.append([outcome("new.jpg")])
    healed = path.read_bytes()
    assert healed.endswith(to_line(outcome("new.jpg")))
    assert all(json.loads(line) for line in healed.splitlines())
    with Manifest.open(tmp_path) as manifest:
        assert names(manifest, [*FIVE, "new.jpg"]) == [*FIVE[:whole], "new.jpg"]


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=30))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_overwritten_anywhere(tmp_path: Path, at: int, junk: bytes) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(WHOLE[:at] + junk + WHOLE[at + len(junk) :])
    with Manifest.open(tmp_path) as manifest:
        manifest.append([outcome("new.jpg")])
        assert manifest.find_newest("new.jpg") == outcome("new.jpg")
        # At most the lines that the junk touches are gone.
        assert len(names(manifest, FIVE)) >= 5 - 2 - junk.count(b"\n")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 5000,
        os.urandom(4096),
        pickle.dumps({"kind": "outcome"}),
        b'{"a": "' + b"A" * (30 << 20) + b'"}\n',
        WHOLE.replace(b"\n", b"\0\n"),
        WHOLE.replace(b"p0.jpg", b"../victim.jpg").replace(b"p1.jpg", b"/victim.jpg"),
    ],
    ids=["empty", "nul", "garbage", "pickle", "huge", "nul-lines", "traversal"],
)
def test_hostile_content_is_ignored_and_counted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(content)
    with Manifest.open(tmp_path) as manifest:
        assert not names(manifest, ["p0.jpg", "p1.jpg", "../victim.jpg", "/victim.jpg"])
        assert (manifest.warning is None) == (not content)
        assert str(path) in (manifest.warning or str(path))
        manifest.append([outcome("new.jpg")])
    with Manifest.open(tmp_path) as manifest:
        assert manifest.find_newest("new.jpg") == outcome("new.jpg")


def test_what_is_not_ours_is_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(b"somebody's notes")
    Manifest.open(tmp_path).close()
    assert path.read_bytes() == b"somebody's notes\n"


def test_peek_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    with Manifest.peek(tmp_path / "nowhere") as manifest:
        assert manifest.find_newest("p0.jpg") is None
    assert not path.exists()
    path.write_bytes(WHOLE[:-20])
    with Manifest.peek(tmp_path) as manifest:
        assert names(manifest, FIVE) == FIVE[:4]
    assert path.read_bytes() == WHOLE[:-20]


def test_a_link_or_a_fifo_is_no_manifest(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"PRECIOUS")
    path = tmp_path / "manifest.jsonl"
    path.symlink_to(victim)
    for how in (Manifest.open, Manifest.peek):
        with pytest.raises(OutputError, match=r"manifest\.jsonl"):
            how(tmp_path)
    path.unlink()
    os.mkfifo(path)
    for how in (Manifest.open, Manifest.peek):
        with pytest.raises(OutputError, match="not a regular file"):
            how(tmp_path)
    assert victim.read_bytes() == b"PRECIOUS"


def test_a_failed_append_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Manifest.open(tmp_path) as manifest:
        manifest.append([outcome("a.jpg")])
        before = (tmp_path / "manifest.jsonl").read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OutputError, match="No space left on device"):
                manifest.append([outcome("b.jpg")])
        assert (tmp_path / "manifest.jsonl").read_bytes() == before
        assert manifest.find_newest("b.jpg") is None
        manifest.append([outcome("c.jpg")])
        assert manifest.find_newest("c.jpg") == outcome("c.jpg")


def test_a_record_that_changes_under_a_run_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(WHOLE)
    with Manifest.open(tmp_path) as manifest:
        path.write_bytes(WHOLE.replace(b"p1.jpg", b"p3.jpg"))
        assert names(manifest, FIVE) == ["p0.jpg", "p2.jpg", "p3.jpg", "p4.jpg"]


def test_the_index_is_small(tmp_path: Path) -> None:
    import tracemalloc

    many = [outcome(f"box{i % 100:03}/photo_{i:06}.jpg", message="x" * 300) for i in range(20_000)]
    with Manifest.open(tmp_path) as manifest:
        manifest.append(many)
    del many
    tracemalloc.start()
    with Manifest.open(tmp_path) as manifest:
        used = tracemalloc.get_traced_memory()[0]
        assert len(manifest) == 20_000
    tracemalloc.stop()
    assert used / 20_000 < 500
    assert asdict(PROVENANCE)["run"] == "r"
