"""The benchmark of many files: its trees, and that a small one runs to its end."""

import json
from pathlib import Path

import pytest

pytest.importorskip("skimage.data", reason="photographs come with scikit-image")

from archive_colorizer.discovery.walk import walk
from archive_colorizer.records.jobs import Source
from benchmarks.scale import HEAD, list_and_plan, main
from benchmarks.scale_tree import lay_out


def test_a_tree_has_as_many_scans_as_asked_for(tmp_path: Path) -> None:
    found = list(walk(lay_out(tmp_path, 90)))
    assert len(found) == 90
    assert all(isinstance(one, Source) for one in found)
    assert len({one.relative.partition("/")[0] for one in found}) == 4
    listing, planning = list_and_plan(tmp_path / "scans", tmp_path / "out")
    assert listing > 0
    assert planning > 0
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_small_one_runs_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--files", "60", "--json", str(tmp_path / "found.json"), "--work", str(tmp_path)])
    head, _, row = capsys.readouterr().out.splitlines()[:3]
    assert head.count("|") == row.count("|") == len(HEAD.split("|")) + 1
    (found,) = json.loads((tmp_path / "found.json").read_text())["rows"]
    assert found["files"] == 60
    assert found["again_wall"] > 0
