"""One photograph through the worker's code, from file to file, with a model of known answer."""

import io
import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageCms

from archive_colorizer.color.sharpen import Sharpening, sharpen
from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import DamagedPicture
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.records.outcomes import State
from archive_colorizer.restore import photo
from archive_colorizer.restore.photo import restore_photo, restore_photos
from tests.model.networks import CONTRACT, constant_model, digest, speaking
from tests.photographs import NAMES, at_16_bits, photograph
from tests.restore.studio import grey, luma_error


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "tif"])
def test_luma_is_kept_in_8_bit_files(studio, name, suffix):
    how = {"lossless": True} if suffix == "webp" else {}
    studio.put(f"a.{suffix}", grey(name), **how)
    outcome = studio.restore(f"a.{suffix}")
    assert outcome.state is State.DONE, outcome.message
    result = studio.result(f"a.{suffix}")
    assert luma_error(result, grey(name)) <= 1
    assert np.ptp(result, axis=2).mean() > 5


@pytest.mark.parametrize("name", NAMES)
def test_luma_is_kept_in_16_bit_files(studio, name):
    luma = compute_luma(at_16_bits(photograph(name)))
    studio.put("a.tif", luma, photometric="minisblack")
    outcome = studio.restore("a.tif")
    assert outcome.state is State.DONE, outcome.message
    assert studio.result("a.tif").dtype == np.uint16
    assert luma_error(studio.result("a.tif"), luma) <= 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quality", [75, 95])
def test_luma_is_kept_in_jpeg_files(studio, name, quality):
    studio.put("a.jpg", grey(name), quality=quality)
    source = np.asarray(Image.open(studio.scans / "a.jpg")).astype(int)
    outcome = studio.restore("a.jpg")
    assert outcome.state is State.DONE, outcome.message
    result = Image.open(studio.output / "a.jpg")
    result.draft("L", None)
    error = np.abs(np.asarray(result.convert("L")).astype(int) - source)
    assert error.max() <= 2
    assert (error > 1).mean() < 1e-4


@pytest.mark.parametrize("nothing", [{"strength": 0.0}, {"saturation": 0.0}])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_without_strength_or_saturation_the_result_is_the_neutral_original(studio, nothing, suffix):
    studio.put(f"a.{suffix}", grey("chelsea"))
    original = np.asarray(Image.open(studio.scans / f"a.{suffix}"))
    studio.restore(f"a.{suffix}", **nothing)
    result = studio.result(f"a.{suffix}").astype(int)
    assert np.ptp(result, axis=2).max() <= (0 if suffix == "png" else 1)
    assert np.abs(result[..., 0] - original).max() <= (0 if suffix == "png" else 2)


def test_hue_360_equals_hue_0(studio):
    studio.put("a.png", grey("coffee"))
    studio.restore("a.png", hue=0.0)
    first = studio.result("a.png")
    (studio.output / "a.png").unlink()
    studio.restore("a.png", hue=360.0)
    assert np.array_equal(studio.result("a.png"), first)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize("value", [0, 77, 255])
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_black_white_and_tiny_pictures_come_back_whole(studio, shape, value, suffix):
    studio.put(f"a.{suffix}", np.full(shape, value, dtype=np.uint8))
    outcome = studio.restore(f"a.{suffix}")
    assert outcome.state is State.DONE, outcome.message
    result = studio.result(f"a.{suffix}")
    assert result.shape == (*shape, 3)
    # A JPEG's luma is its Y plane; rounding to RGB on decoding adds up to half a code value.
    assert luma_error(result, value) <= (1.5 if suffix == "jpg" else 1)


def test_a_photograph_in_color_is_skipped_with_its_reason_unless_forced(studio):
    studio.put("a.png", photograph("coffee"))
    skipped = studio.restore("a.png")
    assert (skipped.state, skipped.reason) == (State.SKIPPED, "already-color")
    assert "--force" in skipped.message
    assert not (studio.output / "a.png").exists()
    assert studio.restore("a.png", force=True).state is State.DONE
    assert luma_error(studio.result("a.png"), grey("coffee")) <= 1.5


def test_a_sepia_print_is_made_neutral_first(studio):
    sepia = np.rint(grey("astronaut")[..., None] * [1.0, 0.88, 0.7]).astype(np.uint8)
    studio.put("a.png", sepia)
    outcome = studio.restore("a.png", strength=0.0)
    assert outcome.state is State.DONE
    assert any("neutral" in warning for warning in outcome.warnings)
    assert np.ptp(studio.result("a.png"), axis=2).max() == 0
    assert luma_error(studio.result("a.png"), compute_luma(sepia)) <= 1


