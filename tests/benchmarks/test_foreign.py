"""The comparison with a script of the families' own kind: that it measures, and what it says."""

import numpy as np
import pytest

pytest.importorskip("skimage.data", reason="photographs come with scikit-image")
pytest.importorskip("onnx", reason="making a model file needs onnx")

from archive_colorizer.adoption.adopt import adopt
from benchmarks import foreign, foreign_network


def test_a_picture_of_ours_is_nearer_to_the_truth_than_those_of_scripts(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign, "PHOTOGRAPHS", ("coffee",))
    rows = foreign.quality(tmp_path, 4)
    ours, *scripts = (rows[way] for way in (foreign.OURS, *foreign.SCRIPTS))
    assert ours.luma_max[0] <= 1
    for other in scripts:
        assert other.luma_mean[0] > ours.luma_mean[0]
        assert other.near_edges[0] > ours.near_edges[0]
        assert other.leaked[0] > ours.leaked[0]
        assert other.kept[0] < ours.kept[0]
    assert all(len(row.cells()) == 6 for row in rows.values())


def test_the_large_network_has_its_family_s_interface(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign_network, "_WIDTHS", (8, 16, 24, 32))
    monkeypatch.setattr(foreign_network, "_DEPTHS", (1, 1, 2, 1))
    monkeypatch.setattr(foreign_network, "_DECODER", (24, 16, 8))
    assert foreign_network.large_network(tmp_path / "large.onnx", 64) > 10_000
    adoption = adopt(tmp_path / "large.onnx", "ddcolor", {}, tmp_path / "ours.onnx")
    assert adoption.contract.input.size == 64
    assert np.abs([adoption.findings.low, adoption.findings.high]).max() <= 30
