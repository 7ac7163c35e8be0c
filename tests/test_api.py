"""The library as a program uses it: arrays, files, an archive, and what its pages say."""

import doctest
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import archive_colorizer
from archive_colorizer import Model, Recipe, load_model, restore_archive, restore_photo
from archive_colorizer.color.sharpen import Sharpening, sharpen
from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import (
    ArchiveColorizerError,
    DamagedPicture,
    ModelError,
    OutputError,
    ResultUnwritable,
    SourceError,
    TargetExists,
    UnsupportedPicture,
    UsageError,
)
from archive_colorizer.records.outcomes import State
from tests.locations import REPOSITORY_ROOT
from tests.model.networks import constant_model
from tests.photographs import NAMES, at_16_bits, photograph
from tests.restore.studio import grey, luma_error

ROOT = REPOSITORY_ROOT


@pytest.fixture(scope="module")
def model():
    return load_model(device="cpu")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return load_model(constant_model(tmp_path_factory.mktemp("model") / "m.onnx"))


@pytest.fixture
def painted(tmp_path):
    return load_model(constant_model(tmp_path / "m.onnx"))


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("chelsea", "coffee"):
        Image.fromarray(grey(name)).save(folder / f"{name}.png")
    Image.fromarray(photograph("rocket")).save(folder / "rocket.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return folder


@pytest.mark.parametrize("page", ["docs/library.md", "archive_colorizer/__init__.py"])
def test_the_pages_say_what_is_so(page, tmp_path, monkeypatch):
    pytest.importorskip("skimage.data", reason="photographs come with scikit-image")
    monkeypatch.chdir(tmp_path)
    if page.endswith(".md"):
        how = {"filename": str(ROOT / page), "module_relative": False}
        said = doctest.testfile(**how, optionflags=doctest.ELLIPSIS)
    else:
        said = doctest.testmod(archive_colorizer)
    assert said.attempted > 4
    assert said.failed == 0


def test_a_name_that_is_not_there_is_missed_as_in_any_module():
    with pytest.raises(AttributeError, match="restore_everything"):
        _ = archive_colorizer.restore_everything
    assert set(archive_colorizer.__all__) <= set(dir(archive_colorizer))


def test_importing_the_package_loads_nothing_heavy():
    code = "import archive_colorizer, sys; print('numpy' in sys.modules, 'cv2' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("deep", [False, True])
def test_an_array_keeps_its_luma_and_its_depth(model, name, deep):
    picture = at_16_bits(photograph(name)) if deep else photograph(name)
    luma = compute_luma(picture)
    colored = restore_photo(luma, model=model)
    assert colored.dtype == luma.dtype
    assert colored.shape == (*luma.shape, 3)
    assert luma_error(colored, luma) <= 1
    assert np.ptp(colored, axis=2).mean() > 3 * (257 if deep else 1)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
    )
)
def test_any_grey_array_comes_back_with_its_luma(shared, luma):
    assert luma_error(restore_photo(luma, model=shared), luma) <= 1


def test_sharpening_reaches_an_array(model):
    luma = compute_luma(photograph("coffee"))
    wanted = sharpen(luma, Sharpening(1.0, 2.0))
    made = restore_photo(luma, model=model, sharpen=1.0, sharpen_radius=2.0)
    assert luma_error(made, wanted) <= 1
    assert luma_error(made, luma) > 10


def test_of_a_picture_in_color_only_the_luma_counts(model):
    rgb = photograph("coffee")
    expected = restore_photo(compute_luma(rgb), model=model)
    assert np.array_equal(restore_photo(rgb, model=model), expected)


def test_the_array_is_not_written_to(model):
    luma = grey("chelsea").copy()
    restore_photo(luma, model=model)
    assert np.array_equal(luma, grey("chelsea"))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), dtype=np.float32),
        np.zeros((4, 4), dtype=bool),
        np.zeros((4, 4, 4), dtype=np.uint8),
        np.zeros((4,), dtype=np.uint8),
        np.zeros((0, 4), dtype=np.uint8),
        np.zeros((0, 4, 3), dtype=np.uint8),
    ],
    ids=lambda wrong: f"{wrong.dtype}{wrong.shape}",
)
def test_an_array_that_is_no_photograph_is_refused(painted, wrong):
    with pytest.raises(UsageError, match=r"uint8|H x W"):
        restore_photo(wrong, model=painted)