def test_alpha_is_kept(studio):
    alpha = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    pixels = np.dstack([np.full_like(alpha, 120), alpha])
    Image.fromarray(pixels, "LA").save(studio.scans / "a.png")
    studio.restore("a.png")
    result = Image.open(studio.output / "a.png")
    assert result.mode == "RGBA"
    assert np.array_equal(np.asarray(result)[..., 3], alpha)


def test_a_network_that_gives_nan_fails_the_file_and_writes_nothing(studio):
    studio.put("a.png", grey("rocket"))
    outcome = studio.restore("a.png", answer=(0.1, np.nan))
    assert (outcome.state, outcome.reason) == (State.FAILED, "model-output")
    assert not (studio.output / "a.png").exists()


@pytest.mark.parametrize("space", ["cbcr", "lab-ab", "rgb"])
def test_every_output_space_colors(studio, space):
    answer = {"cbcr": (-0.1, 0.1), "lab-ab": (15.0, 25.0), "rgb": (0.7, 0.5, 0.4)}[space]
    studio.put("a.png", grey("chelsea"))
    outcome = studio.restore("a.png", answer, speaking(CONTRACT, "luma", space))
    assert outcome.state is State.DONE, outcome.message
    assert luma_error(studio.result("a.png"), grey("chelsea")) <= 1
    mean = studio.result("a.png").reshape(-1, 3).mean(axis=0)
    assert mean[0] > mean[1] > mean[2]


def damaged():
    stream = io.BytesIO()
    Image.fromarray(grey("rocket")).save(stream, "PNG")
    return stream.getvalue()[:5000]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "not-a-picture"), (b"just words", "not-a-picture"), (None, "damaged")],
)
def test_bad_content_fails_alone_and_is_named(studio, content, reason):
    (studio.scans / "bad.png").write_bytes(damaged() if content is None else content)
    studio.put("good.png", grey("rocket"))
    place = studio.workplace(constant_model(studio.models / "m.onnx"))
    jobs = (studio.job("bad.png"), studio.job("good.png"))
    bad, good = restore_photos(jobs, place)
    assert (bad.state, bad.reason) == (State.FAILED, reason)
    assert "bad.png" in bad.message
    assert good.state is State.DONE
    assert [one.name for one in studio.output.iterdir() if one.is_file()] == ["good.png"]


def test_the_limit_on_pixels_is_an_option(studio):
    studio.put("a.png", grey("astronaut"))
    outcome = studio.restore("a.png", max_megapixels=0.1)
    assert (outcome.state, outcome.reason) == (State.FAILED, "too-large")
    assert "--max-megapixels" in outcome.message
    assert studio.restore("a.png", max_megapixels=1.0).state is State.DONE


def test_whatever_goes_wrong_becomes_an_outcome(studio, monkeypatch):
    def trip(*_, **__):
        raise ZeroDivisionError("tripped")

    studio.put("a.png", grey("rocket"))
    monkeypatch.setattr("archive_colorizer.restore.photo.colorize_photo", trip)
    outcome = studio.restore("a.png")
    assert (outcome.state, outcome.reason) == (State.FAILED, "bug")
    assert outcome.message == "a.png: ZeroDivisionError: tripped"


def test_the_outcome_tells_source_target_and_means(studio):
    studio.put("a.png", grey("coffee"))
    outcome = studio.restore("a.png")
    assert outcome.source_sha256 == digest(studio.scans / "a.png")
    assert outcome.target_sha256 == digest(studio.output / "a.png")
    assert outcome.model_sha256 == digest(studio.models / "m.onnx")
    assert outcome.provider == "CPUExecutionProvider"
    assert (outcome.height, outcome.width) == grey("coffee").shape
    assert outcome.seconds > 0
    assert outcome.target_stamp == Stamp.from_stat(os.lstat(studio.output / "a.png"))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_the_result_says_that_its_color_was_made_by_an_algorithm(studio, suffix):
    studio.put(f"a.{suffix}", grey("coffee"))
    outcome = studio.restore(f"a.{suffix}")
    content = (studio.output / f"a.{suffix}").read_bytes()
    assert b"compositeWithTrainedAlgorithmicMedia" in content
    assert outcome.source_sha256.encode() in content
    assert outcome.model_sha256.encode() in content


