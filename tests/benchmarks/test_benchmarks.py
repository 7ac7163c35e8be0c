"""The comparison of fidelity: its table, that it sees a loss, and what it says of us."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("skimage.data", reason="photographs come with scikit-image")
pytest.importorskip("onnx", reason="making a stand-in for a model needs onnx")

from benchmarks.fidelity import HEAD, KEPT, OURS, compare, gather, luma_kept, table
from benchmarks.fidelity_files import exif, grey, make_files, profile
from benchmarks.fidelity_judge import judge, look
from benchmarks.fidelity_peers import PEERS, stand_in


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    work = tmp_path_factory.mktemp("fidelity")
    make_files(work / "scans", 6)
    return compare(work / "scans", work, stand_in(work / "model.onnx"))


@pytest.fixture
def turned(tmp_path):
    """A grey JPEG that is stored on its side, with date, place and profile."""
    path = tmp_path / "turned.jpg"
    said = {"exif": exif(6), "icc_profile": profile("gray", 2.2)}
    Image.fromarray(grey(1)).save(path, quality=90, **said)
    return path


def test_the_table_has_a_row_a_way_and_a_cell_a_column(verdicts):
    rows = table(verdicts)
    assert [row[0] for row in rows] == [OURS, *PEERS]
    assert {len(row) for row in rows} == {len(HEAD)}
    assert rows[0][1] == "6 of 6"


def test_every_way_is_asked_the_same(verdicts):
    def asked(found):
        return [[one.name, *(getattr(one, what) is None for what in KEPT)] for one in found]

    assert all(asked(found) == asked(verdicts[OURS]) for found in verdicts.values())


def test_ours_keeps_luma_where_others_do_not(verdicts):
    assert all(luma_kept(one) for one in verdicts[OURS]), verdicts[OURS]
    for peer in PEERS:
        assert not all(luma_kept(one) for one in verdicts[peer]), peer


def test_ours_keeps_what_the_files_had(verdicts):
    lost = [
        (one.name, what) for one in verdicts[OURS] for what in KEPT if getattr(one, what) is False
    ]
    assert not lost


def test_sixty_files_are_made_the_same_way_twice(tmp_path):
    for folder in ("a", "b"):
        assert len(make_files(tmp_path / folder, 60)) == 60
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    shown = [look(path) for path in (tmp_path / "a").iterdir()]
    assert {one.turn for one in shown} == set(range(1, 9))
    assert {one.kind for one in shown} == {"JPEG", "PNG", "TIFF", "WEBP", "BMP", "JPEG2000"}
    assert sum(one.pages == 2 for one in shown) == 2


def test_more_files_than_kinds_are_refused(tmp_path):
    with pytest.raises(ValueError, match="1 to 60"):
        make_files(tmp_path, 61)


def test_the_judge_finds_nothing_wrong_with_the_file_itself(turned):
    source = look(turned)
    verdict = judge("turned", source, replace(source, turn=1, luma=source.upright))
    assert (verdict.luma_max, verdict.exif, verdict.upright) == (0, True, True)


def test_the_judge_sees_each_loss(turned, tmp_path):
    source = look(turned)
    bare = tmp_path / "bare.jpg"
    Image.fromarray(np.asarray(Image.open(turned))).save(bare, quality=100)
    verdict = judge("turned", source, look(bare))
    assert (verdict.exif, verdict.icc, verdict.upright) == (False, False, False)
    assert verdict.luma_max is not None and verdict.luma_max <= 2, "a missing turn is no luma error"


def test_a_grey_profile_in_a_color_picture_is_not_right(turned, tmp_path):
    path = tmp_path / "rgb.jpg"
    rgb = np.dstack([np.asarray(Image.open(turned))] * 3)
    Image.fromarray(rgb).save(path, quality=95, exif=exif(6), icc_profile=profile("gray", 2.2))
    assert judge("turned", look(turned), look(path)).icc is False


def test_luma_of_a_shallower_result_counts_at_the_depth_of_the_source(tmp_path):
    deep, flat = tmp_path / "deep.png", tmp_path / "flat.png"
    plane = grey(0).astype(np.uint16) // 2 * 257
    Image.fromarray(plane + 100).save(deep)
    Image.fromarray((plane // 257).astype(np.uint8)).save(flat)
    verdict = judge("deep", look(deep), look(flat))
    assert (verdict.depth, verdict.luma_mean, verdict.luma_max) == (False, 100, 100)


def test_files_of_ones_own_are_copied_and_others_left(tmp_path, turned):
    (tmp_path / "notes.txt").write_text("no picture")
    taken = gather(tmp_path, tmp_path.parent / f"{tmp_path.name}-scans", 5)
    assert [path.name for path in taken] == ["000-turned.jpg"]
