"""The comparison of films: that its figures see what they are named for."""

import numpy as np
import pytest

pytest.importorskip("skimage.data", reason="photographs come with scikit-image")
pytest.importorskip("onnx", reason="making a stand-in for a model needs onnx")

from benchmarks.film import HEAD, Judge, cdc, compare, divergence, walk
from tests.model.networks import constant_model


@pytest.fixture(scope="module")
def clip():
    return walk(6, (96, 128))


@pytest.fixture(scope="module")
def judge(clip):
    return Judge(clip)


def test_divergence_is_nought_for_the_same_and_log_two_for_what_has_nothing_in_common():
    one, other = np.eye(2)
    assert divergence(one, one) == 0
    assert divergence(one, other) == pytest.approx(np.log(2))
    assert divergence(one, np.full(2, 0.5)) == pytest.approx(
        0.5 * np.log(4 / 3) + 0.25 * np.log(2 / 3) + 0.25 * np.log(2)
    )


def test_a_still_is_consistent_and_a_change_of_color_is_not():
    still = [np.full((8, 8, 3), 0.5)] * 6
    assert cdc(still) == 0
    assert cdc([*still[:3], *[np.full((8, 8, 3), 0.6)] * 3]) > 0.1


def test_the_truth_is_true_and_no_figure_likes_nervous_color(judge):
    truth = judge.figures(judge.chroma)
    random = np.random.default_rng(1)
    nervous = judge.figures(
        [one + np.float32(random.normal(0, 0.02, (1, 1, 2))) for one in judge.chroma]
    )
    assert truth.ciede2000 < 0.1
    assert nervous.flicker > 3 * truth.flicker
    assert nervous.cdc > truth.cdc
    assert nervous.ciede2000 > 1


def test_motion_alone_is_no_flicker(judge):
    assert judge.flicker(judge.chroma) < 1.5
    unmoved = [judge.chroma[0]] * len(judge.chroma)
    assert judge.flicker(unmoved) > judge.flicker(judge.chroma)


def test_the_table_has_a_row_for_each_smoothing(tmp_path, clip):
    rows = compare(clip, str(constant_model(tmp_path / "model.onnx")), [0.5])
    assert [row[0] for row in rows] == ["truth", "frame by frame", "smoothing 0.5"]
    assert {len(row) for row in rows} == {len(HEAD)}
    assert rows[1][6] == "+0.00%"
