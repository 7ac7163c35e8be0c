"""Files beside a photograph, from file to file through the worker's code."""

import hashlib
import os
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from archive_colorizer.color.space import convert_rgb_to_lab
from archive_colorizer.discovery.walk import attach_companions
from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.outcomes import State
from archive_colorizer.restore.guides import Guides
from archive_colorizer.restore.photo import restore_photo
from archive_colorizer.restore.reference import load_palette, pin_reference
from tests.model.networks import constant_model
from tests.photographs import photograph
from tests.restore.studio import grey, luma_error

MOST = 10_000_000


def restore(studio, name, **settings):
    """As `studio.restore`, with what lies beside the photograph."""
    job = studio.job(name)
    model = constant_model(studio.models / "m.onnx", (-0.05, 0.08))
    return restore_photo(
        replace(job, source=attach_companions(job.source)), studio.workplace(model, **settings)
    )


def left_black(shape):
    mask = np.full(shape, 255, np.uint8)
    mask[:, : shape[1] // 2] = 0
    return mask


def colorful(result):
    return np.ptp(result.astype(int), axis=2)


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
@pytest.mark.parametrize("scale", [1, 0.5, 1.5])
def test_a_mask_keeps_its_half_grey_and_all_of_the_luma(studio, suffix, scale):
    luma = grey("coffee")
    studio.put(f"a.{suffix}", luma)
    shape = tuple(round(scale * side) for side in luma.shape)
    studio.put("a.mask.png", left_black(shape))
    outcome = restore(studio, f"a.{suffix}")
    assert (outcome.state, outcome.warnings) == (State.DONE, ()), outcome.message
    found = studio.result(f"a.{suffix}")
    half = luma.shape[1] // 2
    # In the blocks that an edge crosses, JPEG's quantization rings.
    ringing, slack = (20, 6) if suffix == "jpg" else (3, 0)
    assert colorful(found[:, : half - ringing]).max() == 0
    assert colorful(found[:, : half - 3]).max() <= slack
    assert colorful(found[:, half + 6 :]).mean() > 5
    if suffix != "jpg":
        assert luma_error(found, luma) <= 1
    sha256 = hashlib.sha256((studio.scans / "a.mask.png").read_bytes()).hexdigest()
    assert [(one.role, one.name, one.sha256) for one in outcome.beside] == [
        ("mask", "a.mask.png", sha256)
    ]


@pytest.mark.parametrize("luma", ["encoded", "lossless"])
def test_a_mask_is_for_the_picture_as_it_is_seen(studio, luma):
    exif = Image.Exif()
    exif[0x0112] = 6
    studio.put("a.jpg", grey("coffee"), exif=exif, quality=95)
    shape = grey("coffee").shape[::-1]
    studio.put("a.mask.png", left_black(shape))
    outcome = restore(studio, "a.jpg", luma=luma)
    assert outcome.state is State.DONE, outcome.message
    with Image.open(studio.output / "a.jpg") as picture:
        turned = picture.getexif().get(0x0112, 1)
        found = np.asarray(picture.convert("RGB"))
    found = np.rot90(found, -1) if turned == 6 else found
    assert found.shape[:2] == shape
    assert colorful(found[:, : shape[1] // 2 - 20]).max() == 0
    assert colorful(found[:, : shape[1] // 2 - 3]).max() <= 8
    assert colorful(found[:, shape[1] // 2 + 6 :]).mean() > 5


def test_a_mask_of_other_proportions_is_stretched_and_said(studio):
    studio.put("a.png", grey("coffee"))
    studio.put("a.mask.png", left_black((100, 100)))
    assert restore(studio, "a.png").warnings == (
        "a.mask.png has other proportions than the photograph: stretched",
    )


@pytest.mark.parametrize("ending", ["mask.png", "hints.png"])
@pytest.mark.parametrize("kind", ["broken", "link", "folder"])
def test_what_cannot_be_read_fails_its_photograph_and_is_named(studio, ending, kind):
    studio.put("a.png", grey("coffee"))
    place = studio.scans / f"a.{ending}"
    if kind == "broken":
        place.write_bytes(b"\xff[[")
    elif kind == "link":
        place.symlink_to(studio.scans / "a.png")
    else:
        place.mkdir()
    outcome = restore(studio, "a.png")
    why = "guide" if kind == "broken" else "unreadable"
    assert (outcome.state, outcome.reason) == (State.FAILED, why)
    assert place.name in outcome.message
    assert [one.name for one in outcome.beside] == [place.name]
    assert not studio.files()


def test_one_that_changes_meanwhile_fails_the_photograph(studio, monkeypatch):
    studio.put("a.png", grey("coffee"))
    studio.put("a.mask.png", left_black((40, 60)))

    read = Guides.read

    def read_and_touch(*given):
        found = read(*given)
        os.utime(studio.scans / "a.mask.png", (1, 1))
        return found

    monkeypatch.setattr(Guides, "read", read_and_touch)
    outcome = restore(studio, "a.png")
    assert (outcome.state, outcome.reason) == (State.FAILED, "source-changed")


def strokes(shape, *dots):
    layer = np.zeros((*shape, 4), np.uint8)
    for place, radius, rgb in dots:
        cv2.circle(layer, place, radius, (*rgb, 255), -1)
    return layer


@pytest.mark.parametrize("by", ["strokes", "points"])
@pytest.mark.parametrize("rgb", [(138, 90, 68), (60, 90, 160), (70, 130, 60), (128, 128, 128)])
def test_around_a_hint_the_color_is_what_was_asked_for(studio, by, rgb):
    luma = grey("astronaut")
    place, radius = (150, 420), 9
    studio.put("a.png", luma)
    hint = []
    if by == "strokes":
        studio.put("a.hints.png", strokes(luma.shape, (place, radius, rgb)))
    else:
        color = "".join(f"{one:02x}" for one in rgb)
        hint = [{"at": list(place), "radius": radius, "color": f"#{color}"}]
    outcome = restore(studio, "a.png", hint=hint)
    assert outcome.state is State.DONE, outcome.message
    found = studio.result("a.png")
    assert luma_error(found, luma) <= 1
    dot = np.zeros(luma.shape, np.uint8)
    cv2.circle(dot, place, radius - 4, 1, -1)
    lab = convert_rgb_to_lab(found.astype(np.float32) / 255)[dot > 0]
    asked = convert_rgb_to_lab(np.array([[rgb]], np.float32) / 255)[0, 0]
    # The hint's hue and chroma at the photograph's own lightness.
    wanted = np.stack([lab[:, 0], *np.broadcast_to(asked[1:, None], (2, len(lab)))], axis=1)
    difference = pytest.importorskip("skimage.color").deltaE_ciede2000
    assert np.median(difference(lab, wanted)) < 3


def test_no_hint_gives_the_very_same_file(studio):
    luma = grey("astronaut")
    studio.put("a.png", luma)
    plain = restore(studio, "a.png")
    (studio.output / "a.png").rename(studio.output / "plain.png")
    studio.put("a.hints.png", strokes(luma.shape))
    empty = restore(studio, "a.png")
    first, second = (np.asarray(Image.open(studio.output / one)) for one in ("plain.png", "a.png"))
    assert (plain.state, empty.state) == (State.DONE, State.DONE)
    assert np.array_equal(first, second)


def test_behind_an_edge_nothing_changes(studio):
    luma = grey("coffee")
    studio.put("a.png", luma)
    restore(studio, "a.png")
    (studio.output / "a.png").rename(studio.output / "plain.png")
    studio.put("a.hints.png", strokes(luma.shape, ((300, 180), 8, (200, 60, 40))))
    assert restore(studio, "a.png").state is State.DONE
    plain, told = (np.asarray(Image.open(studio.output / one)) for one in ("plain.png", "a.png"))
    changed = (plain != told).any(axis=2)
    assert changed[165:195, 280:320].all()
    assert not changed[:, :90].any()
    assert not changed[330:].any()


def test_strength_0_is_neutral_in_spite_of_hints(studio):
    luma = grey("coffee")
    studio.put("a.png", luma)
    studio.put("a.hints.png", strokes(luma.shape, ((300, 180), 8, (200, 60, 40))))
    restore(studio, "a.png", strength=0.0)
    assert colorful(studio.result("a.png")).max() == 0


def test_what_was_given_stands_in_the_result(studio):
    studio.put("a.png", grey("coffee"))
    studio.put("a.mask.png", left_black((40, 60)))
    studio.put("b.jpg", photograph("rocket"), quality=95)
    recipe = pin_reference(Recipe(reference=str(studio.scans / "b.jpg")))
    outcome = restore(
        studio,
        "a.png",
        reference=recipe.reference,
        reference_sha256=recipe.reference_sha256,
        hint=[{"at": [30, 40.5], "color": "#8a5a44"}],
        borders="auto",
    )
    assert outcome.state is State.DONE, outcome.message
    (mask,) = outcome.beside
    written = (studio.output / "a.png").read_bytes().decode("latin-1")
    assert f"mask a.mask.png sha256 {mask.sha256}" in written
    assert f"reference b.jpg sha256 {recipe.reference_sha256}" in written
    assert "; hint #8a5a44 at 30,40.5; " in written
    assert "; borders auto<" in written


@pytest.mark.parametrize(
    ("kind", "said"),
    [("grey", "is grey"), ("sepia", "is toned"), ("broken", "no picture"), ("missing", "No such")],
)
def test_a_reference_without_color_is_refused(tmp_path, kind, said):
    place = tmp_path / "ref.png"
    if kind == "grey":
        Image.fromarray(grey("coffee")).save(place)
    elif kind == "sepia":
        tones = grey("coffee")[..., None] / 255 * np.array([255, 235, 200])
        Image.fromarray(tones.astype(np.uint8)).save(place)
    elif kind == "broken":
        place.write_bytes(b"text")
    with pytest.raises(UsageError, match=said):
        pin_reference(Recipe(reference=str(place)))


def test_a_reference_that_is_not_the_stated_one_is_refused(tmp_path):
    place = tmp_path / "ref.png"
    Image.fromarray(photograph("rocket")).save(place)
    sound = pin_reference(Recipe(reference=str(place)))
    assert pin_reference(sound) == sound
    assert sound.compute_digest() != Recipe().compute_digest()
    with pytest.raises(UsageError, match="another sha256"):
        pin_reference(replace(sound, reference_sha256="0" * 64))


def test_a_reference_that_was_changed_is_read_again(tmp_path):
    place = tmp_path / "ref.png"
    Image.fromarray(photograph("rocket")).save(place)
    first = pin_reference(Recipe(reference=str(place)))
    assert load_palette(first) == load_palette(Recipe(reference=str(place)))
    Image.fromarray(photograph("coffee")).save(place)
    second = pin_reference(Recipe(reference=str(place)))
    assert second.reference_sha256 != first.reference_sha256
    assert load_palette(second).sha256 == second.reference_sha256
    with pytest.raises(UsageError, match="another sha256"):
        load_palette(first)


def test_borders_stay_neutral_and_the_picture_gets_its_color(studio):
    luma = np.pad(grey("coffee"), 50, constant_values=14)
    studio.put("a.png", luma)
    restore(studio, "a.png", borders="auto")
    found = colorful(studio.result("a.png"))
    inside = np.zeros(luma.shape, bool)
    inside[50:-50, 50:-50] = True
    assert found[~inside].max() == 0
    assert found[inside].mean() > 5