def test_settings_are_those_of_the_recipe_and_overrule_it(painted):
    luma = grey("chelsea")
    neutral = np.repeat(luma[..., None], 3, axis=2)
    recipe = Recipe(strength=0.0)
    assert np.array_equal(restore_photo(luma, model=painted, recipe=recipe), neutral)
    again = restore_photo(luma, model=painted, recipe=recipe, strength=1.0)
    assert np.array_equal(again, restore_photo(luma, model=painted))
    with pytest.raises(UsageError, match="did you mean 'saturation'"):
        restore_photo(luma, model=painted, saturaton=1.0)


def test_two_models_are_merged_as_in_a_run(tmp_path, painted):
    other = constant_model(tmp_path / "other.onnx", (0.1, -0.1))
    luma = grey("chelsea")
    first, second = restore_photo(luma, model=painted), restore_photo(luma, model=other)
    both = restore_photo(luma, model=painted, merge=str(other), merge_weight=0.5)
    assert not np.array_equal(both, first)
    assert not np.array_equal(both, second)
    assert luma_error(both, luma) <= 1


def test_a_file_of_two_models_names_both(tmp_path, painted, scans):
    other = load_model(constant_model(tmp_path / "other.onnx", (0.1, -0.1)))
    how = {"model": painted, "merge": str(other.path)}
    outcome = restore_photo(scans / "chelsea.png", tmp_path / "both.png", **how)
    assert outcome.model_sha256 == f"{painted.sha256}+{other.sha256}"
    colored = restore_photo(scans / "chelsea.png", **how)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "both.png")), colored)


