"""What a recipe asks of the finished file: format, page, mark, sidecar, signature."""

from dataclasses import replace

import numpy as np
import pytest
import simplejpeg
import tifffile
from PIL import Image

from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import ResultUnwritable
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.output.local import StagedFile
from archive_colorizer.records.jobs import Job, Source, Stamp
from archive_colorizer.records.outcomes import State
from archive_colorizer.restore.photo import restore_photo
from archive_colorizer.restore.render import rename_target
from tests.model.networks import constant_model
from tests.photographs import at_16_bits, photograph
from tests.restore.studio import grey, luma_error


def exif_turned():
    turned = Image.Exif()
    turned[0x0112] = 6
    return turned


PILLOW = {"tiff": "TIFF", "png": "PNG", "jpeg": "JPEG", "webp": "WEBP", "jp2": "JPEG2000"}


@pytest.mark.parametrize("wanted", list(PILLOW))
def test_a_result_has_the_format_that_was_asked_for(studio, wanted):
    studio.put("a.png", grey("chelsea"))
    outcome = studio.restore("a.png", format=wanted)
    assert outcome.state is State.DONE, outcome.message
    assert outcome.target.startswith("a.png")
    assert studio.files() == {outcome.target}
    with Image.open(studio.output / outcome.target) as picture:
        assert picture.format == PILLOW[wanted]
        result = np.asarray(picture.convert("RGB"))
    assert luma_error(result, grey("chelsea")) <= 1.6


def test_a_jpeg_can_become_a_tiff_and_keeps_its_luma(studio):
    studio.put("a.jpg", grey("coffee"), quality=90)
    source = np.asarray(Image.open(studio.scans / "a.jpg"))
    outcome = studio.restore("a.jpg", format="tiff")
    assert outcome.target == "a.jpg.tif"
    assert luma_error(studio.result("a.jpg.tif"), source) <= 1


def test_sixteen_bits_that_a_format_cannot_hold_are_said(studio):
    studio.put("a.tif", compute_luma(at_16_bits(photograph("rocket"))), photometric="minisblack")
    outcome = studio.restore("a.tif", format="jpeg")
    assert outcome.state is State.DONE, outcome.message
    assert any("16 bit" in warning for warning in outcome.warnings)


SOURCE = Source("/scans", "a.jpg", Stamp(1, 2, 3, 4))


@pytest.mark.parametrize(
    ("target", "source", "kind", "becomes"),
    [
        ("a.jpg", "jpeg", "jpeg", "a.jpg"),
        ("a.jpg", "jpeg", "png", "a.jpg.png"),
        ("a~3f2a91.jpg", "jpeg", "png", "a~3f2a91.jpg.png"),
        ("a.jpg.png", "jpeg", "png", "a.jpg.png"),
        ("a.jpg.png", "jpeg", "jpeg", "a.jpg"),
        ("a.jpg.png", "jpeg", "tiff", "a.jpg.tif"),
    ],
)
def test_a_result_has_the_same_name_on_every_run(target, source, kind, becomes):
    job = rename_target(Job("0" * 64, SOURCE, target, replaces=True), source, kind)
    assert job.target == becomes
    assert job.replaces == (becomes == target)


def test_a_page_can_be_chosen_and_others_are_said(studio):
    pages = [np.full((40, 50), value, dtype=np.uint8) for value in (60, 200)]
    tifffile.imwrite(studio.scans / "a.tif", np.stack(pages), photometric="minisblack")
    first = studio.restore("a.tif")
    assert first.state is State.DONE, first.message
    assert any("page" in warning for warning in first.warnings)
    assert luma_error(studio.result("a.tif"), 60) <= 1
    (studio.output / "a.tif").unlink()
    studio.restore("a.tif", page=2)
    assert luma_error(studio.result("a.tif"), 200) <= 1