@pytest.mark.parametrize("settings", [{}, {"paranoid": True}, {"mark": "corner", "sidecar": True}])
@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "bmp", "jp2"])
def test_a_large_result_is_written_as_a_small_one_is(studio, monkeypatch, suffix, settings):
    name = f"a.{suffix}"
    studio.put(name, grey("coffee"))
    assert studio.restore(name, **settings).state is State.DONE
    small = studio.result(name)
    (studio.output / name).unlink()
    monkeypatch.setattr("archive_colorizer.output.staging._IN_MEMORY", 0)
    outcome = studio.restore(name, **settings)
    assert outcome.state is State.DONE, outcome.message
    assert np.array_equal(studio.result(name), small)
    assert digest(studio.output / name) == outcome.target_sha256
    assert not list(studio.work.glob("*.tmp"))


@pytest.mark.parametrize("in_memory", [0, 1 << 30])
def test_a_source_that_changes_meanwhile_fails(studio, monkeypatch, in_memory):
    from archive_colorizer.restore import photo

    monkeypatch.setattr("archive_colorizer.output.staging._IN_MEMORY", in_memory)
    studio.put("a.png", grey("rocket"))
    plain = photo.colorize_photo

    def meddle(*args):
        with (studio.scans / "a.png").open("ab") as file:
            file.write(b"more")
        return plain(*args)

    monkeypatch.setattr(photo, "colorize_photo", meddle)
    outcome = studio.restore("a.png")
    assert (outcome.state, outcome.reason) == (State.FAILED, "source-changed")
    assert not (studio.output / "a.png").exists()
    assert not list(studio.work.glob("*.tmp"))


def test_a_foreign_file_in_the_place_of_the_result_is_kept(studio):
    studio.put("a.png", grey("rocket"))
    (studio.output / "a.png").write_bytes(b"my own work")
    outcome = studio.restore("a.png")
    assert (outcome.state, outcome.reason) == (State.FAILED, "target-exists")
    assert (studio.output / "a.png").read_bytes() == b"my own work"


def test_an_earlier_result_is_replaced_when_the_job_says_so(studio):
    studio.put("a.png", grey("rocket"))
    (studio.output / "a.png").write_bytes(b"an earlier result")
    place = studio.workplace(constant_model(studio.models / "m.onnx"))
    outcome = restore_photo(replace(studio.job("a.png"), replaces=True), place)
    assert outcome.state is State.DONE
    assert studio.result("a.png").shape[2] == 3


@pytest.mark.parametrize("orientation", [1, 6])
def test_lossless_luma_is_the_source_s_own_bit_for_bit(studio, orientation):
    jpeglib = pytest.importorskip("jpeglib")
    exif = Image.Exif()
    exif[0x0112] = orientation
    studio.put("a.jpg", grey("chelsea"), quality=83, exif=exif)
    outcome = studio.restore("a.jpg", luma="lossless")
    assert outcome.state is State.DONE, outcome.message
    assert not outcome.warnings
    was, made = (jpeglib.read_dct(str(f / "a.jpg")) for f in (studio.scans, studio.output))
    rows, columns = was.Y.shape[:2]
    assert np.array_equal(made.Y[:rows, :columns], was.Y)
    assert np.array_equal(made.qt[0], was.qt[0])
    assert np.ptp(studio.result("a.jpg"), axis=2).mean() > 5


def test_where_luma_cannot_be_carried_over_it_is_encoded_with_a_warning(studio):
    pytest.importorskip("jpeglib")
    cmyk = Image.fromarray(grey("coffee")).convert("CMYK")
    cmyk.save(studio.scans / "a.jpg", quality=90)
    outcome = studio.restore("a.jpg", luma="lossless", force=True)
    assert outcome.state is State.DONE, outcome.message
    assert any("not carried over bit for bit" in warning for warning in outcome.warnings)


@pytest.mark.parametrize("profile", ["srgb", "keep"])
def test_the_color_space_of_the_result_is_that_of_the_recipe(studio, profile):
    gamma = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    studio.put("a.png", grey("coffee"), icc_profile=gamma)
    assert studio.restore("a.png", profile=profile).state is State.DONE
    assert Image.open(studio.output / "a.png").info.get("icc_profile")
    assert luma_error(studio.result("a.png"), grey("coffee")) <= 1