def test_a_mask_beside_a_photograph_counts(tmp_path, painted, scans):
    luma = grey("chelsea")
    mask = np.full(luma.shape, 255, dtype=np.uint8)
    mask[:, : luma.shape[1] // 2] = 0
    Image.fromarray(mask).save(scans / "chelsea.png.mask.png")
    restore_photo(scans / "chelsea.png", tmp_path / "half.png", model=painted)
    for half in (
        restore_photo(scans / "chelsea.png", model=painted),
        np.asarray(Image.open(tmp_path / "half.png")),
    ):
        assert np.array_equal(half[:, 0], np.repeat(luma[:, 0, None], 3, axis=1))
        assert np.ptp(half[:, -1], axis=1).mean() > 5


def test_a_model_says_what_it_is(painted, tmp_path):
    assert isinstance(painted, Model)
    assert (painted.name, painted.path) == ("constant", tmp_path / "m.onnx")
    assert painted.provider == "CPUExecutionProvider"
    with pytest.raises(ModelError, match="is not among the models here"):
        load_model("no-such-model")
    with pytest.raises(ModelError, match="is not among the models here"):
        restore_photo(grey("chelsea"), model="no-such-model")


def test_a_path_gives_what_the_array_gives(painted, scans):
    from_file = restore_photo(scans / "coffee.png", model=painted)
    assert np.array_equal(from_file, restore_photo(grey("coffee"), model=painted))
    assert np.array_equal(from_file, restore_photo(str(scans / "coffee.png"), model=painted))


def test_a_photograph_in_color_is_left_alone_unless_forced(painted, scans, tmp_path):
    rocket, target = scans / "rocket.png", tmp_path / "r.png"
    with pytest.raises(UnsupportedPicture, match=r"rocket\.png.*force=True"):
        restore_photo(rocket, model=painted)
    outcome = restore_photo(rocket, target, model=painted)
    assert (outcome.state, outcome.reason) == (State.SKIPPED, "already-color")
    assert not target.exists()
    assert restore_photo(rocket, target, model=painted, force=True).state is State.DONE
    assert np.array_equal(
        np.asarray(Image.open(target)), restore_photo(rocket, model=painted, force=True)
    )


def test_a_file_is_what_a_run_writes(painted, scans, tmp_path):
    outcome = restore_photo(scans / "chelsea.png", tmp_path / "one.png", model=painted)
    out = tmp_path / "out"
    restore_archive(scans / "chelsea.png", out, model=painted, executor="serial")
    assert outcome.state is State.DONE
    one, other = Image.open(tmp_path / "one.png"), Image.open(out / "chelsea.png")
    assert np.array_equal(np.asarray(one), np.asarray(other))
    assert "archive-colorizer" in str(one.info)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.JPG", "a.tif", "a.webp", "a.jp2", "a.png"])
def test_the_name_says_the_format(painted, scans, tmp_path, name):
    outcome = restore_photo(scans / "chelsea.png", tmp_path / name, model=painted)
    assert outcome.target == name
    restored = restore_photo(tmp_path / name, model=painted, force=True)
    assert restored.shape == (*grey("chelsea").shape, 3)


def test_sixteen_bits_stay(painted, tmp_path):
    luma = compute_luma(at_16_bits(photograph("chelsea")))
    tifffile.imwrite(tmp_path / "deep.tif", luma, photometric="minisblack")
    restore_photo(tmp_path / "deep.tif", tmp_path / "out.tif", model=painted)
    result = tifffile.imread(tmp_path / "out.tif")
    assert result.dtype == np.uint16
    assert luma_error(result, luma) <= 1


def test_what_the_name_cannot_hold_is_refused_and_nothing_is_left(painted, scans, tmp_path):
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(ResultUnwritable, match=r"a\.bmp"):
        restore_photo(scans / "chelsea.png", tmp_path / "a.bmp", model=painted)
    with pytest.raises(UsageError, match=r"a\.gif"):
        restore_photo(scans / "chelsea.png", tmp_path / "a.gif", model=painted)
    with pytest.raises(OutputError, match="missing"):
        restore_photo(scans / "chelsea.png", tmp_path / "missing" / "a.png", model=painted)
    with pytest.raises(UsageError, match="array"):
        restore_photo(grey("chelsea"), tmp_path / "a.png", model=painted)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_nobodys_file_is_written_over(painted, scans, tmp_path):
    (tmp_path / "a.png").write_bytes(b"mine")
    with pytest.raises(TargetExists, match=r"a\.png"):
        restore_photo(scans / "chelsea.png", tmp_path / "a.png", model=painted)
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    original = (scans / "chelsea.png").read_bytes()
    with pytest.raises(TargetExists):
        restore_photo(scans / "chelsea.png", scans / "chelsea.png", model=painted)
    assert (scans / "chelsea.png").read_bytes() == original


def test_a_bad_file_is_named(painted, scans, tmp_path):
    with pytest.raises(DamagedPicture, match=r"broken\.png"):
        restore_photo(scans / "broken.png", model=painted)
    with pytest.raises(DamagedPicture, match=r"broken\.png"):
        restore_photo(scans / "broken.png", tmp_path / "b.png", model=painted)
    for output in (None, tmp_path / "b.png"):
        with pytest.raises(SourceError, match=r"absent\.png"):
            restore_photo(scans / "absent.png", output, model=painted)


def test_names_that_are_no_utf8_work(painted, scans, tmp_path):
    odd = os.fsdecode(b"m\xfcnzen.png")
    try:
        (scans / odd).write_bytes((scans / "chelsea.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert restore_photo(scans / odd, tmp_path / odd, model=painted).state is State.DONE
    assert (tmp_path / odd).exists()


@pytest.mark.parametrize("executor", ["serial", "dask"])
def test_an_archive_is_restored_and_accounted_for(painted, scans, tmp_path, executor):
    heard = []
    summary = restore_archive(
        scans,
        tmp_path / "out",
        model=painted,
        executor=executor,
        workers=1,
        watch=lambda outcome, settled: heard.append((outcome.name, settled)),
    )
    assert (summary.done, summary.skipped, summary.failed) == (2, 1, 1)
    assert sorted(name for name, _ in heard) == sorted(path.name for path in scans.iterdir())
    assert not any(settled for _, settled in heard)
    heard.clear()
    again = restore_archive(
        [scans], tmp_path / "out", recipe=Recipe(executor="serial"), model=painted.path
    )
    assert again.done == 0


def test_the_recipe_decides_where_no_model_is_given(painted, scans, tmp_path):
    recipe = replace(Recipe(executor="serial"), model=str(painted.path))
    summary = restore_archive(scans, tmp_path / "out", recipe=recipe)
    assert summary.done == 2
    lines = (tmp_path / "out" / "manifest.jsonl").read_text(encoding="utf-8")
    assert painted.sha256 in lines
    from_recipe = restore_photo(grey("chelsea"), recipe=recipe)
    assert np.array_equal(from_recipe, restore_photo(grey("chelsea"), model=painted))


def test_a_program_needs_no_guard_for_the_main_module(scans, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        f"from archive_colorizer import restore_archive\nrestore_archive({str(scans)!r}, "
        f"{str(tmp_path / 'out')!r}, workers=1)\n"
    )
    said = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    assert (tmp_path / "out" / "manifest.jsonl").exists()


def test_every_error_is_of_one_kind(painted, tmp_path):
    for wrong in (lambda: restore_photo(tmp_path), lambda: restore_archive(tmp_path / "absent")):
        with pytest.raises(ArchiveColorizerError):
            wrong()
