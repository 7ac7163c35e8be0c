"""A manifest that anyone may have written: no line of it makes a command end as a bug."""

import json
from dataclasses import fields

import pytest

from archive_colorizer.records.outcomes import Outcome, Provenance

DEEP = json.loads("[" * 200 + "]" * 200)
VALUES = (
    *(None, True, -1, 2**31, 2**63, 2**70, 10**300, -(2**70), 1.5, float("nan"), float("inf")),
    *("", "\ud800", "\udcff", "\0", "\n", "\u202e", "../x", "/", "//[", "a" * 70_000, "=1+1;=1+1"),
    *([], ["\ud800"], ["\0"], [""], [1], [None], ["//["], {}, {"\ud800": "\ud800"}, {"a": None}),
    *({"page": 2**70}, {"page": True}, {"page": 2**31}, {"page": 7}, {"a": DEEP}, {"a": 2**70}),
    *({"strength": float("nan")}, {"sharpen": 1e308, "sharpen_radius": 1}, {"profile": ["keep"]}),
    *({"size": 2**70, "mtime_ns": 2**70, "ctime_ns": 0, "inode": 2**70}, {"grey": float("inf")}),
    *({"names": ["\ud800"], "settings": {"page": 2**70, "a": DEEP}, "run": "\ud800"}, [{}]),
)


def to_lines(records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.fixture
def output(command, scans, model, tmp_path):
    """A real output, whose manifest goes on with a hostile line for each field and value."""
    command("run", scans, "--model", model, "--executor", "serial", "--quiet")
    folder = scans.with_name("scans-colorized")
    manifest = folder / "manifest.jsonl"
    lines = [json.loads(line) for line in manifest.read_bytes().splitlines()]
    outcomes = [line for line in lines if line["kind"] == "outcome"]
    run = next(line for line in lines if line["kind"] == "provenance")
    hostile = []
    for field in fields(Provenance):
        for value in VALUES:
            number = len(hostile)
            # The outcome is of this run, and thus shown with it.
            name = {"run": f"r{number}", "settings": f"s{number}"}
            hostile.append({**run, **name, field.name: value})
            hostile.append({**outcomes[0], "name": f"copy{number}.png", "settings": f"s{number}"})
    for field in fields(Outcome):
        hostile += [{**outcomes[1], "name": f"{field.name}.png", field.name: v} for v in VALUES]
        hostile += [
            {**outcomes[1], "name": f"{field.name}{number}.png", field.name: value}
            for number, value in enumerate(VALUES)
        ]
    manifest.write_bytes(manifest.read_bytes() + to_lines(hostile))
    return folder


@pytest.mark.parametrize(
    "words",
    [
        *(["report", "{}", "--format", kind] for kind in ("json", "csv", "premis", "text")),
        ["report", "{}", "--format", "parquet", "--output", "{}.parquet"],
        ["report", "{}", "--format", "html"],
        ["verify", "{}"],
        ["verify", "{}", "--deep"],
        ["verify", "{}", "--json"],
        ["bag", "{}", "{}.bag"],
    ],
    ids=" ".join,
)
def test_no_line_of_a_manifest_is_a_bug(command, output, words):
    result = command(*(word.replace("{}", str(output)) for word in words))
    assert "Traceback" not in result.stderr
    assert result.returncode in (0, 5, 6, 7)
    if "json" in words:
        json.loads(result.stdout, parse_constant=pytest.fail)


def test_a_run_goes_on_after_any_line(command, output, scans, model):
    result = command("run", scans, "--model", model, "--executor", "serial", "--quiet")
    assert "Traceback" not in result.stderr
    assert result.returncode in (0, 7)