def test_a_weak_result_says_in_what(studio):
    studio.put("cat.png", grey("chelsea"))
    one = studio.restore("cat.png")
    assert one.weak == ("one_color",)
    assert one.measures is not None
    assert one.measures.one_color == pytest.approx(1)
    assert one.measures.skin is None


def test_the_network_is_judged_and_not_the_wishes_for_its_color(studio):
    studio.put("cat.png", grey("chelsea"))
    assert "grey" in studio.restore("cat.png", answer=(0.001, -0.001)).weak
    assert "grey" not in studio.restore("cat.png", strength=0.0).weak
    assert "clipped" in studio.restore("cat.png", answer=(-0.3, 0.4)).weak
    assert "clipped" not in studio.restore("cat.png", answer=(-0.3, 0.4), strength=0.1).weak


def test_thresholds_are_settings_that_change_no_pixel(studio):
    studio.put("cat.png", grey("chelsea"))
    assert studio.restore("cat.png", weak_one_color=2.0).weak == ()
    assert Recipe(weak_one_color=2.0).compute_digest() == Recipe().compute_digest()


@pytest.mark.parametrize(
    "look",
    [
        {"preset": "vivid"},
        {"preset": "hand-tinted"},
        {"blend": "soft-light", "saturation": 2.0},
        {"hue_range": [{"name": "skin", "saturation": 2.0, "shift": 20}]},
        {"strength_shadows": 0.2, "strength_highlights": 0.0},
        {"working_size": 128},
    ],
)
def test_no_look_touches_luma(studio, look):
    studio.put("a.png", grey("coffee"))
    outcome = studio.restore("a.png", **look)
    assert outcome.state is State.DONE, outcome.message
    assert luma_error(studio.result("a.png"), grey("coffee")) <= 1


def test_a_hue_range_reaches_the_result(studio):
    """The model paints all in one orange, at about 20 degrees."""
    spread = {}
    for name in ("skin", "blues"):
        studio.put(f"{name}.png", grey("coffee"))
        studio.restore(f"{name}.png", hue_range=[{"name": name, "saturation": 0.0}])
        spread[name] = np.ptp(studio.result(f"{name}.png").astype(int), axis=2)
    assert spread["skin"].max() <= 1
    assert spread["blues"].mean() > 5


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_sharpening_is_in_the_luma_and_said_everywhere(studio, suffix):
    if suffix == "tif":
        luma = compute_luma(at_16_bits(photograph("chelsea")))
        studio.put("a.tif", luma, photometric="minisblack")
    else:
        luma = grey("chelsea")
        studio.put(f"a.{suffix}", luma)
    name = f"a.{suffix}"
    if suffix == "jpg":
        luma = np.asarray(Image.open(studio.scans / name))
    outcome = studio.restore(name, sharpen=1.0, sharpen_radius=2.0, paranoid=True)
    assert outcome.state is State.DONE, outcome.message
    wanted = sharpen(luma, Sharpening(1.0, 2.0))
    if suffix != "jpg":
        assert luma_error(studio.result(name), wanted) <= 1
    assert luma_error(studio.result(name), luma) > 20
    assert any("luma is not the source's own" in one for one in outcome.warnings)
    written = (studio.output / name).read_bytes()
    assert b"luma sharpened (unsharp mask, amount 1, radius 2 pixels" in written
    assert b"are the photograph's, sharpened." in written


def test_no_sharpening_no_word_of_it(studio):
    studio.put("a.png", grey("chelsea"))
    studio.restore("a.png")
    written = (studio.output / "a.png").read_bytes()
    assert b"sharpened" not in written
    assert b"are the photograph's." in written


@pytest.mark.parametrize("whole", [True, False])
def test_a_scan_that_is_written_to_while_it_is_read_in_place_has_changed(
    studio, monkeypatch, whole
):
    """Whether its pieces still make a picture or not."""
    monkeypatch.setattr("archive_colorizer.restore.source_file._IN_PLACE", 0)
    studio.put("a.tif", grey("coffee"))
    path = studio.scans / "a.tif"
    real = photo.decode_photo

    def written_to(*args):
        raster = real(*args)
        with path.open("ab") as file:
            file.write(b"more")
        if not whole:
            raise DamagedPicture("a.tif: cut or corrupt")
        return raster

    monkeypatch.setattr(photo, "decode_photo", written_to)
    outcome = studio.restore("a.tif")
    assert (outcome.state, outcome.reason) == (State.FAILED, "source-changed")
    assert not (studio.output / "a.tif").exists()