def test_the_mark_changes_a_corner_and_nothing_else(studio):
    studio.put("a.png", grey("astronaut"))
    studio.restore("a.png", mark="corner", strength=0.0)
    changed = studio.result("a.png")[..., 1] != grey("astronaut")
    assert changed.any()
    assert not changed[: changed.shape[0] * 3 // 4].any()


def test_a_picture_too_small_for_the_mark_says_so(studio):
    studio.put("a.png", grey("astronaut")[:100, :100])
    outcome = studio.restore("a.png", mark="corner")
    assert any("too small" in warning for warning in outcome.warnings)


@pytest.mark.parametrize(("name", "asked"), [("a.png", True), ("a.png", False), ("a.bmp", False)])
def test_a_sidecar_stands_beside_what_cannot_hold_xmp_or_when_asked_for(studio, name, asked):
    studio.put(name, grey("coffee"))
    outcome = studio.restore(name, sidecar=asked)
    expected = {name, f"{name}.xmp"} if asked or name == "a.bmp" else {name}
    assert studio.files() == expected
    if len(expected) == 2:
        content = (studio.output / f"{name}.xmp").read_bytes()
        assert outcome.source_sha256.encode() in content


def test_a_result_that_cannot_be_written_fails_alone(studio, monkeypatch):
    def refuse(*_):
        raise ResultUnwritable("the format cannot hold it")

    studio.put("a.png", grey("rocket"))
    place = studio.workplace(constant_model(studio.models / "m.onnx"))
    monkeypatch.setattr("archive_colorizer.image.codecs.registry.write", refuse)
    outcome = restore_photo(replace(studio.job("a.png")), place)
    assert (outcome.state, outcome.reason) == (State.FAILED, "unwritable")
    assert studio.files() == set()


def test_a_result_is_signed_when_asked_for(studio, tmp_path):
    pytest.importorskip("c2pa", reason="Content Credentials need the extra 'c2pa'")
    from tests.image.metadata.test_c2pa import read_credentials, write_key_pair

    certificate, key = write_key_pair(tmp_path)
    studio.put("a.jpg", grey("coffee"))
    studio.put("b.bmp", grey("coffee"))
    signing = {"c2pa": True, "cert": str(certificate), "key": str(key)}
    outcome = studio.restore("a.jpg", **signing)
    assert outcome.state is State.DONE, outcome.message
    read = read_credentials((studio.output / "a.jpg").read_bytes(), "jpeg")
    assert read["validation_state"] in ("Valid", "Trusted")
    unsigned = studio.restore("b.bmp", **signing)
    assert unsigned.state is State.DONE, unsigned.message
    assert any("cannot hold Content Credentials" in warning for warning in unsigned.warnings)


def test_a_large_result_is_signed_too(studio, tmp_path, monkeypatch):
    pytest.importorskip("c2pa", reason="Content Credentials need the extra 'c2pa'")
    from tests.image.metadata.test_c2pa import read_credentials, write_key_pair

    monkeypatch.setattr("archive_colorizer.output.staging._IN_MEMORY", 0)
    certificate, key = write_key_pair(tmp_path)
    studio.put("a.tif", grey("coffee"))
    outcome = studio.restore("a.tif", c2pa=True, cert=str(certificate), key=str(key))
    assert outcome.state is State.DONE, outcome.message
    read = read_credentials((studio.output / "a.tif").read_bytes(), "tiff")
    assert read["validation_state"] in ("Valid", "Trusted")
    assert not list(studio.work.glob("*.tmp"))


def test_the_stated_source_type_is_a_setting(studio):
    studio.put("a.png", grey("coffee"))
    studio.restore("a.png", source_type="algorithmicallyEnhanced")
    content = (studio.output / "a.png").read_bytes()
    assert b"digitalsourcetype/algorithmicallyEnhanced" in content
    assert b"compositeWithTrainedAlgorithmicMedia" not in content


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "a.bmp", "a.jp2"])
def test_what_is_read_back_is_sound(studio, name):
    studio.put(name, grey("coffee"))
    outcome = studio.restore(name, paranoid=True, mark="corner")
    assert outcome.state is State.DONE, outcome.message
    assert studio.files() >= {name}


