"""The folder of a report: what is in it, what is left alone, and what is made again."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.errors import SourceError, TargetExists, UsageError
from archive_colorizer.report.build import build_report
from tests.manifest.records_of_a_run import EVIL_NAMES, done, opening, written
from tests.report.conftest import paint


@pytest.fixture
def small(tmp_path):
    """scans and out with one photograph, sources and results as a manifest says."""
    out = tmp_path / "out"
    before, after = paint(tmp_path / "scans/a.png", (9, 9, 9)), paint(out / "a.png", (200, 60, 60))
    record = done("a.png", source_sha256=before, target_sha256=after)
    written(out, opening(roots=(str(tmp_path / "scans"),)), record)
    return tmp_path


def data_of(page):
    text = page.read_text(encoding="utf-8")
    (block,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(block)


def test_a_pair_of_pictures_by_the_hash_of_what_they_show(small):
    page = build_report(small / "out")
    (file,) = data_of(page)["files"]
    seen = [np.asarray(Image.open(page.parent / file[one])) for one in ("before", "after")]
    assert [one.shape for one in seen] == [(60, 90, 3), (60, 90, 3)]
    assert abs(seen[0].astype(int) - 9).max() <= 2
    assert abs(seen[1].astype(int) - (200, 60, 60)).max() <= 6
    assert re.fullmatch(r"thumbs/[0-9a-f]{64}\.jpg", file["after"])
    assert {one.name for one in page.parent.iterdir()} == {"index.html", "thumbs"}


def test_nothing_in_the_output_and_the_scans_changes(small):
    before = {p: p.read_bytes() for p in small.rglob("*") if p.is_file()}
    build_report(small / "out")
    assert all(path.read_bytes() == content for path, content in before.items())
    assert not set(small.glob("out/*")) - set(before)


def test_pictures_of_an_earlier_report_are_kept(small):
    page = build_report(small / "out")
    made = {p: p.stat().st_mtime_ns for p in page.parent.glob("thumbs/*")}
    (small / "scans/a.png").unlink()
    build_report(small / "out")
    assert {p: p.stat().st_mtime_ns for p in page.parent.glob("thumbs/*")} == made
    assert "why" not in data_of(page)["files"][0]


def test_a_result_that_was_changed_since_is_not_shown_as_the_result(small):
    paint(small / "out/a.png", (1, 2, 3))
    (file,) = data_of(build_report(small / "out"))["files"]
    assert "after" not in file
    assert file["why"] == "the result is no longer what was recorded"


def test_sources_that_were_moved_are_found_with_scans(small):
    (small / "scans").rename(small / "moved")
    (file,) = data_of(build_report(small / "out"))["files"]
    assert "before" not in file
    (file,) = data_of(build_report(small / "out", scans=[small / "moved"]))["files"]
    assert "before" in file


def test_hashes_that_are_paths_lead_nowhere(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    evil = ["../../x", "a" * 63 + "/", "A" * 64, "a" * 64 + "\n", "/etc/passwd"]
    records = [done(f"{at}.png", target_sha256=one) for at, one in enumerate(evil)]
    written(out, opening(), *records)
    page = build_report(out)
    assert all("after" not in file for file in data_of(page)["files"])
    assert list((page.parent / "thumbs").iterdir()) == []


def test_no_markup_in_names_reaches_the_page_as_markup(archive):
    page = archive / "out-report" / "index.html"
    text = page.read_text(encoding="utf-8")
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    assert "alert(1)<" not in text
    names = {file["name"] for file in data_of(page)["files"]}
    assert set(EVIL_NAMES) <= names


@pytest.mark.parametrize("place", ["out/report", "scans/report", "out", "scans", "."])
def test_a_report_is_neither_in_an_output_nor_among_scans(small, place):
    with pytest.raises(UsageError, match="a report cannot lie"):
        build_report(small / "out", small / place)


def test_a_folder_with_other_files_is_kept(small):
    other = small / "out-report"
    other.mkdir()
    (other / "index.html").write_text("my homepage")
    with pytest.raises(TargetExists):
        build_report(small / "out")
    assert (other / "index.html").read_text() == "my homepage"


def test_without_a_manifest_there_is_no_report_and_no_folder(tmp_path):
    with pytest.raises(SourceError):
        build_report(tmp_path / "out")
    assert not (tmp_path / "out-report").exists()
