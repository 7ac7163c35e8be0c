"""`archive-colorize report`: forms, files and exit codes."""

import csv
import io
import json

import pytest


@pytest.fixture
def restored(command, scans, model):
    (scans / "notes.txt").write_text("words")
    (scans / "cut.png").write_bytes((scans / "a.png").read_bytes()[:2000])
    run = command("run", scans, "--model", model, "--executor", "serial")
    assert run.returncode == 7, run.stderr
    return scans.with_name("scans-colorized")


def test_text_counts_states_and_reasons(command, restored):
    said = command("report", restored)
    assert said.returncode == 0, said.stderr
    lines = [line.split() for line in said.stdout.splitlines()]
    assert ["3", "done"] in lines
    assert ["1", "failed:", "damaged"] in lines
    assert ["1", "skipped:", "not-a-picture"] in lines
    assert "5  files in all" in said.stdout
    assert "model constant" in said.stdout


def test_json_and_csv_on_stdout(command, restored):
    said = json.loads(command("report", restored, "--format", "json").stdout)
    assert len(said) == 5
    text = command("report", restored, "--format", "csv").stdout.removeprefix("\ufeff")
    assert {row["name"] for row in csv.DictReader(io.StringIO(text))} == {r["name"] for r in said}


@pytest.mark.parametrize(
    ("kind", "beginning"),
    [("parquet", b"PAR1"), ("premis", b"<?xml"), ("csv", b'\xef\xbb\xbf"name",')],
)
def test_a_file_of_each_form(command, restored, tmp_path, kind, beginning):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    file = tmp_path / "report"
    made = command("report", restored, "--format", kind, "--output", file)
    assert (made.returncode, made.stderr) == (0, "")
    assert file.read_bytes().startswith(beginning)
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_file_that_is_there_is_kept(command, restored, scans):
    before = (scans / "a.png").read_bytes()
    made = command("report", restored, "--format", "csv", "--output", scans / "a.png")
    assert made.returncode == 6
    assert (scans / "a.png").read_bytes() == before


def test_where_nothing_can_be_written_it_ends_with_6(command, restored, tmp_path):
    place = tmp_path / "no" / "such" / "folder.csv"
    assert command("report", restored, "--format", "csv", "--output", place).returncode == 6


def test_text_has_no_file(command, restored, tmp_path):
    assert command("report", restored, "--output", tmp_path / "x").returncode == 2


def test_without_a_manifest_there_is_nothing_to_report(command, tmp_path):
    assert command("report", tmp_path).returncode == 5


def test_html_is_a_folder_beside_the_output(command, restored, tmp_path):
    made = command("report", restored, "--format", "html")
    assert (made.returncode, made.stdout) == (0, ""), made.stderr
    page = restored.with_name("scans-colorized-report") / "index.html"
    assert f"report: {page}" in made.stderr
    assert len(list(page.parent.glob("thumbs/*.jpg"))) == 6
    elsewhere = tmp_path / "elsewhere"
    assert command("report", restored, "--format", "html", "--output", elsewhere).returncode == 0
    assert (elsewhere / "index.html").exists()
    assert command("report", restored, "--serve", "--format", "csv").returncode == 2


def test_what_is_marked_redo_is_made_again_and_nothing_else(command, restored, scans, model):
    def run(*more):
        return command("run", scans, "--model", model, "--executor", "serial", "--json", *more)

    marks = [{"name": one, "mark": "redo"} for one in ("b.jpg", "gone.jpg")]
    marks += [{"name": "a.png", "mark": "accept", "note": "ok"}]
    marked = scans.with_name("marked.json")
    known = {"kind": "archive-colorizer marks", "version": 1}
    marked.write_text(json.dumps({**known, "marks": marks}))
    before = {p.name: p.stat().st_mtime_ns for p in restored.rglob("*.*") if p.is_file()}
    again = run("--retry", marked, "--report")
    assert again.returncode == 0, again.stderr
    assert "1 of the marked files are not among the scans" in again.stderr
    said = json.loads(again.stdout)
    assert (said["done"], said["failed"], sum(said["unchanged"].values())) == (1, 0, 0)
    after = {p.name: p.stat().st_mtime_ns for p in restored.rglob("*.*") if p.is_file()}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"b.jpg", "manifest.jsonl"}
    assert restored.with_name("scans-colorized-report").is_dir()
    assert json.loads(run().stdout)["done"] == 0
    marked.write_text(json.dumps({**known, "marks": marks[2:]}))
    assert run("--retry", marked).returncode == 2
