"""What a manifest says in the end."""

import json

import pytest

from archive_colorizer.errors import SourceError
from archive_colorizer.manifest.reader import ManifestReader
from archive_colorizer.records.json_lines import to_line
from archive_colorizer.records.outcomes import Outcome, Provenance, State


def opening(run: str, settings: str = "s", model: str = "m") -> Provenance:
    return Provenance(
        run=run,
        started="2026-01-02T03:04:05+00:00",
        version="0.1.0",
        command=("run", "scans"),
        host="here",
        roots=("/scans",),
        recipe={"strength": 1.0},
        settings=settings,
        model="constant",
        model_sha256=model,
        model_licence="Apache-2.0",
        provider="CPUExecutionProvider",
        libraries={"numpy": "2"},
    )


def outcome(name: str, state: State = State.DONE, settings: str = "s", **more) -> Outcome:
    target = name if state is State.DONE else None
    return Outcome(
        key="k",
        name=name,
        state=state,
        target=target,
        settings=settings,
        model_sha256="m",
        **more,
    )


def written(folder, *records, tail=b""):
    lines = [one if isinstance(one, bytes) else to_line(one) for one in records]
    (folder / "manifest.jsonl").write_bytes(b"".join(lines) + tail)
    return ManifestReader.open(folder)


def names(entries):
    return [entry.outcome.name for entry in entries]


def test_the_newest_line_of_a_name_counts(tmp_path):
    account = written(
        tmp_path,
        opening("1"),
        outcome("a", State.FAILED, reason="damaged"),
        outcome("b"),
        outcome("a"),
    )
    assert names(account.iterate_newest()) == ["b", "a"]
    assert {entry.outcome.state for entry in account.iterate_newest()} == {State.DONE}
    assert (len(account), account.result_count) == (2, 2)


def test_a_result_outlives_a_later_failure(tmp_path):
    account = written(tmp_path, opening("1"), outcome("a"), outcome("a", State.FAILED))
    assert [entry.outcome.state for entry in account.iterate_newest()] == [State.FAILED]
    assert [entry.outcome.state for entry in account.iterate_done()] == [State.DONE]


def test_each_outcome_knows_its_run(tmp_path):
    account = written(
        tmp_path, opening("1"), outcome("a"), opening("2", "t"), outcome("b", settings="t")
    )
    assert [entry.run.run for entry in account.iterate_newest()] == ["1", "2"]
    assert [run.run for run in account.runs] == ["1", "2"]


def test_what_a_killed_run_made_is_not_credited_to_other_settings(tmp_path):
    adopted, strange = outcome("a", settings="t"), outcome("b", settings="unheard")
    account = written(tmp_path, opening("1"), adopted, strange, opening("2", "t"))
    assert [entry.run and entry.run.run for entry in account.iterate_newest()] == ["2", None]


def test_an_opening_survives_as_it_was(tmp_path):
    account = written(tmp_path, opening("1"))
    assert account.runs == [opening("1")]


def test_torn_and_foreign_lines_are_passed_over(tmp_path):
    torn = to_line(outcome("c"))[:-1]
    account = written(tmp_path, b"rubbish\n", outcome("a"), b'{"kind": 7}\n', tail=torn)
    assert names(account.iterate_newest()) == ["a"]
    assert account.ignored == 2


WRONG = {
    "run": 5,
    "roots": "x",
    "recipe": [],
    "command": [1],
    "libraries": {"numpy": 2},
    "host": None,
}


@pytest.mark.parametrize(
    "changed",
    [
        *({name: value} for name, value in WRONG.items()),
        *({"roots": [root]} for root in ("", "\0", "\ud800")),
        {"recipe": {"strength": float("nan")}},
        {"recipe": {"page": 2**70}},
        {"recipe": {"a": json.loads("[" * 500 + "]" * 500)}},
    ],
    ids=lambda changed: str(changed)[:40],
)
def test_an_opening_of_wrong_types_is_no_record(tmp_path, changed):
    line = json.dumps({"kind": "provenance", "run": "1", **changed})
    account = written(tmp_path, line.encode() + b"\n", outcome("a"))
    assert (account.runs, account.ignored) == ([], 1)
    assert names(account.iterate_newest()) == ["a"]


def test_an_opening_of_an_older_version_is_read_without_what_it_lacks(tmp_path):
    line = json.dumps({"kind": "provenance", "run": "1", "roots": ["x"], "later": [1]})
    account = written(tmp_path, line.encode() + b"\n")
    (run,) = account.runs
    assert (run.run, run.roots, run.recipe, run.command) == ("1", ("x",), {}, ())


def test_lines_that_come_later_do_not_count(tmp_path):
    account = written(tmp_path, opening("1"), outcome("a"))
    with (tmp_path / "manifest.jsonl").open("ab") as stream:
        stream.write(to_line(outcome("a", State.FAILED)) + to_line(outcome("b")))
    assert names(account.iterate_newest()) == ["a"]


@pytest.mark.parametrize("what", ["nothing", "link", "folder"])
def test_only_a_regular_file_is_a_manifest(tmp_path, what):
    place = tmp_path / "manifest.jsonl"
    if what == "link":
        (tmp_path / "real").write_bytes(b"")
        place.symlink_to("real")
    elif what == "folder":
        place.mkdir()
    with pytest.raises(SourceError):
        ManifestReader.open(tmp_path)
