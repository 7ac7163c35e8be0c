"""The benchmark of speed: that its pictures stay the same, and its figures can be read again."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.locations import REPOSITORY_ROOT

pytest.importorskip("skimage.data", reason="photographs come with scikit-image")

from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.codecs.header import PictureSize
from archive_colorizer.image.codecs.jpeg.segments import JpegFrame
from benchmarks import speed_pictures
from benchmarks.__main__ import _options, counts_of, main
from benchmarks.speed_pictures import KINDS, make_pictures, picture
from benchmarks.speed_report import (
    COMPARED,
    Figures,
    as_markdown,
    comparison,
    read_json,
    tables,
    write_json,
)
from benchmarks.speed_run import restore
from tests.model.networks import constant_model

SOME = Figures(
    pictures=10, pixels=12_000_000, cores=2, wall=0.15, cpu=0.25, start=2.0, start_cpu=3.0,
    first=2.5, parent_mb=180.0, worker_mb=310.0, decode=0.04, inference=0.06, encode=0.1,
    peer=1.0, peer_mb=900.0,
)  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    """The kinds, each with a hundredth of its pixels."""
    kinds = {
        name: replace(kind, width=kind.width // 10, height=kind.height // 10)
        for name, kind in KINDS.items()
    }
    monkeypatch.setattr(speed_pictures, "KINDS", kinds)
    return kinds


@pytest.mark.parametrize("name", KINDS)
def test_pictures_are_the_same_each_time_and_of_their_kind(name, small, tmp_path):
    paths = make_pictures(name, tmp_path / "scans", small[name].different + 1)
    again = picture(name, 0)
    assert hashlib.sha256(paths[0].read_bytes()).digest() == hashlib.sha256(again).digest()
    assert paths[-1].samefile(paths[0])
    assert len({path.read_bytes() for path in paths}) == small[name].different
    raster = stills.decode(again, "one", 10**9)
    assert raster.luma.shape == (small[name].height, small[name].width)
    assert raster.luma.itemsize * 8 == small[name].bits
    found = PictureSize.read(paths[0])
    assert found is not None
    assert (found.width, found.height) == (small[name].width, small[name].height)


def test_jpegs_are_stored_grey_and_as_color_without_color(small):
    kinds = ("jpeg", "color-jpeg")
    assert [JpegFrame.read(picture(kind, 0), "").components for kind in kinds] == [1, 3]


def test_the_grain_is_that_of_a_fast_film_and_soft(small):
    (_, grain), *_ = speed_pictures._grain(small["jpeg"], 0)
    assert grain.std() == pytest.approx(5, rel=0.01)
    neighbors = np.corrcoef(grain[:, :-1].ravel(), grain[:, 1:].ravel())[0, 1]
    assert 0.4 < neighbors < 0.9


def test_figures_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "figures.json"
    write_json(path, {"jpeg": SOME}, {"workers": 2})
    assert read_json(path) == {"jpeg": SOME}
    assert json.loads(path.read_text())["machine"]["cores"] >= 1


@pytest.mark.parametrize("content", ["", "[]", '{"version": 99, "kinds": {}}', '{"version": 1}'])
def test_other_files_are_refused_by_name(content, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(SystemExit, match=r"other\.json"):
        read_json(path)


def test_ratios_are_those_of_the_figures():
    assert SOME.floor == pytest.approx(0.2)
    assert SOME.over_floor == pytest.approx(1.5)
    assert SOME.cpu_over_floor == pytest.approx(1.25)
    assert SOME.over_least == SOME.over_floor
    assert replace(SOME, carried=0.02).over_least == pytest.approx(0.3 / 0.12)
    assert SOME.over_peer == pytest.approx(4.0)
    assert SOME.bytes_a_pixel == pytest.approx(5.0)


def test_tables_have_a_cell_a_column_and_a_comparison_a_row_a_figure():
    for _, rows in tables({"jpeg": SOME, "frame": SOME}):
        assert len({len(row) for row in rows}) == 1
        assert len(as_markdown(rows).splitlines()) == len(rows) + 1
    now = replace(SOME, cpu=0.5)
    head, *rows = comparison({"jpeg": SOME}, {"jpeg": now, "png": SOME})
    assert [row[1] for row in rows] == list(COMPARED)
    assert next(row[-1] for row in rows if row[1] == "cpu") == "2.00"
    assert len(head) == len(rows[0])


def test_counts_can_be_chosen():
    def chosen(*words):
        return counts_of(_options().parse_args(words))

    assert chosen()["jpeg"] == 200
    assert "huge" not in chosen("--quick")
    assert chosen("--only", "jpeg", "png", "--count", "jpeg=7") == {
        "jpeg": 7,
        "png": KINDS["png"].usual,
    }
    with pytest.raises(SystemExit, match="KIND=NUMBER"):
        chosen("--count", "gif=3")


def test_a_missing_earlier_file_is_said_before_anything_is_measured(tmp_path):
    with pytest.raises(SystemExit, match=r"nothing\.json"):
        main(["--against", str(tmp_path / "nothing.json")])


def test_a_run_is_watched_to_its_end(small, tmp_path):
    pytest.importorskip("onnx", reason="making a model file needs onnx")
    make_pictures("frame", tmp_path / "scans", 2)
    model = constant_model(tmp_path / "model.onnx")
    words = ["--model", str(model), "--executor", "serial", "--device", "cpu"]
    took = restore(tmp_path / "scans", tmp_path / "out", words)
    assert 0 < took.first <= took.wall
    assert took.cpu > 0
    assert took.parent_mb > 10
    assert took.workers_mb == ()
    with pytest.raises(SystemExit, match="ended with"):
        restore(tmp_path / "nowhere", tmp_path / "other", words)


@pytest.mark.parametrize("way", ["floor", "peer"])
def test_the_bare_ways_give_parts_and_their_memory(way, small, tmp_path):
    pytest.importorskip("onnx", reason="making a model file needs onnx")
    make_pictures("jpeg", tmp_path / "scans", 2)
    model = constant_model(tmp_path / "model.onnx")
    words = [sys.executable, "-m", "benchmarks.speed_alone", way, str(tmp_path / "scans"), "2"]
    done = subprocess.run([*words, str(model)], capture_output=True, text=True, cwd=REPOSITORY_ROOT)
    said = json.loads(done.stdout)
    parts = {"floor": {"decode", "inference", "encode", "carried"}, "peer": {"cpu"}}[way]
    assert set(said) == {*parts, "peak_mb"}
    assert all(said[part] > 0 for part in parts)