def luma_in(path):
    with Image.open(path) as opened:
        opened.draft("L", None)
        return np.asarray(opened).astype(int)


def test_the_luma_of_a_grey_jpeg_is_carried_over_as_it_is(studio):
    studio.put("a.jpg", grey("coffee"), quality=85)
    outcome = studio.restore("a.jpg", paranoid=True)
    assert (outcome.state, outcome.warnings) == (State.DONE, ())
    assert np.array_equal(luma_in(studio.output / "a.jpg"), luma_in(studio.scans / "a.jpg"))
    source, result = (place / "a.jpg" for place in (studio.scans, studio.output))
    assert result.stat().st_size < 1.6 * source.stat().st_size
    assert np.ptp(studio.result("a.jpg").astype(int), axis=2).mean() > 20


@pytest.mark.parametrize(
    ("settings", "how"),
    [
        ({"jpeg_quality": 100}, {}),
        ({"sharpen": 1.5}, {}),
        ({"mark": "corner"}, {}),
        ({}, {"progressive": True}),
        ({}, {"exif": exif_turned()}),
    ],
    ids=["quality", "sharpened", "marked", "progressive", "turned"],
)
def test_other_luma_is_encoded_again(studio, settings, how):
    studio.put("a.jpg", grey("coffee"), quality=60, **how)
    outcome = studio.restore("a.jpg", paranoid=True, **settings)
    assert outcome.state is State.DONE, outcome.message
    # At the quality that keeps luma it takes more than twice what it took.
    source, result = (place / "a.jpg" for place in (studio.scans, studio.output))
    assert result.stat().st_size > 2 * source.stat().st_size


def test_a_faulty_scan_is_not_carried_over(studio):
    """Decoders take it, with a warning: what they made of it becomes a sound file."""
    studio.put("a.jpg", grey("coffee"), quality=85)
    source = studio.scans / "a.jpg"
    whole = source.read_bytes()
    source.write_bytes(whole[:-2] + b"\0" * 40 + b"\xff\xd9")
    outcome = studio.restore("a.jpg")
    assert outcome.state is State.DONE, outcome.message
    assert any("faulty" in warning for warning in outcome.warnings)
    simplejpeg.decode_jpeg((studio.output / "a.jpg").read_bytes(), "RGB")


@pytest.mark.parametrize("settings", [{}, {"luma": "lossless"}, {"jpeg_quality": 20}])
def test_every_way_of_a_jpeg_is_read_back(studio, settings):
    studio.put("a.jpg", grey("chelsea"), quality=85)
    outcome = studio.restore("a.jpg", paranoid=True, **settings)
    assert outcome.state is State.DONE, outcome.message


def test_a_result_that_went_wrong_never_gets_its_name(studio, monkeypatch):
    def cut(picture, raster, metadata, kind, target):
        stills.WRITERS[kind](picture, raster, metadata, target)
        target.truncate(target.tell() - 2000)

    studio.put("a.png", grey("rocket"))
    monkeypatch.setattr("archive_colorizer.image.codecs.registry.write", cut)
    assert studio.restore("a.png").state is State.DONE, "or there is nothing to notice"
    (studio.output / "a.png").unlink()
    outcome = studio.restore("a.png", paranoid=True)
    assert (outcome.state, outcome.reason) == (State.FAILED, "unsound")
    assert studio.files() == set()


def test_a_disk_that_gives_back_other_bytes_is_noticed(studio, monkeypatch):
    read = StagedFile.read

    def changed(made):
        return b"x" + read(made)[1:]

    studio.put("a.png", grey("rocket"))
    monkeypatch.setattr(StagedFile, "read", changed)
    outcome = studio.restore("a.png", paranoid=True)
    assert (outcome.state, outcome.reason) == (State.FAILED, "unsound")
    assert "other bytes than were written" in outcome.message
    assert studio.files() == set()
